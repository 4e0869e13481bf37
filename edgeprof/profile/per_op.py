"""Time by operator: a process of its own under the runtime's profiler, for that slows every run down."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from statistics import median

from edgeprof.analysis import OpCost, read_costs
from edgeprof.analysis.graph import Operator, read_operators
from edgeprof.analysis.kernels import Seen, match_operators
from edgeprof.errors import ChildError, DeviceError, LinkLost
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell, child_request, int64s
from edgeprof.profile.submodels import by_submodels
from edgeprof.records import CLOCK_INSTRUCTIONS, OpProfile, OpTime, RunPlan
from edgeprof.remote import Board, OpEvent
from edgeprof.stats import op_shares
from edgeprof.units import ns_to_seconds, quantity

# As many runs as fit into a second, within these: their middle half is averaged.
_SECONDS = 1.0
_FEWEST_RUNS, _MOST_RUNS = 12, 100
_WARM_UP_RUNS = 10
# From here on what the profiler's clock may lose is a visible part of the whole.
_COARSE_RATIO = 0.1
# Operators scaled down by more than this are slowed by the profiler itself.
_DISTORTED_RATIO = 0.8


def measure_per_op(board: Board, cell: LiveCell, how: str = "profiler") -> None:
    """Put the time by operator into the run, or the reason why there is none.

    Args:
        board: Where.
        cell: Of which run.
        how: `profiler`, `submodels`, or `auto`: sub-models only where the runtime has no profiler.

    Raises:
        LinkLost: The way is gone.
        ModelError: The file cannot be read.
    """
    path = cell.run.artifact.path
    operators, costs = read_operators(path), read_costs(path).ops
    typical_ns = median(median(launch.latency_ns) for launch in cell.run.launches)
    try:
        profile = with_costs(_measured(board, cell, how, operators, typical_ns), costs)
    except ChildError as exc:
        cell.not_measured("ops", exc.code)
        cell.warn("per_op_failed", f"time by operator is not measured: {exc.message}")
        return
    cell.add_ops(profile)
    _doubts(cell, profile)


def _measured(board: Board, cell: LiveCell, how: str, operators: tuple[Operator, ...], typical_ns: float) -> OpProfile:
    if how == "submodels":
        return by_submodels(board, cell, operators)
    try:
        return _profiled(board, cell.cell, operators, typical_ns)
    except ChildError as exc:
        if how != "auto" or exc.code != "no_profiler":
            raise
        cell.warn("no_profiler", f"operators were measured as models of their own, for {exc.message}")
        return by_submodels(board, cell, operators)


def with_costs(profile: OpProfile, costs: Sequence[OpCost]) -> OpProfile:
    """Return the profile with what each operator that is known computes and moves."""

    def one(op: OpTime) -> OpTime:
        if op.node is None:
            return op
        cost = costs[op.node]
        return replace(
            op,
            macs=cost.macs,
            arithmetic=cost.arithmetic,
            weight_bytes=cost.weight_bytes,
            activation_bytes=cost.activation_bytes,
        )

    return replace(profile, ops=tuple(one(op) for op in profile.ops))


def _doubts(cell: LiveCell, profile: OpProfile) -> None:
    """Warn of what the profiler's own clock and cost do to the figures."""
    plan = cell.run.plan
    if profile.method != "profiler":
        return
    shares = op_shares(profile, cell.run.launches, plan)
    if shares is None:
        return
    # A clock of whole microseconds rounds each kernel down: what it loses is missing there and stands in the rest.
    lost = plan.amount(sum(op.resolution_ns for op in profile.ops if op.runs_ns and op.resolution_ns > 1))
    whole = quantity(plan.metric, shares.total)
    if lost > _COARSE_RATIO * shares.total:
        text = f"up to {quantity(plan.metric, lost)} of {whole} may stand in the rest instead of at their operators"
        cell.warn("coarse_profiler", f"the runtime's profiler counts whole microseconds, rounded down: {text}")
    if shares.scale_ratio < _DISTORTED_RATIO:
        taken = quantity(plan.metric, shares.total / shares.scale_ratio)
        text = f"under the profiler the operators alone take {taken}, a whole run without it {whole}"
        cell.warn("profiler_distorts", f"{text}: their shares are in part the profiler's own cost")


def _profiled(board: Board, cell: Cell, operators: tuple[Operator, ...], typical_ns: float) -> OpProfile:
    agent, plan = board.agent, cell.plan
    child = agent.open(child_request(board, cell, per_op=True)).child
    count = _runs(plan, typical_ns)
    try:
        agent.per_op(child, min(count, _WARM_UP_RUNS), plan.timeout_s)
        done = agent.per_op(child, count, plan.timeout_s)
        values = int64s(board, done)
    finally:
        with suppress(DeviceError, LinkLost):  # gone already, or with the link
            agent.close(child, acknowledged=True)
    rows = [values[start : start + count] for start in range(0, len(values), count)]
    # What lies inside a node is in that node's time already.
    shown = [(event, row) for event, row in zip(done.events, rows[1:], strict=True) if event.kind != "inner"]
    return OpProfile(_ops(operators, shown), rows[0])


def _runs(plan: RunPlan, typical_ns: float) -> int:
    if plan.clock == CLOCK_INSTRUCTIONS:
        return _FEWEST_RUNS
    affordable = int(_SECONDS / ns_to_seconds(max(1.0, typical_ns)))
    return max(_FEWEST_RUNS, min(_MOST_RUNS, affordable))


def _ops(operators: tuple[Operator, ...], shown: list[tuple[OpEvent, tuple[int, ...]]]) -> tuple[OpTime, ...]:
    nodes = match_operators(operators, [Seen(e.kind == "kernel", e.tag, e.index) for e, _ in shown])
    timed = [
        _op(event, row, None if node is None else operators[node])
        for (event, row), node in zip(shown, nodes, strict=True)
    ]
    silent = [operator for operator in operators if operator.index not in nodes]
    return (*timed, *(_silent(operator) for operator in silent))


def _op(event: OpEvent, runs_ns: tuple[int, ...], operator: Operator | None) -> OpTime:
    return OpTime(
        kernel=event.tag,
        delegated=event.kind == "kernel" or operator is None,
        node=operator.index if operator else None,
        op=operator.name if operator else None,
        shape=operator.shape if operator else None,
        dtype=operator.dtype if operator else None,
        resolution_ns=event.resolution_ns,
        runs_ns=runs_ns,
    )


def _silent(operator: Operator) -> OpTime:
    return OpTime(None, True, operator.index, operator.name, operator.shape, operator.dtype, 1, ())  # noqa: FBT003
