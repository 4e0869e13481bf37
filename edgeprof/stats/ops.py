"""Time by operator: what the profiler showed, laid into the latency that was measured without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeprof.records import OpProfile, OpTime, RawLaunch, RunPlan


@dataclass(frozen=True, slots=True)
class OpShare:
    """A row: an operator or kernel, or the rest.

    Attributes:
        op: What it is about; `None` for the rest: the runtime's own work, and what no operator accounts for.
        amount: Its part of a run in the plan's metric, or `None` where it has no time of its own.
        share_ratio: Its part of the whole, or `None` likewise.
    """

    op: OpTime | None
    amount: float | None
    share_ratio: float | None


@dataclass(frozen=True, slots=True)
class OpShares:
    """All rows of a cell; the shares of those that have one sum to 1.

    Attributes:
        rows: In the order in which they ran, the rest last.
        total: The median without the profiler, in the plan's metric.
        profiled: The median under the profiler.
        n_runs: Profiled runs.
        n_used: Those behind the figures: the middle half by latency.
        scale_ratio: What the operators' times were multiplied by to fit into `total`; 1 where they fit.
        method: `profiler`, or `submodels`: then `profiled` is the sum of all operators by themselves.
    """

    rows: tuple[OpShare, ...]
    total: float
    profiled: float
    n_runs: int
    n_used: int
    scale_ratio: float
    method: str = "profiler"

    @property
    def overhead_ratio(self) -> float:
        """Return what the profiler adds to a run, as a part of it."""
        return self.profiled / self.total - 1


def op_shares(profile: OpProfile, launches: Sequence[RawLaunch], plan: RunPlan) -> OpShares | None:
    """Return each operator's part of the unprofiled latency; `None` without launches.

    An operator's time is its mean over the runs between the quartiles of the profiled latency: means add up, and the
    slow runs stay out. What the profiler costs lies between operators, not inside them (docs/measurement.md), so
    their times stand as they are, and the rest is the unprofiled latency less their sum. Only where that cannot be
    (the profiled runs were faster than the others, or the operators alone take longer) they are scaled to fit.
    """
    if launches and profile.method == "submodels":
        return _of_submodels(profile, launches, plan)
    if not launches or not profile.latency_ns:
        return None
    total = float(np.median([np.median(launch.latency_ns) for launch in launches]))
    latency = np.asarray(profile.latency_ns, dtype=float)
    low, high = np.quantile(latency, (0.25, 0.75))
    used = (latency >= low) & (latency <= high)
    times = [float(np.asarray(op.runs_ns, dtype=float)[used].mean()) if op.runs_ns else None for op in profile.ops]
    known = sum(time for time in times if time is not None)
    scale = _scale(total, float(latency[used].mean()), known)
    rows = [_row(op, time, scale, total, plan) for op, time in zip(profile.ops, times, strict=True)]
    rest = _row(None, total - known * scale, 1.0, total, plan)
    profiled = plan.amount(float(np.median(latency)))
    return OpShares((*rows, rest), plan.amount(total), profiled, len(latency), int(used.sum()), scale)


def _of_submodels(profile: OpProfile, launches: Sequence[RawLaunch], plan: RunPlan) -> OpShares:
    """Return each operator's part from its own model: the median of its runs, less the runtime's part of a run."""
    total = float(np.median([np.median(launch.latency_ns) for launch in launches]))
    times = [max(0.0, float(np.median(op.runs_ns)) - profile.call_ns) if op.runs_ns else None for op in profile.ops]
    known = sum(time for time in times if time is not None)
    scale = min(1.0, total / known) if known else 1.0
    rows = [_row(op, time, scale, total, plan) for op, time in zip(profile.ops, times, strict=True)]
    rest = _row(None, total - known * scale, 1.0, total, plan)
    fewest = min((len(op.runs_ns) for op in profile.ops if op.runs_ns), default=0)
    return OpShares((*rows, rest), plan.amount(total), plan.amount(known), fewest, fewest, scale, "submodels")


def _scale(total: float, profiled: float, known: float) -> float:
    if profiled < total:
        return total / profiled
    return total / known if known > total else 1.0


def _row(op: OpTime | None, time: float | None, scale: float, total: float, plan: RunPlan) -> OpShare:
    if time is None:
        return OpShare(op, None, None)
    return OpShare(op, plan.amount(time * scale), time * scale / total)
