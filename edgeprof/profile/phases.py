"""One process that has its model loaded and warm: it waits, runs and waits again, while something reads power."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from edgeprof.errors import DeviceError, TransportError
from edgeprof.power import FEWEST_UPDATES
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import child_request
from edgeprof.records import RunPlan
from edgeprof.remote import Board
from edgeprof.units import ns_to_seconds

_IDLE_S = 5.0
RUN_S = 10.0
# Four times the readings halve the error.
LONG_RUN_S = 4 * RUN_S
# A wait holds so many times the fewest readings that tell anything.
_ENOUGH = 1.3
# After a change of load the governor and the supply settle; those readings belong to neither side.
_SETTLE_S = 0.5
_WARM_UP_S = 1.0
# So little of the time need not be filled.
_LEFT_S = 0.1
# The latencies of these runs are not looked at: a few are kept.
_MOST_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Phases:
    """When what happened, on the board's monotonic clock, and how many runs it did."""

    idle_before_ns: tuple[int, int]
    run_ns: tuple[int, int]
    idle_after_ns: tuple[int, int]
    runs: int


# What a process does while something reads power, given board, cell, child and readings a second.
Course = Callable[[Board, LiveCell, int, float], Phases]


@contextmanager
def live_child(board: Board, cell: LiveCell) -> Iterator[int]:
    """Hold a process of the cell's that is warm."""
    agent, plan = board.agent, cell.cell.plan
    child = agent.open(child_request(board, cell.cell)).child
    agent.invoke_for(child, _WARM_UP_S, 1, plan.timeout_s, plan.rate_hz, most_samples=_MOST_SAMPLES)
    try:
        yield child
    finally:
        with suppress(DeviceError, TransportError):  # it is dead, or the way to it is gone: that is told already
            agent.close(child, acknowledged=True)


def run_phases(board: Board, cell: LiveCell, child: int, hz: float, run_s: float = RUN_S) -> Phases:
    """Wait, run for `run_s` and wait; the waits are long enough for what shows `hz` values a second."""
    plan, idle_s = cell.cell.plan, idle_seconds(hz)
    before = _idle(board, idle_s)
    run_ns, runs = _run(board, plan, child, run_s)
    return Phases(before, run_ns, _idle(board, idle_s), runs)


def run_long(board: Board, cell: LiveCell, child: int, hz: float) -> Phases:
    """Do as `run_phases`, for `LONG_RUN_S`."""
    return run_phases(board, cell, child, hz, LONG_RUN_S)


def run_only(board: Board, cell: LiveCell, child: int, hz: float) -> Phases:  # noqa: ARG001 - waits need the rate
    """Run, without waits that would tell what is above idle: they are empty."""
    plan = cell.cell.plan
    board.pause(_SETTLE_S)
    run_ns, runs = _run(board, plan, child, RUN_S)
    board.pause(_SETTLE_S)
    start_ns, end_ns = run_ns
    return Phases((start_ns, start_ns), run_ns, (end_ns, end_ns), runs)


def _run(board: Board, plan: RunPlan, child: int, run_s: float) -> tuple[tuple[int, int], int]:
    """Run for so long; return from when to when, and how often. Two million runs end a request."""
    limit_s = plan.timeout_s + run_s - RUN_S
    start_ns, end_ns, runs, left_s = 0, 0, 0, run_s
    while left_s > _LEFT_S:
        run = board.agent.invoke_for(child, left_s, 1, limit_s, plan.rate_hz, most_samples=_MOST_SAMPLES)
        start_ns = start_ns or run.started_monotonic_ns
        end_ns, runs = run.started_monotonic_ns + run.wall_time_ns, runs + run.count
        left_s = 0.0 if plan.rate_hz else run_s - ns_to_seconds(end_ns - start_ns)  # a rate asks for so many runs
    return (start_ns, end_ns), runs


def idle_seconds(hz: float) -> float:
    """Return how long each wait is."""
    return max(_IDLE_S, _ENOUGH * FEWEST_UPDATES / hz)


def whole_seconds(hz: float, run_s: float = RUN_S) -> float:
    """Return how long all of it takes."""
    return _WARM_UP_S + 2 * (_SETTLE_S + idle_seconds(hz)) + run_s


def _idle(board: Board, seconds: float) -> tuple[int, int]:
    """Wait with nobody asking anything of the board; return from when to when."""
    board.pause(_SETTLE_S)
    start_ns = board.agent.clock()
    board.pause(seconds)
    return start_ns, board.agent.clock()
