"""What a run says about a check."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgeprof.power import energy_per_inference
from edgeprof.records import RunResult
from edgeprof.stats import Compared
from edgeprof.stats.limits import against_base, against_limit
from edgeprof.units import NS_PER_S
from edgeprof.validate.baselines import Baseline
from edgeprof.validate.figures import OF_SAMPLES, Missing, delegated_ratio, late_quantiles, values
from edgeprof.validate.of_samples import evidence_of_samples
from edgeprof.validate.release import Check
from edgeprof.validate.verdicts import CONFIDENCE, FAIL, INCONCLUSIVE, Evidence, Verdict


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
    if check.figure.key in OF_SAMPLES:
        return evidence_of_samples(empty, run)
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
    return Evidence(empty.measured((low, value, high), len(got), sampled=not exact), test)


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
    return Evidence(empty.measured((low, value, high), len(got), sampled=not exact), test)


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
    return Evidence(empty.measured((low, value, high), len(got), sampled=not exact), test)


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
    return Evidence(empty.measured((low, uj, high), 1, sampled=True), test)


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
    return Evidence(empty.measured((found, found, found), 1), test)


_OTHERS = {"energy": _energy, "missed": _missed, "delegated": _delegated}


def _like(run: RunResult, baselines: Sequence[Baseline]) -> Baseline | None:
    """Return the baseline of a run: of the same model, recipe and device, and among those the one most like it."""
    about = (run.artifact.model, run.artifact.recipe, run.device)
    fitting = [base for base in baselines if (base.model, base.recipe, base.device) == about]
    return min(fitting, key=lambda base: len(base.differences(run)), default=None)


def _ends(test: Compared, limit: float) -> tuple[float | None, float | None]:
    half = test.half(CONFIDENCE)
    if half is None:
        return None, None
    return math.exp(test.mean - half) * limit, math.exp(test.mean + half) * limit
