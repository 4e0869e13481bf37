"""What a run says about a check of accuracy or agreement on an evaluation set."""

from dataclasses import replace

from edgeprof.records import RunResult
from edgeprof.scores import HIGHER, HITS, Evaluation, Score
from edgeprof.stats.limits import Drop, Level, Share
from edgeprof.stats.packed import unpack
from edgeprof.stats.paired import float_hits_lost, float_losses, loss, score_range
from edgeprof.validate.figures import OF_LABELS
from edgeprof.validate.verdicts import CONFIDENCE, FAIL, Evidence, Verdict

_POINTS = 100.0


def evidence_of_samples(empty: Verdict, run: RunResult) -> Evidence:
    """Return what a run says about a check of `figures.OF_SAMPLES`.

    Whatever goes by labels fails on samples that the model has seen: of any set, for the sets are one build's evidence.
    """
    key, data = empty.check.figure.key, empty.check.data
    leaked = next((found.text for found in run.warnings if found.code == "leaked_eval_data"), None)
    if leaked is not None and key in OF_LABELS:
        return Evidence(replace(empty, verdict=FAIL, reason=leaked), None)
    evaluation = next((one for one in run.evaluations if data in (None, one.data)), None)
    if evaluation is None:
        return Evidence(replace(empty, reason=dict(run.not_measured).get("top1_ratio", "not_reached")), None)
    if key == "agreement":
        return _agreement(empty, evaluation)
    score = next((one for one in evaluation.scores if one.name == empty.metric or key in ("score", "drop")), None)
    if score is None:
        return Evidence(replace(empty, reason=_lacking(key, evaluation)), None)
    return _drop(empty, score, evaluation.n_samples) if key == "drop" else _level(empty, score, evaluation.n_samples)


def _lacking(key: str, evaluation: Evaluation) -> str:
    if key in ("top1", "drop") and not evaluation.scores:
        return "no_classes: the labels are no class numbers"
    had = ", ".join(score.name.removesuffix("_ratio") for score in evaluation.scores) or "no labels"
    return f'`{evaluation.data}` has {had}, no {key}: add metric = "{key}" to the artifact'


def _agreement(empty: Verdict, evaluation: Evaluation) -> Evidence:
    """Hold the share of samples on which the board and the float model give the same class against its floor."""
    one = next((one for one in evaluation.agreements if one.against == "float_model"), None)
    if one is None or one.n_agreed is None:
        return Evidence(replace(empty, reason="no_float_model"), None)
    share = Share(one.n_agreed, one.n_samples, empty.limit or 0.0)
    low, high = share.interval(CONFIDENCE)
    return Evidence(empty.measured((low, one.n_agreed / one.n_samples, high), one.n_samples), share)


def _level(empty: Verdict, score: Score, n: int) -> Evidence:
    """Hold a score against its limit: exactly where it is a share of samples, else by its resamples."""
    limit = empty.limit or 0.0
    if score.kind == HITS:
        share = Share(round(score.point * n), n, limit)
        low, high = share.interval(CONFIDENCE)
        return Evidence(empty.measured((low, score.point, high), n), share)
    figure = replace(empty.check.figure, metric=score.name, floor=score.better == HIGHER)
    empty = replace(empty, check=replace(empty.check, figure=figure), metric=score.name)
    sign = -1.0 if figure.floor else 1.0
    level = Level(sign * (score.point - limit), sign * (unpack(score.values) - limit))
    found = score_range(score, CONFIDENCE)
    return Evidence(empty.measured((found.low, found.point, found.high), n), level)


def _drop(empty: Verdict, score: Score, n: int) -> Evidence:
    """Hold the headline's loss against the float model, on the same samples, against the most allowed."""
    limit, lost = empty.limit or 0.0, float_losses(score)
    if lost is None:
        return Evidence(replace(empty, reason="no_float_model"), None)
    if not score.name.endswith("_ratio"):
        return Evidence(replace(empty, reason=f"{score.name} is no share: it has no loss in points"), None)
    pairs, found = float_hits_lost(score), loss(score, CONFIDENCE)
    if pairs is not None:
        drop = Drop(pairs, limit)
        low, high = drop.interval(CONFIDENCE)
        return Evidence(empty.measured((low, drop.points, high), n), drop)
    if found is None:
        return Evidence(replace(empty, reason="no_float_model"), None)
    low, points, high = (_POINTS * end for end in (found.worse.low, found.worse.point, found.worse.high))
    return Evidence(empty.measured((low, points, high), n), Level(points - limit, _POINTS * lost - limit))
