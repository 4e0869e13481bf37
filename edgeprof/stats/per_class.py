"""A classifier's evaluation class by class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.scores import Evaluation
from edgeprof.stats.packed import unpack
from edgeprof.stats.proportions import Range, discordant, wilson

_POINTS = 100.0


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of a set.

    Attributes:
        label: Its number.
        n_samples: Samples that have it.
        recall: The share of them that the model gives it, with Wilson's interval.
        drop_points: How much lower that is than the float model's, with Tango's interval; or `None`.
    """

    label: int
    n_samples: int
    recall: Range
    drop_points: Range | None


def class_scores(evaluation: Evaluation) -> tuple[ClassScore, ...]:
    """Return every class that has samples, in order; none where outputs are no classes or there are no labels."""
    if evaluation.labels is None or evaluation.predicted is None:
        return ()
    labels, hits = _hits(evaluation, evaluation.predicted)
    floats = None if evaluation.float_predicted is None else _hits(evaluation, evaluation.float_predicted)[1]
    return tuple(_class(int(label), labels == label, hits, floats) for label in np.unique(labels))


def confusion(evaluation: Evaluation) -> NDArray[np.int64] | None:
    """Return counts `(class, class it was taken for)`; the last column is for outputs that are no numbers.

    `None` where outputs are no classes or there are no labels.
    """
    if evaluation.labels is None or evaluation.predicted is None or evaluation.n_classes is None:
        return None
    labels, predicted, size = unpack(evaluation.labels), unpack(evaluation.predicted), evaluation.n_classes
    columns = np.where(predicted < 0, size, predicted)
    counts = np.bincount(labels * (size + 1) + columns, minlength=size * (size + 1))
    return np.asarray(counts, np.int64).reshape(size, size + 1)


def _hits(evaluation: Evaluation, predicted: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    labels = np.asarray(unpack(evaluation.labels or ""), np.int64)
    return labels, np.asarray(unpack(predicted) == labels, np.int64)


def _class(
    label: int, mine: NDArray[np.bool_], hits: NDArray[np.int64], floats: NDArray[np.int64] | None
) -> ClassScore:
    right, n = int(hits[mine].sum()), int(mine.sum())
    recall = Range(right / n, *wilson(right, n))
    if floats is None:
        return ClassScore(label, n, recall, None)
    pairs = discordant(floats[mine], hits[mine])
    low, high = pairs.interval()
    return ClassScore(label, n, recall, Range(pairs.share * _POINTS, low * _POINTS, high * _POINTS))
