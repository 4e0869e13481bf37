"""Why a quantised model is slower than its float model here, or gains little: reasons that the measurements show.

Nothing is guessed: each reason names what was measured, and where no measurement shows one, there is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp

from edgeprof import units
from edgeprof.analysis import BORDER_OPS
from edgeprof.records import CLOCK_WALL, OpTime, RunResult
from edgeprof.stats import OpShare, compare, op_shares
from edgeprof.stats.comparisons import CONFIDENCE
from edgeprof.stats.roofline import op_limit, roof

SLOWER, GAINS_LITTLE = "slower", "gains_little"
# A gain below half of what the products alone would give asks for a reason.
_EXPECTED_PART = 0.5
# Parts of a run that are worth naming.
_VISIBLE, _LARGE = 0.10, 0.25
# Operators this far below their limit are slow in themselves, not for want of arithmetic or memory.
_FAR_BELOW = 0.05
_SLOWER_PRODUCTS = 0.95
_MOST_NAMES = 3
_DOT_PRODUCTS = {
    "aarch64": ("asimddp", "i8mm"),
    "armv8l": ("asimddp", "i8mm"),
    "armv7l": ("asimddp", "i8mm"),
    "x86_64": ("avx_vnni", "avx512_vnni", "amx_int8"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was measured and costs the quantised model time.

    Attributes:
        code: Such as `not_delegated`.
        text: A clause that goes on from "because".
    """

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A quantised run that loses against the float run it took turns with, or gains little.

    Attributes:
        base: The float run.
        other: The quantised one.
        kind: `slower`, or `gains_little`.
        ratio: Its latency over the float's.
        expected_ratio: What the board's peaks for its products would allow, or `None` where they were not measured.
        reasons: What was found, the weightiest first; may be empty.
    """

    base: RunResult
    other: RunResult
    kind: str
    ratio: float
    expected_ratio: float | None
    reasons: tuple[Reason, ...]


def findings(runs: Sequence[RunResult]) -> tuple[Finding, ...]:
    """Return what there is to say of each quantised run beside the float run of its model that it took turns with."""
    pairs = [pair for a, b in combinations(runs, 2) if (pair := _pair(a, b)) is not None]
    return tuple(found for base, other in pairs if (found := _finding(base, other)) is not None)


def _pair(a: RunResult, b: RunResult) -> tuple[RunResult, RunResult] | None:
    """Return a float run and the quantised one of the same model, measured in turns under the same plan."""
    if a.facts is None or b.facts is None or a.facts.quantised == b.facts.quantised:
        return None
    same_model = a.artifact.model == b.artifact.model or 0 < a.facts.macs == b.facts.macs
    same_turns = a.group is not None and (a.group, a.plan) == (b.group, b.plan)
    if not (same_model and same_turns and a.plan.clock == CLOCK_WALL):
        return None
    return (b, a) if a.facts.quantised else (a, b)


def _finding(base: RunResult, other: RunResult) -> Finding | None:
    found = compare(base.launches, other.launches, len(other.plan.looks))
    half = None if found is None else found.half(CONFIDENCE)
    if found is None or half is None:
        return None
    low, ratio = exp(found.mean - half), exp(found.mean)
    expected = _expected(other)
    if low > 1:
        kind = SLOWER
    elif expected is not None and expected < 1 and low > 1 - _EXPECTED_PART * (1 - expected):
        kind = GAINS_LITTLE
    else:
        return None
    reasons = [reason for find in _FINDERS for reason in find(base, other)]
    return Finding(base, other, kind, ratio, expected, tuple(reasons))


def _expected(other: RunResult) -> float | None:
    """Return the ratio of latencies that the peaks of int8 and float products alone would give."""
    rates = {} if other.peaks is None else roof(other.peaks, other.facts).macs_per_s
    return rates["float32"] / rates["int8"] if {"float32", "int8"} <= set(rates) else None


def _not_delegated(base: RunResult, other: RunResult) -> list[Reason]:
    if base.runtime is None or other.runtime is None:
        return []
    if base.runtime.delegate == "xnnpack" and other.runtime.delegate == "none":
        who = f"{other.runtime.name} {other.runtime.version}"
        text = f"{who} runs none of its operators in XNNPACK, as it does the float model's, but in kernels of its own"
        return [Reason("not_delegated", text)]
    outside = [row for row in _timed(other) if row.op is not None and not row.op.delegated]
    if other.runtime.delegate == "xnnpack" and _sum(outside) > _LARGE:
        return [
            Reason(
                "partly_delegated", f"{_part(outside)} is in operators that XNNPACK did not take ({_names(outside)})"
            )
        ]
    return []


def _slow_products(_base: RunResult, other: RunResult) -> list[Reason]:
    expected = _expected(other)
    if expected is None or other.peaks is None or expected < _SLOWER_PRODUCTS:
        return []
    rates = roof(other.peaks, other.facts).macs_per_s
    whole, parts = (f"{units.count(rates[kind])}MAC/s" for kind in ("int8", "float32"))
    return [Reason("slow_products", f"products in int8 reach {whole} through this runtime here, in float {parts}")]


def _no_dot_product(_base: RunResult, other: RunResult) -> list[Reason]:
    facts = dict(other.environment)
    wanted = _DOT_PRODUCTS.get(facts.get("machine", ""))
    if wanted is None or "isa" not in facts or set(wanted) & set(facts["isa"].split()):
        return []
    return [Reason("no_dot_product", f"the processor has no instruction for products of 8 bits ({', '.join(wanted)})")]


def _borders(_base: RunResult, other: RunResult) -> list[Reason]:
    rows = [row for row in _timed(other) if row.op is not None and row.op.op in BORDER_OPS]
    if _sum(rows) <= _VISIBLE:
        return []
    return [Reason("borders", f"{_part(rows)} goes into turning floats into integers and back ({_names(rows)})")]


def _floats_left(_base: RunResult, other: RunResult) -> list[Reason]:
    left = set(other.facts.float_ops if other.facts else ())
    rows = [row for row in _timed(other) if row.op is not None and _is_float(row.op, left)]
    if _sum(rows) > _VISIBLE:
        return [Reason("floats_left", f"{_part(rows)} is in operators that still compute floats ({_names(rows)})")]
    return []


def _slow_kernels(_base: RunResult, other: RunResult) -> list[Reason]:
    """Name operators whose kernels are far below what arithmetic and memory allow."""
    if other.peaks is None:
        return []
    above = roof(other.peaks, other.facts)
    limits = [(row, op_limit(row.op, row.amount, above)) for row in _timed(other) if row.op is not None]
    rows = [row for row, limit in limits if limit.reached_ratio is not None and limit.reached_ratio < _FAR_BELOW]
    if _sum(rows) <= _LARGE:
        return []
    below = f"reach less than {units.percent(_FAR_BELOW)} of what the board allows"
    return [Reason("slow_kernels", f"{_part(rows)} is in operators that {below} ({_names(rows)})")]


def _overhead(_base: RunResult, other: RunResult) -> list[Reason]:
    rest = [row for row in _timed(other) if row.op is None]
    if _sum(rest) <= _LARGE:
        return []
    return [Reason("overhead", f"the model is small: {_part(rest)} is outside any operator")]


_FINDERS: tuple[Callable[[RunResult, RunResult], list[Reason]], ...] = (
    _not_delegated,
    _slow_products,
    _slow_kernels,
    _borders,
    _floats_left,
    _overhead,
    _no_dot_product,
)


def _timed(run: RunResult) -> list[OpShare]:
    found = None if run.op_profile is None else op_shares(run.op_profile, run.launches, run.plan)
    return [] if found is None else [row for row in found.rows if row.share_ratio is not None]


def _is_float(op: OpTime, names: set[str]) -> bool:
    return op.op in names and (op.dtype or "").startswith("float")


def _sum(rows: Sequence[OpShare]) -> float:
    return sum(row.share_ratio or 0.0 for row in rows)


def _part(rows: Sequence[OpShare]) -> str:
    return f"{units.percent(_sum(rows))} of its time"


def _names(rows: Sequence[OpShare]) -> str:
    """Return the kinds of operators, the costliest first."""
    costs: dict[str, float] = {}
    for row in rows:
        name = (row.op.op or row.op.kernel or "") if row.op else ""
        costs[name] = costs.get(name, 0.0) + (row.share_ratio or 0.0)
    ordered = sorted(costs, key=lambda name: -costs[name])
    more = f" and {len(ordered) - _MOST_NAMES} others" if len(ordered) > _MOST_NAMES else ""
    return ", ".join(ordered[:_MOST_NAMES]) + more
