"""How far two sets of outputs are apart."""

import numpy as np
import pytest

from edgeprof.accuracy.agreement import agreement

P = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], np.float32)
Q = np.array([[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]], np.float32)


def test_errors_highest_outputs_and_divergence_are_of_the_same_samples():
    found = agreement("float_model", P, Q, classes=True)

    assert (found.n_samples, found.n_agreed) == (2, 1)
    assert (found.max_error, found.mean_error) == (0.25, pytest.approx(0.5 / 6))
    assert found.kl_nats == pytest.approx((0.5 * np.log(2) - 0.25 * np.log(2)) / 2)
    assert found.sqnr_db == pytest.approx(10 * np.log10((P**2).sum() / ((P - Q) ** 2).sum()))


def test_equal_outputs_have_no_error_and_no_ratio():
    found = agreement("host", P, P, classes=True)

    assert (found.max_error, found.sqnr_db, found.kl_nats, found.n_agreed) == (0.0, None, pytest.approx(0.0), 2)


def test_a_quantised_zero_is_no_impossibility():
    found = agreement("host", np.array([[0.99, 0.01]], np.float32), np.array([[1.0, 0.0]], np.float32), classes=True)

    assert 0 < found.kl_nats < 0.02


def test_outputs_that_are_no_distribution_have_no_divergence():
    assert agreement("host", 3 * P, 3 * Q, classes=True).kl_nats is None
    assert agreement("host", P[:, :1], Q[:, :1], classes=False).n_agreed is None


def test_outputs_that_are_no_numbers_are_wrong_beyond_all_bounds():
    found = agreement("host", P, P * np.nan, classes=True)

    assert (found.n_agreed, found.sqnr_db) == (0, -200.0)
    assert found.max_error > 1e38
