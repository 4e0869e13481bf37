import numpy as np
import pytest

from edgeprof.accuracy import classification
from edgeprof.errors import ModelError


def outputs(*rows):
    return np.array(rows, np.float32)


def test_top_1_is_the_share_of_samples_whose_highest_output_is_the_label():
    found = classification(outputs([0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]), np.array([1, 0, 1, 1]), None)

    assert (found.n_samples, found.top1_ratio) == (4, 0.75)
    assert (found.float_top1_ratio, found.drop_points) == (None, None)


def test_top_5_counts_from_six_classes_up():
    rows = np.tile(np.arange(6, dtype=np.float32), (6, 1))

    six = classification(rows, np.arange(6), None)
    five = classification(rows[:, :5], np.array([0, 1, 2, 3, 4, 4]), None)

    assert (six.top1_ratio, six.top5_ratio) == (pytest.approx(1 / 6), pytest.approx(5 / 6))
    assert five.top5_ratio is None


def test_the_drop_is_in_percentage_points_on_the_same_samples():
    y = np.array([0, 0, 0, 0])
    right, wrong = [0.9, 0.1], [0.1, 0.9]

    found = classification(outputs(right, right, wrong, wrong), y, outputs(right, right, right, wrong))

    assert (found.top1_ratio, found.float_top1_ratio, found.drop_points) == (0.5, 0.75, 25.0)


def test_equal_outputs_rank_as_argmax_ranks_them():
    rows = np.random.default_rng(1).integers(0, 3, (200, 10)).astype(np.float32)
    y = np.random.default_rng(2).integers(0, 10, 200)

    found = classification(rows, y, None)

    assert found.top1_ratio == (rows.argmax(axis=1) == y).mean()


def test_a_model_that_says_nothing_is_not_right_by_ties():
    found = classification(np.zeros((10, 10), np.float32), np.arange(10), None)

    assert (found.top1_ratio, found.top5_ratio) == (0.1, 0.5)


def test_outputs_that_are_no_numbers_are_never_right():
    found = classification(np.full((3, 10), np.nan, np.float32), np.array([0, 1, 2]), None)

    assert (found.top1_ratio, found.top5_ratio) == (0.0, 0.0)


def test_a_single_output_is_the_probability_of_class_one():
    found = classification(outputs([0.9], [0.2], [0.6], [0.4]), np.array([1, 0, 0, 0]), None)

    assert found.top1_ratio == 0.75


def test_outputs_of_other_samples_are_refused():
    rows = np.zeros((3, 2), np.float32)

    with pytest.raises(ModelError, match="there are 3 outputs for 2 labels"):
        classification(rows, np.array([0, 1]), None)
    with pytest.raises(ModelError, match="there are 3 reference outputs for 2 labels"):
        classification(rows[:2], np.array([0, 1]), rows)
