"""Each metric against a computation that goes another way."""

import numpy as np
import pytest

from edgeprof.accuracy.scoring import METRICS, RESAMPLES, resampled, whole
from edgeprof.errors import UsageError

RANDOM = np.random.default_rng(7)
N, CLASSES = 120, 4
Y = RANDOM.integers(0, CLASSES, N)
OUTPUTS = (np.eye(CLASSES)[Y] + RANDOM.normal(0, 0.7, (N, CLASSES))).round(1).astype(np.float32)


def value(name, y, outputs):
    return whole(METRICS[name].of(y, outputs), len(y))


def plain_f1(y, outputs):
    """F1 by counting sample by sample, from precision and recall."""
    found = []
    for label in range(CLASSES):
        pairs = [(label == want, label == int(np.argmax(row))) for want, row in zip(y, outputs, strict=True)]
        right = sum(a and b for a, b in pairs)
        if not any(a or b for a, b in pairs):
            continue
        precision = right / max(1, sum(b for _, b in pairs))
        recall = right / max(1, sum(a for a, _ in pairs))
        found.append(2 * precision * recall / (precision + recall) if right else 0.0)
    return sum(found) / len(found)


def plain_auc(y, value_):
    """The share of pairs of a positive and a negative that are in order; ties count half."""
    pairs = [
        (p > q) + (p == q) / 2
        for p, a in zip(value_, y, strict=True)
        if a
        for q, b in zip(value_, y, strict=True)
        if not b
    ]
    return sum(pairs) / len(pairs)


def test_f1_is_the_mean_over_classes_of_the_harmonic_mean_of_precision_and_recall():
    assert value("f1", Y, OUTPUTS) == pytest.approx(plain_f1(Y, OUTPUTS))


def test_a_class_that_nobody_has_and_nothing_is_taken_for_does_not_count_in_f1():
    y = np.where(Y == 3, 0, Y)
    outputs = OUTPUTS.copy()
    outputs[:, 3] = -9

    assert value("f1", y, outputs) == pytest.approx(plain_f1(y, outputs))


def test_auc_is_the_share_of_pairs_in_order():
    assert value("auc", (Y == 1).astype(int), OUTPUTS[:, 1:2]) == pytest.approx(plain_auc(Y == 1, OUTPUTS[:, 1]))
    assert value("auc", (Y == 1).astype(int), OUTPUTS[:, :2]) == pytest.approx(plain_auc(Y == 1, OUTPUTS[:, 1]))


def test_auc_of_several_classes_is_the_mean_over_each_against_the_rest():
    expected = np.mean([plain_auc(c == Y, OUTPUTS[:, c]) for c in range(CLASSES)])

    assert value("auc", Y, OUTPUTS) == pytest.approx(expected)


def test_auc_needs_two_classes():
    with pytest.raises(UsageError, match="two classes at least"):
        value("auc", np.zeros(5, int), np.zeros((5, 1), np.float32))


def test_errors_are_means_over_samples_and_elements():
    y, outputs = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(5, 3)).astype(np.float32)

    assert value("mae", y, outputs) == pytest.approx(np.abs(y - outputs).mean())
    assert value("mse", y, outputs) == pytest.approx(((y - outputs) ** 2).mean())
    assert value("mae", y, outputs * np.nan) > 1e38


def test_iou_counts_pixels_over_the_whole_set_class_by_class():
    masks = RANDOM.integers(0, 3, (6, 16))
    outputs = (np.eye(3)[masks] + RANDOM.normal(0, 0.8, (6, 16, 3))).astype(np.float32)
    found = outputs.argmax(axis=2)
    sets = [({*zip(*np.where(masks == c), strict=True)}, {*zip(*np.where(found == c), strict=True)}) for c in range(3)]

    got = value("iou", masks, outputs.reshape(6, -1))

    assert got == pytest.approx(np.mean([len(a & b) / len(a | b) for a, b in sets]))


@pytest.mark.parametrize("name", ["f1", "auc"])
def test_weights_are_as_good_as_samples_several_times_over(name):
    counts = np.random.default_rng(1).integers(0, 4, N)
    again = np.repeat(np.arange(N), counts)

    weighted = METRICS[name].of(Y, OUTPUTS)(counts[None, :].astype(float))[0]

    assert weighted == pytest.approx(value(name, Y[again], OUTPUTS[again]))


def test_resamples_are_the_same_for_the_same_seed_and_pair_two_models():
    of = METRICS["mae"].of(np.zeros((N, 1)), OUTPUTS[:, :1])
    other = METRICS["mae"].of(np.zeros((N, 1)), OUTPUTS[:, :1] + 1)

    one, two = resampled([of, other], N, seed=5)
    (again,) = resampled([of], N, seed=5)

    assert len(one) == RESAMPLES
    assert np.array_equal(one, again)
    assert np.std(one - two) < np.std(one) * 2


def test_resampled_means_spread_as_the_standard_error_says():
    of = METRICS["mse"].of(np.zeros((N, 1)), OUTPUTS[:, :1])
    errors = OUTPUTS[:, 0].astype(float) ** 2

    (found,) = resampled([of], N, seed=1)

    assert found.mean() == pytest.approx(errors.mean(), rel=0.02)
    assert found.std() == pytest.approx(errors.std() / np.sqrt(N), rel=0.1)
