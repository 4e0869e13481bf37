"""Metrics of outputs against labels. Each is a function of the samples' weights, so that resamples cost a product.

scikit-learn has all but the user's function; it is 40 MB with what it brings, for five formulas of a few lines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array
from edgeprof.errors import UsageError
from edgeprof.scores import HIGHER, LOWER

Numbers = NDArray[np.float64]
# Weights `(b, n)` to the metric on each of `b` sets.
Weighted = Callable[[Numbers], Numbers]
RESAMPLES = 1000
_CHUNK_ELEMENTS = 2_000_000
# Probability above which a single output says class 1; of a logit it is 0.
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Metric:
    """What a name stands for.

    Attributes:
        name: With its unit, as scores carry it.
        statistic: `macro` over classes or `mean` over samples.
        better: `higher` or `lower`.
        of: Labels and outputs `(n, elements)` to the metric.
    """

    name: str
    statistic: str
    better: str
    of: Callable[[Array, NDArray[np.float32]], Weighted]


def resampled(of: Sequence[Weighted], n: int, seed: int) -> list[Numbers]:
    """Return each metric on the same resamples of `n` samples, drawn with replacement.

    The seed comes from the samples: all runs on the same samples see the same resamples, so differences are paired.

    Source: B. Efron and R. Tibshirani (1993), "An Introduction to the Bootstrap", sections 6.4 and 8.
    """
    random = np.random.default_rng(seed)
    found: list[list[Numbers]] = [[] for _ in of]
    rows = max(1, min(RESAMPLES, _CHUNK_ELEMENTS // n))
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        drawn = random.integers(0, n, (count, n)) + n * np.arange(count)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)
        for values, metric in zip(found, of, strict=True):
            values.append(metric(weights))
    return [np.concatenate(values) for values in found]


def whole(metric: Weighted, n: int) -> float:
    """Return a metric on the whole set."""
    return float(metric(np.ones((1, n)))[0])


def threshold(outputs: NDArray[np.float32]) -> float:
    """Return above what a single output says class 1: 0.5 for probabilities, 0 where it is a logit."""
    known = outputs[np.isfinite(outputs)]
    return _HALF if known.size == 0 or (known.min() >= 0 and known.max() <= 1) else 0.0


def predictions(outputs: NDArray[np.float32], above: float = _HALF) -> NDArray[np.int64]:
    """Return the class of each sample, the first of equal outputs; −1 where any output is no number.

    A model that computes NaN is never right by chance. A single output is class 1 if it is `above`.
    """
    if outputs.shape[1] == 1:
        found = (outputs[:, 0] > above).astype(np.int64)
    else:
        found = np.asarray(outputs.argmax(axis=1), np.int64)
    return np.where(np.isnan(outputs).any(axis=1), -1, found)


def top_hits(outputs: NDArray[np.float32], y: NDArray[np.int64], k: int, above: float = _HALF) -> NDArray[np.int64]:
    """Return 1 for each sample whose label is among its `k` highest outputs, else 0; equal ones rank in their order."""
    if k == 1 or outputs.shape[1] == 1:
        return np.asarray(predictions(outputs, above) == y, np.int64)
    value = np.take_along_axis(outputs, y[:, None], axis=1)
    before = np.arange(outputs.shape[1]) < y[:, None]
    ranks = (~(outputs <= value) | ((outputs == value) & before)).sum(axis=1)
    return np.asarray(ranks < k, np.int64)


def f1_macro(y: Array, outputs: NDArray[np.float32]) -> Weighted:
    """F1 = 2 TP / (2 TP + FP + FN) of each class that labels or predictions hold, and the mean over those.

    Source: C. D. Manning, P. Raghavan, H. Schütze (2008), "Introduction to Information Retrieval", section 13.6.
    """
    predicted = predictions(outputs, threshold(outputs))
    classes = np.union1d(y, predicted[predicted >= 0])
    label, said = (np.equal(values[:, None], classes).astype(np.float64) for values in (y, predicted))

    def weighted(weights: Numbers) -> Numbers:
        found = 2 * (weights @ (label * said))
        return _mean_over_known(found, weights @ label + weights @ said)

    return weighted


def iou_mean(y: Array, outputs: NDArray[np.float32]) -> Weighted:
    """Intersection over union of each class that labels or predictions hold, over all pixels, and the mean over those.

    Source: M. Everingham et al. (2010), "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 88, section 4.3.
    """
    n, pixels = y.shape
    flat = predictions(outputs.reshape(n * pixels, -1), threshold(outputs)).reshape(n, pixels)
    classes = np.union1d(y, flat[flat >= 0])
    both = np.stack([((y == c) & (flat == c)).sum(axis=1) for c in classes], axis=1).astype(np.float64)
    either = np.stack([((y == c) | (flat == c)).sum(axis=1) for c in classes], axis=1).astype(np.float64)
    return lambda weights: _mean_over_known(weights @ both, weights @ either)


def mean_error(power: int) -> Callable[[Array, NDArray[np.float32]], Weighted]:
    """Mean over samples of the mean over elements of |difference| to a power: 1 for MAE, 2 for MSE."""

    def metric(y: Array, outputs: NDArray[np.float32]) -> Weighted:
        errors = (np.abs(outputs.astype(np.float64) - y) ** power).mean(axis=1)
        # What is no number is as wrong as can be said.
        errors = np.nan_to_num(errors, nan=float(np.finfo(np.float32).max), posinf=float(np.finfo(np.float32).max))
        return lambda weights: np.asarray(weights @ errors / weights.sum(axis=1))

    return metric


def auc(y: Array, outputs: NDArray[np.float32]) -> Weighted:
    """Area under the ROC curve: the chance that a sample of the class has a higher output than one of another.

    Of two classes the second's; of more, the mean over classes against the rest. Ties count half.

    Source: J. A. Hanley and B. J. McNeil (1982), "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 143, 29-36.

    Raises:
        UsageError: The labels are all of one class.
    """
    outputs = np.nan_to_num(outputs, nan=-np.inf)
    columns = [0] if outputs.shape[1] == 1 else [1] if outputs.shape[1] == 2 else range(outputs.shape[1])
    positives = [(y == (1 if outputs.shape[1] == 1 else c)) for c in columns]
    curves = [_one_auc(p, outputs[:, c]) for p, c in zip(positives, columns, strict=True) if p.any() and not p.all()]
    if not curves:
        raise UsageError("`auc` needs samples of two classes at least, and the labels hold one", "choose `top1`")
    return lambda weights: _mean_of_known(np.stack([curve(weights) for curve in curves], axis=1))


def _one_auc(positive: NDArray[np.bool_], value: NDArray[np.float32]) -> Weighted:
    order = np.argsort(value, kind="stable")
    starts = np.flatnonzero(np.diff(value[order], prepend=np.nan) != 0)  # of groups of equal outputs
    sign = positive[order]

    def weighted(weights: Numbers) -> Numbers:
        ordered = weights[:, order]
        hits = np.add.reduceat(ordered * sign, starts, axis=1)
        others = np.add.reduceat(ordered * ~sign, starts, axis=1)
        below = np.cumsum(others, axis=1) - others
        total = hits.sum(axis=1) * others.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray((hits * (below + others / 2)).sum(axis=1) / total)

    return weighted


def _mean_over_known(above: Numbers, below: Numbers) -> Numbers:
    """Return the mean over classes of a ratio; a class of which a resample holds nothing does not count in it."""
    with np.errstate(invalid="ignore"):
        return _mean_of_known(above / below)


def _mean_of_known(values: Numbers) -> Numbers:
    """Return the mean of each row's numbers; what is not defined stays so: a resample may hold one class only."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=1) / known.sum(axis=1))


METRICS = {
    "f1": Metric("f1_ratio", "macro", HIGHER, f1_macro),
    "auc": Metric("auc_ratio", "macro", HIGHER, auc),
    "iou": Metric("iou_ratio", "macro", HIGHER, iou_mean),
    "mae": Metric("mae", "mean", LOWER, mean_error(1)),
    "mse": Metric("mse", "mean", LOWER, mean_error(2)),
}
