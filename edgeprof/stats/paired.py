"""Scores to figures with intervals: one model's, its loss against another on the same samples, and across sets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.scores import HITS, LOWER, Score
from edgeprof.stats.estimates import CONFIDENCE
from edgeprof.stats.packed import unpack
from edgeprof.stats.proportions import Discordant, Range, discordant, mover, wilson


@dataclass(frozen=True, slots=True)
class Loss:
    """How much worse a score is than another on the same samples; below 0 it is better.

    Attributes:
        worse: In the metric's own unit, with its interval.
        p_value: McNemar's exact test; `None` where the metric is no share of samples.
    """

    worse: Range
    p_value: float | None


def score_range(score: Score, confidence: float = CONFIDENCE) -> Range:
    """Return a score with its interval: Wilson's for shares, else percentiles of the resamples."""
    found = unpack(score.values)
    if score.kind == HITS:
        return Range(score.point, *wilson(int(found.sum()), len(found), confidence))
    return Range(score.point, *_percentiles(found, score.point, confidence))


def float_range(score: Score, confidence: float = CONFIDENCE) -> Range | None:
    """Return the float model's score with its interval, or `None`."""
    base = _float(score)
    return None if base is None else score_range(base, confidence)


def loss(score: Score, confidence: float = CONFIDENCE) -> Loss | None:
    """Return how much worse a score is than the float model's, or `None` where there is none."""
    base = _float(score)
    return None if base is None else loss_against(base, score, confidence)


def loss_against(base: Score, other: Score, confidence: float = CONFIDENCE) -> Loss:
    """Return how much worse `other` is than `base`; both are the same metric on the same samples in the same order.

    Shares: Tango's score interval of the paired difference; anything else: percentiles of the differences on the same
    resamples.
    """
    sign = -1.0 if base.better == LOWER else 1.0
    point = sign * (base.point - other.point)
    if base.kind == HITS:
        pairs = hits_lost(base, other)
        return Loss(Range(point, *pairs.interval(confidence)), pairs.mcnemar())
    worse = sign * (unpack(base.values) - unpack(other.values))
    return Loss(Range(point, *_percentiles(worse, point, confidence)), None)


def hits_lost(base: Score, other: Score) -> Discordant:
    """Return on how many samples only one of two scores counts."""
    return discordant(unpack(base.values), unpack(other.values))


def float_hits_lost(score: Score) -> Discordant | None:
    """Return on how many samples only the float model or only the artifact is right; `None` where it is not known."""
    if score.float_values is None or score.kind != HITS:
        return None
    return discordant(unpack(score.float_values), unpack(score.values))


def shift(clean: Score, shifted: Score, *, paired: bool, of_float: bool = False) -> Range | None:
    """Return how much worse a model is on a shifted set than on the clean one.

    Args:
        clean: The score on the clean set.
        shifted: The same metric on the other.
        paired: Both sets are the same samples, in the same order.
        of_float: Of the float model instead; `None` where there is none.
    """
    before, after = (_float(clean), _float(shifted)) if of_float else (clean, shifted)
    if before is None or after is None:
        return None
    if paired:
        return loss_against(before, after).worse
    ranges = score_range(before), score_range(after)
    return mover(*(reversed(ranges) if clean.better == LOWER else ranges))


def extra_loss(clean: Score, shifted: Score, *, paired: bool) -> Range | None:
    """Return how much more an artifact lost against the float model on a shifted set than on the clean one.

    Above 0, compression made the model's weakness under the shift worse. Arguments as in `shift`.
    """
    before, after = loss(clean), loss(shifted)
    if before is None or after is None:
        return None
    if not paired:
        return mover(after.worse, before.worse)
    if clean.kind == HITS:
        return mover(after.worse, before.worse, _correlation(_lost(clean), _lost(shifted)))
    point = after.worse.point - before.worse.point
    return Range(point, *_percentiles(_lost(shifted) - _lost(clean), point, CONFIDENCE))


def float_losses(score: Score) -> NDArray[np.float64] | None:
    """Return what an artifact lost against the float model, by sample or by resample; `None` where there is none."""
    return None if score.float_values is None else _lost(score)


def _lost(score: Score) -> NDArray[np.float64]:
    """Return what an artifact lost, sample by sample or resample by resample; above 0 it is worse."""
    sign = -1.0 if score.better == LOWER else 1.0
    return np.asarray(sign * (unpack(score.float_values or "") - unpack(score.values)), np.float64)


def _float(score: Score) -> Score | None:
    """Return the float model's score, or `None` where there is none."""
    if score.float_point is None or score.float_values is None:
        return None
    return Score(score.name, score.statistic, score.better, score.kind, score.float_point, score.float_values)


def _percentiles(values: NDArray[np.float64], point: float, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of what is defined; it always holds the point, which packing may round off.

    Source: B. Efron and R. Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.
    """
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return min(float(low), point), max(float(high), point)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if len(one) != len(other) or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
