"""An evaluation as estimates: what is printed, ranked and written of it."""

from collections.abc import Iterator
from dataclasses import replace

from edgeprof.records import Estimate
from edgeprof.scores import LOWER, Agreement, Evaluation, Score
from edgeprof.stats.estimates import CONFIDENCE
from edgeprof.stats.paired import float_range, loss, score_range
from edgeprof.stats.proportions import Range, wilson

_POINTS = 100.0
# With five classes or fewer a top-5 is always right.
_TOP5_CLASSES = 6


def accuracy_estimates(evaluation: Evaluation) -> tuple[Estimate, ...]:
    """Return the scores of an evaluation, the float model's and the loss against it, and agreement, with intervals."""
    n = evaluation.n_samples
    found = [estimate for score in evaluation.scores for estimate in _of_score(score, n)]
    found += [estimate for one in evaluation.agreements for estimate in _of_agreement(one)]
    headline = next(iter(evaluation.scores), None)
    if headline is not None and headline.float_point is None:
        missing = ((f"float_{headline.name}", headline.statistic), (loss_name(headline), "difference"))
        found += [Estimate(*names, None, not_measured="no_float_model") for names in missing]
    if evaluation.labels is not None and (evaluation.n_classes or 0) < _TOP5_CLASSES:
        found.append(Estimate("top5_ratio", "share", None, not_measured="fewer_than_six_classes"))
    return tuple(found)


def loss_name(score: Score) -> str:
    """Return the metric in which a score's loss is given: `drop_points` for top-1, `f1_drop_points`, `mae_loss`."""
    if score.name == "top1_ratio":
        return "drop_points"
    bare = score.name.removesuffix("_ratio")
    return f"{bare}_drop_points" if score.name.endswith("_ratio") else f"{bare}_loss"


def in_points(score: Score, found: Range) -> Range:
    """Return a difference of scores as `loss_name` gives it: shares in percentage points."""
    if not score.name.endswith("_ratio"):
        return found
    return Range(found.point * _POINTS, found.low * _POINTS, found.high * _POINTS)


def _of_score(score: Score, n: int) -> Iterator[Estimate]:
    yield replace(_estimate(score.name, score.statistic, score_range(score), n), better=score.better)
    floats, lost = float_range(score), loss(score)
    if floats is not None and lost is not None:
        yield replace(_estimate(f"float_{score.name}", score.statistic, floats, n), better=score.better)
        yield replace(_estimate(loss_name(score), "difference", in_points(score, lost.worse), n), better=LOWER)


def _of_agreement(one: Agreement) -> Iterator[Estimate]:
    name, n = f"{one.against}_agreement", one.n_samples
    if one.n_agreed is not None:
        ends = wilson(one.n_agreed, n)
        yield _estimate(f"{name}_ratio", "share", Range(one.n_agreed / n, *ends), n)
    if one.sqnr_db is None:
        yield Estimate(f"{one.against}_sqnr_db", "value", None, not_measured="outputs_are_equal")
    else:
        yield Estimate(f"{one.against}_sqnr_db", "value", one.sqnr_db, n_launches=1, n_samples=n)


def _estimate(name: str, statistic: str, found: Range, n: int) -> Estimate:
    if found.low == found.high:  # resamples that do not differ, as of one sample, say nothing of other samples
        return Estimate(name, statistic, found.point, n_launches=1, n_samples=n)
    return Estimate(name, statistic, found.point, found.low, found.high, CONFIDENCE, 1, n)
