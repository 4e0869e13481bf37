"""From a run and a check to a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeprof.errors import EdgeprofError
from edgeprof.power import energy_per_inference
from edgeprof.records import RunResult
from edgeprof.stats import Compared, decide
from edgeprof.stats.comparisons import Decidable
from edgeprof.stats.limits import Drop, Share, against_base, against_limit
from edgeprof.stats.paired import float_hits_lost
from edgeprof.units import NS_PER_S, quantity
from edgeprof.validate.baselines import Baseline
from edgeprof.validate.figures import Missing, delegated_ratio, late_quantiles, values
from edgeprof.validate.release import Check

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
# The chance that any verdict of a whole gate is wrong; each of its two stages has half of it.
ERROR = 0.01
STAGES = 2
CONFIDENCE = 1 - ERROR / STAGES
_Range = tuple[float | None, float, float | None]
_MEANING = {"less": PASS, "more": FAIL, "same": PASS, "inconclusive": INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a check.

    Attributes:
        check: The check.
        verdict: `pass`, `fail` or `inconclusive`.
        metric: What `value` is in: the figure's metric, or `ratio` to a baseline.
        value: The figure, or `None` where it was not measured.
        low: Lower end of its interval, or `None`.
        high: Upper end.
        limit: What it was held against, in `metric`; `None` where there is nothing to hold it against.
        confidence: Of the interval.
        n: Launches, processes or samples behind it.
        run_id: The run, or `None` where there is none.
        reason: Why it was not measured or not compared, or `None`.
        sampled: Fresh launches could tell more.
        warnings: Codes of what may spoil the figure.
        first: What the first measurement said, where there was a second.
    """

    check: Check
    verdict: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    confidence: float = CONFIDENCE
    n: int = 0
    run_id: str | None = None
    reason: str | None = None
    sampled: bool = False
    warnings: tuple[str, ...] = ()
    first: "Verdict | None" = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """A whole gate.

    Attributes:
        verdicts: One a check, in their order.
        runs: Every run that was measured, of both stages.
        errors: What went wrong while measuring.
    """

    verdicts: tuple[Verdict, ...]
    runs: tuple[RunResult, ...]
    errors: tuple[EdgeprofError, ...]

    def verdict(self, inconclusive: str) -> str:
        """Return the whole's verdict.

        Args:
            inconclusive: `fail` or `pass`: what an undecided check counts as. One that was not measured never passes.
        """
        found = {self._counts_as(one, inconclusive) for one in self.verdicts}
        return next((kind for kind in (FAIL, INCONCLUSIVE) if kind in found), PASS)

    @staticmethod
    def _counts_as(one: Verdict, inconclusive: str) -> str:
        open_ = one.verdict == INCONCLUSIVE and one.value is not None
        return inconclusive if open_ and inconclusive in (PASS, FAIL) else one.verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """A check with what was measured for it, before anybody asked how many other checks there are."""

    verdict: Verdict
    test: Decidable | None


def judge(found: Sequence[Evidence]) -> list[Verdict]:
    """Return the verdicts of one stage; together they are wrong with a chance of at most `ERROR / STAGES` (Holm)."""
    decided = decide([evidence.test for evidence in found], CONFIDENCE)
    return [
        evidence.verdict if evidence.test is None else replace(evidence.verdict, verdict=_MEANING[verdict])
        for evidence, verdict in zip(found, decided, strict=True)
    ]


def gather_evidence(
    check: Check, run: RunResult | None, baselines: Sequence[Baseline], older: RunResult | None = None
) -> Evidence:
    """Return what a run says about a check.

    Args:
        check: The check.
        run: The run that was measured for it; `None` where measuring failed.
        baselines: Those of the check's file.
        older: The run of the older build that took turns with it, where the check names one.
    """
    empty = Verdict(check, INCONCLUSIVE, check.figure.metric, limit=check.limit)
    if run is None:
        return Evidence(replace(empty, reason="failed: no run"), None)
    spoilt = tuple(dict.fromkeys(w.code for w in run.warnings if _metric(check) in w.spoils))
    empty = replace(empty, run_id=run.run_id, warnings=spoilt)
    if run.golden is not None and not run.golden.passed and check.figure.key != "size":
        wrong = "the outputs differ from the host's: the board computes something else"
        return Evidence(replace(empty, verdict=FAIL, reason=wrong), None)
    if check.figure.key in ("top1", "drop"):
        return _accuracy(empty, run)
    if check.figure.key in _OTHERS:
        return _OTHERS[check.figure.key](empty, run)
    got = values(run, check.figure)
    if isinstance(got, Missing):
        return Evidence(replace(empty, reason=got.reason), None)
    if check.limit is not None:
        return _budget(empty, got)
    return _no_worse(empty, got, run, baselines) if check.older is None else _no_worse_in_turns(empty, got, older)


def _metric(check: Check) -> str:
    return "latency_ns" if check.figure.key == "start_up" else check.figure.metric


def _budget(empty: Verdict, got: tuple[float, ...]) -> Evidence:
    exact = empty.check.figure.key == "size"
    limit = empty.limit or 0.0
    test = against_limit(got, limit, exact=exact)
    value = float(np.median(got))
    low, high = (value, value) if exact else _ends(test, limit)
    return Evidence(_filled(empty, (low, value, high), len(got), sampled=not exact), test)


def _no_worse(empty: Verdict, got: tuple[float, ...], run: RunResult, baselines: Sequence[Baseline]) -> Evidence:
    check = empty.check
    base = _like(run, baselines)
    if base is None:
        said = f"no baseline of {run.artifact.model} {run.artifact.recipe} on {run.device} in `{check.baseline}`"
        return Evidence(replace(empty, metric="ratio", reason=said), None)
    changed = base.differences(run)
    if changed:
        said = "; ".join(f"{c.name} was {c.base}, is {c.other}" for c in changed)
        return Evidence(replace(empty, metric="ratio", reason=f"not comparable with the baseline: {said}"), None)
    before = base.figures.get(check.figure.key)
    if not before:
        return Evidence(replace(empty, metric="ratio", reason=f"the baseline holds no {check.figure.key}"), None)
    # A percentage counts only past an absolute floor.
    allowed = max(check.worse_ratio, check.worse_by / float(np.median(before)))
    exact = check.figure.key == "size"
    test = against_limit([got[0] / before[0]], 1 + allowed, exact=True) if exact else against_base(got, before, allowed)
    value = math.exp(test.mean) * (1 + allowed)
    empty = replace(empty, metric="ratio", limit=1 + allowed)
    low, high = (value, value) if exact else _ends(test, 1 + allowed)
    return Evidence(_filled(empty, (low, value, high), len(got), sampled=not exact), test)


def _no_worse_in_turns(empty: Verdict, got: tuple[float, ...], older: RunResult | None) -> Evidence:
    """Hold a run against the older build's: launch by launch where the two took turns, else by Welch's t."""
    empty = replace(empty, metric="ratio")
    if older is None or older.status != "complete" or (older.golden is not None and not older.golden.passed):
        text = "the older build did not run, or its outputs differ from the host's"
        return Evidence(replace(empty, reason=text), None)
    before = values(older, empty.check.figure)
    if isinstance(before, Missing):
        return Evidence(replace(empty, reason=before.reason), None)
    allowed = max(empty.check.worse_ratio, empty.check.worse_by / float(np.median(before)))
    exact = empty.check.figure.key == "size"
    if empty.check.figure.key == "peak_rss" or len(before) != len(got):
        test = against_base(got, before, allowed)
    else:
        test = against_limit([new / old for new, old in zip(got, before, strict=True)], 1 + allowed, exact=exact)
    value = math.exp(test.mean) * (1 + allowed)
    empty = replace(empty, limit=1 + allowed)
    low, high = (value, value) if exact else _ends(test, 1 + allowed)
    return Evidence(_filled(empty, (low, value, high), len(got), sampled=not exact), test)


def _agreement(empty: Verdict, run: RunResult) -> Evidence:
    """Hold the share of samples on which the board and the float model give the same class against its floor."""
    found = [one for evaluation in run.evaluations[:1] for one in evaluation.agreements]
    one = next((one for one in found if one.against == "float_model"), None)
    if one is None or one.n_agreed is None:
        return Evidence(replace(empty, reason="no_float_model"), None)
    share = Share(one.n_agreed, one.n_samples, empty.limit or 0.0)
    low, high = share.interval(CONFIDENCE)
    return Evidence(_filled(empty, (low, one.n_agreed / one.n_samples, high), one.n_samples), share)


def _energy(empty: Verdict, run: RunResult) -> Evidence:
    """Hold the energy of an inference against its limit, as far as the readings of one window tell."""
    if run.power is None:
        return Evidence(replace(empty, reason=dict(run.not_measured).get(empty.metric, "not_reached")), None)
    found = energy_per_inference(run.power)
    if isinstance(found, str):
        return Evidence(replace(empty, reason=found), None)
    uj, error_ratio, freedom = found
    limit = empty.limit or 1.0
    test = Compared(math.log(uj / limit), error_ratio, 1, 1, 0.0, freedom)
    low, high = _ends(test, limit)
    return Evidence(_filled(empty, (low, uj, high), 1, sampled=True), test)


def _missed(empty: Verdict, run: RunResult) -> Evidence:
    """Hold the latency that as large a share as may be late exceeds against the time between two runs."""
    share, rate_hz = empty.limit or 0.0, run.plan.rate_hz
    got = late_quantiles(run, share)
    if rate_hz is None:
        return Evidence(replace(empty, limit=None, reason="no_rate"), None)
    if isinstance(got, Missing):
        return Evidence(replace(empty, limit=None, reason=got.reason), None)
    return _budget(replace(empty, limit=NS_PER_S / rate_hz), got)


def _delegated(empty: Verdict, run: RunResult) -> Evidence:
    found = delegated_ratio(run)
    if isinstance(found, Missing):
        return Evidence(replace(empty, reason=found.reason), None)
    limit = empty.limit or 0.0
    test = Compared(-1.0 if found >= limit else 1.0, 0.0, 1, 1, 0.0, 0)
    return Evidence(_filled(empty, (found, found, found), 1), test)


_OTHERS = {"agreement": _agreement, "energy": _energy, "missed": _missed, "delegated": _delegated}


def _like(run: RunResult, baselines: Sequence[Baseline]) -> Baseline | None:
    """Return the baseline of a run: of the same model, recipe and device, and among those the one most like it."""
    about = (run.artifact.model, run.artifact.recipe, run.device)
    fitting = [base for base in baselines if (base.model, base.recipe, base.device) == about]
    return min(fitting, key=lambda base: len(base.differences(run)), default=None)


def _accuracy(empty: Verdict, run: RunResult) -> Evidence:
    leaked = next((found.text for found in run.warnings if found.code == "leaked_eval_data"), None)
    if leaked is not None:
        return Evidence(replace(empty, verdict=FAIL, reason=leaked), None)
    evaluation = next(iter(run.evaluations), None)
    if evaluation is None:
        return Evidence(replace(empty, reason=dict(run.not_measured).get("top1_ratio", "not_reached")), None)
    top1 = next((score for score in evaluation.scores if score.name == "top1_ratio"), None)
    if top1 is None:
        return Evidence(replace(empty, reason="no_classes: the labels are no class numbers"), None)
    n, limit = evaluation.n_samples, empty.limit or 0.0
    if empty.check.figure.key == "top1":
        share = Share(round(top1.point * n), n, limit)
        low, high = share.interval(CONFIDENCE)
        return Evidence(_filled(empty, (low, top1.point, high), n), share)
    pairs = float_hits_lost(top1)
    if pairs is None:
        return Evidence(replace(empty, reason="no_float_model"), None)
    drop = Drop(pairs, limit)
    low, high = drop.interval(CONFIDENCE)
    return Evidence(_filled(empty, (low, drop.points, high), n), drop)


def _filled(
    empty: Verdict, range_: tuple[float | None, float, float | None], n: int, *, sampled: bool = False
) -> Verdict:
    low, value, high = range_
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)
    return replace(empty, low=low, value=value, high=high, n=n, sampled=sampled)


def _ends(test: Compared, limit: float) -> tuple[float | None, float | None]:
    half = test.half(CONFIDENCE)
    if half is None:
        return None, None
    return math.exp(test.mean - half) * limit, math.exp(test.mean + half) * limit


def shown(verdict: Verdict, number: float | None) -> str:
    """Return a number of a verdict for people, in its unit; a ratio as the change it is."""
    if number is None:
        return ""
    if verdict.metric == "ratio":
        return f"{round((number - 1) * 100, 1) + 0.0:+.1f} %".replace("-", "−")  # + 0.0: no −0.0
    return quantity(verdict.metric, number)
