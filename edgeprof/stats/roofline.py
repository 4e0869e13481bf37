"""Each operator against what the board reaches at most: bound by arithmetic or by memory, and how near.

Source: S. Williams, A. Waterman and D. Patterson (2009), "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 65-76. Here the ordinate is MACs a second, and bytes are
those that an operator reads and writes by its shapes, each once.
"""

from dataclasses import dataclass

import numpy as np

from edgeprof.records import ModelFacts, OpTime, PeakProbe, Peaks
from edgeprof.units import NS_PER_S

# Peaks are what the board reaches undisturbed: others' load only ever makes a run slower.
_FAST_QUANTILE = 0.05


@dataclass(frozen=True, slots=True)
class Roof:
    """The board's limits for one model.

    Attributes:
        macs_per_s: By arithmetic, as far as measured.
        bytes_per_s: Memory, moved in blocks as large as the model's working set.
        working_set_bytes: How large those were.
        beyond_bytes_per_s: Memory, moved in the largest blocks that were probed; `None` where those are no larger.
        beyond_bytes: How large those were, or `None`.
    """

    macs_per_s: dict[str, float]
    bytes_per_s: float | None
    working_set_bytes: int | None
    beyond_bytes_per_s: float | None
    beyond_bytes: int | None


@dataclass(frozen=True, slots=True)
class OpLimit:
    """An operator and its limit.

    Attributes:
        bound: `compute` or `memory`: which of the two takes longer at the board's peak; `None` where not known.
        limit_ns: How long it would take there at least.
        reached_ratio: That time over the measured one: 1 is the limit itself. Above 1, its data were nearer than
            `Roof.bytes_per_s` says, or the probes did not find the peak.
        reached_low_ratio: The same if the profiler's clock, which rounds down, lost a whole step.
        intensity: MACs for each byte, or `None` without MACs.
        macs_per_s: What it reached, or `None` without MACs.
        not_known: The reason code where there is no limit; else `None`.
    """

    bound: str | None = None
    limit_ns: float | None = None
    reached_ratio: float | None = None
    reached_low_ratio: float | None = None
    intensity: float | None = None
    macs_per_s: float | None = None
    not_known: str | None = None


def roof(peaks: Peaks, facts: ModelFacts | None) -> Roof:
    """Return the limits that hold for a model."""
    kinds = {probe.kind for probe in peaks.probes if probe.kind != "memory"}
    products = {kind: max(_rate(p) for p in peaks.probes if p.kind == kind) for kind in sorted(kinds)}
    sizes = sorted({p.size_bytes for p in peaks.probes if p.size_bytes is not None})
    if not sizes:
        return Roof(products, None, None, None, None)
    touched = facts.working_set_bytes if facts else 0
    own = next((size for size in sizes if size >= touched), sizes[-1])
    beyond = sizes[-1] if sizes[-1] > own else None
    return Roof(
        products, _moved(peaks, own), own, None if beyond is None else _moved(peaks, beyond), beyond
    )  # fmt: skip


def op_limit(op: OpTime, time_ns: float | None, above: Roof) -> OpLimit:
    """Return how near an operator comes to its limit.

    Args:
        op: The operator.
        time_ns: What it takes of a run, or `None` where it has no time of its own.
        above: The board's limits.
    """
    reason = _unknown(op, time_ns, above)
    if reason is not None:
        return OpLimit(not_known=reason)
    macs, moved = op.macs or 0, op.moved_bytes or 0
    compute_ns = macs / above.macs_per_s[op.arithmetic] * NS_PER_S if macs and op.arithmetic else 0.0
    memory_ns = moved / (above.bytes_per_s or 1) * NS_PER_S
    limit_ns, took_ns = max(compute_ns, memory_ns), time_ns or 0.0
    return OpLimit(
        bound="compute" if compute_ns >= memory_ns else "memory",
        limit_ns=limit_ns,
        reached_ratio=limit_ns / took_ns,
        reached_low_ratio=limit_ns / (took_ns + (op.resolution_ns if op.resolution_ns > 1 else 0)),
        intensity=macs / moved if macs and moved else None,
        macs_per_s=macs / took_ns * NS_PER_S if macs else None,
    )


def _unknown(op: OpTime, time_ns: float | None, above: Roof) -> str | None:
    if op.node is None:
        return "node_unknown"
    if not time_ns or time_ns < op.resolution_ns:
        return "no_time_of_its_own" if op.kernel is None else "too_short_for_the_profilers_clock"
    if op.macs is None or op.moved_bytes is None:
        return "shapes_do_not_say"
    if op.macs and op.arithmetic not in above.macs_per_s:
        return "no_peak_for_its_arithmetic"
    if above.bytes_per_s is None:
        return "memory_not_probed"
    return None if op.macs or op.moved_bytes else "moves_nothing"


def _moved(peaks: Peaks, size_bytes: int) -> float:
    return max(_rate(probe) for probe in peaks.probes if probe.size_bytes == size_bytes)


def _rate(probe: PeakProbe) -> float:
    return probe.amount / float(np.quantile(probe.runs_ns, _FAST_QUANTILE)) * NS_PER_S
