"""Each operator against what the board reaches at most: bound by arithmetic or by memory, and how near.

Source: S. Williams, A. Waterman and D. Patterson (2009), "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 65-76. Here the ordinate is MACs a second, and bytes are
those that an operator reads and writes by its shapes, each once.
"""

from dataclasses import dataclass

import numpy as np

from edgeprof.records import Cache, ModelFacts, OpTime, PeakProbe, Peaks
from edgeprof.units import NS_PER_S

# Peaks are what the board reaches undisturbed: others' load only ever makes a run slower.
_FAST_QUANTILE = 0.05
# Where data lie that no cache holds which the board names.
MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class CacheRoof:
    """A cache, and how fast it is.

    Attributes:
        name: `L1d`, `L2`, `L3`.
        size_bytes: How much it holds.
        bytes_per_s: Moved in the largest blocks that fill half of it or less, and no nearer cache; `None` where none
            were probed.
    """

    name: str
    size_bytes: int
    bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class Roof:
    """The board's limits for one model.

    Attributes:
        macs_per_s: By arithmetic, as far as measured.
        bytes_per_s: Memory, moved in blocks as large as the model's working set.
        working_set_bytes: How large those were.
        beyond_bytes_per_s: Memory, moved in the largest blocks that were probed; `None` where those are no larger.
        beyond_bytes: How large those were, or `None`.
        caches: Of each core, the nearest first; empty where the board does not say.
        working_set_in: The nearest cache that holds the model's working set, or `memory`; `None` where the board does
            not say its caches.
        beyond_in: The same of the largest blocks.
    """

    macs_per_s: dict[str, float]
    bytes_per_s: float | None
    working_set_bytes: int | None
    beyond_bytes_per_s: float | None
    beyond_bytes: int | None
    caches: tuple[CacheRoof, ...] = ()
    working_set_in: str | None = None
    beyond_in: str | None = None


@dataclass(frozen=True, slots=True)
class OpLimit:
    """An operator and its limit.

    Attributes:
        bound: `compute` or `memory`: which of the two takes longer at the board's peak; `None` where not known.
        place: Whose rate its bytes are held against, by their larger part: a cache's (`L2`, `L3`) or `memory`'s;
            `None` where the board does not say its caches.
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
    place: str | None = None


def roof(peaks: Peaks, facts: ModelFacts | None) -> Roof:
    """Return the limits that hold for a model."""
    kinds = {probe.kind for probe in peaks.probes if probe.kind != "memory"}
    products = {kind: max(_rate(p) for p in peaks.probes if p.kind == kind) for kind in sorted(kinds)}
    sizes = sorted({p.size_bytes for p in peaks.probes if p.size_bytes is not None})
    caches = _cache_roofs(peaks, sizes)
    if not sizes:
        return Roof(products, None, None, None, None, caches)
    touched = facts.working_set_bytes if facts else 0
    own = next((size for size in sizes if size >= touched), sizes[-1])
    beyond = sizes[-1] if sizes[-1] > own else None
    return Roof(
        products,
        _moved(peaks, own),
        own,
        None if beyond is None else _moved(peaks, beyond),
        beyond,
        caches,
        _place(peaks.caches, touched),
        None if beyond is None else _place(peaks.caches, beyond),
    )


def _cache_roofs(peaks: Peaks, sizes: list[int]) -> tuple[CacheRoof, ...]:
    found, nearer = [], 0
    for cache in peaks.caches:
        fitting = [size for size in sizes if nearer < size <= cache.size_bytes // 2]
        found.append(CacheRoof(cache.name, cache.size_bytes, _moved(peaks, fitting[-1]) if fitting else None))
        nearer = cache.size_bytes
    return tuple(found)


def _place(caches: tuple[Cache, ...], size_bytes: int) -> str | None:
    """Return the nearest cache that holds so much, or `memory`; `None` where no cache is known."""
    if not caches:
        return None
    return next((cache.name for cache in caches if cache.size_bytes >= size_bytes), MEMORY)


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
    memory_ns, place = _moving(op, above)
    limit_ns, took_ns = max(compute_ns, memory_ns), time_ns or 0.0
    return OpLimit(
        bound="compute" if compute_ns >= memory_ns else "memory",
        limit_ns=limit_ns,
        reached_ratio=limit_ns / took_ns,
        reached_low_ratio=limit_ns / (took_ns + (op.resolution_ns if op.resolution_ns > 1 else 0)),
        intensity=macs / moved if macs and moved else None,
        macs_per_s=macs / took_ns * NS_PER_S if macs else None,
        place=place,
    )


def _moving(op: OpTime, above: Roof) -> tuple[float, str | None]:
    """Return how long an operator's bytes take at least, and where the larger part of that goes.

    Weights are read once in a run: before the next, the rest of the model has passed through the caches, so they come
    from where the whole working set lies. What it reads and writes besides may be as near as all of its own fits.
    """
    rate, place = above.bytes_per_s or 1.0, above.working_set_in
    near_rate, near = _nearest(op.moved_bytes or 0, above, rate)
    weights_ns = (op.weight_bytes or 0) / rate * NS_PER_S
    activations_ns = (op.activation_bytes or 0) / near_rate * NS_PER_S
    return weights_ns + activations_ns, place if weights_ns > activations_ns else near


def _nearest(moved_bytes: int, above: Roof, rate: float) -> tuple[float, str | None]:
    """Return the rate of the nearest cache that was probed and holds so much, or the model's where none is faster."""
    for cache in above.caches:
        if cache.size_bytes >= moved_bytes and (cache.bytes_per_s or 0.0) > rate:
            return cache.bytes_per_s or rate, cache.name
    return rate, above.working_set_in


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
