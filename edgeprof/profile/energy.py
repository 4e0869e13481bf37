"""Power while a model runs: one process that waits with its model loaded, runs for ten seconds, and waits again."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edgeprof.boards import BoardFacts
from edgeprof.errors import ChildError, DeviceError
from edgeprof.power import METRICS, Supply, choose, microwatts, power_estimates, supplies
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import child_request
from edgeprof.records import CLOCK_WALL, PowerTrace
from edgeprof.remote import Board, InvokeTimed
from edgeprof.units import percent

_IDLE_S = 5.0
_RUN_S = 10.0
# After a change of load the governor and the supply settle; those readings belong to neither side.
_SETTLE_S = 0.5
_WARM_UP_S = 1.0
# The latencies of these runs are not looked at: a few are kept.
_MOST_SAMPLES = 64

# Reading a sensor ought to take less of a core than this.
_MUCH_RATIO = 0.05

_HINTS = {
    "no_such_rail": "the board has no rail `{asked}`; it has {rails}",
    "several_rails": "the board has several rails and none is known to feed the others; name one: `--rail`, of {rails}",
    "permission_denied": "this login may not read {rails}; `sudo chmod a+r` on its files in /sys, or another login",
}


def measure_power(
    board: Board, cell: LiveCell, facts: BoardFacts, rail: str | None, say: Callable[[str], None]
) -> PowerTrace | None:
    """Return what the board's rail took, or put the reason why there is none into the run.

    Raises:
        ChildError: The process died or ran too long.
        LinkLost: The way is gone.
    """
    if cell.run.plan.clock != CLOCK_WALL:
        cell.not_measured(METRICS[0], "clock_counts_instructions")
        return None
    supply = choose(facts.power_sensors, rail)
    if isinstance(supply, str):
        cell.not_measured(METRICS[0], supply)
        if supply in _HINTS:
            named = ", ".join(f"`{found.name}`" for found in supplies(facts.power_sensors))
            cell.warn("energy_not_measured", _HINTS[supply].format(asked=rail, rails=named))
        return None
    say(f"power of {supply.name}, {_WARM_UP_S + 2 * _IDLE_S + _RUN_S:.0f} s")
    trace = _traced(board, cell, supply)
    if trace is None:
        cell.not_measured(METRICS[0], "sampler_failed")
        return None
    _doubt(cell, trace)
    return trace


def _traced(board: Board, cell: LiveCell, supply: Supply) -> PowerTrace | None:
    agent, plan = board.agent, cell.cell.plan
    child = agent.open(child_request(board, cell.cell))
    agent.invoke_for(child.child, _WARM_UP_S, 1, plan.timeout_s, plan.rate_hz, most_samples=_MOST_SAMPLES)
    try:
        sampler = agent.sampler_start(supply.hz, supply.index)
    except DeviceError:
        with suppress(ChildError):
            agent.close(child.child, acknowledged=True)
        return None
    before = _idle(board)
    run = agent.invoke_for(child.child, _RUN_S, 1, plan.timeout_s, plan.rate_hz, most_samples=_MOST_SAMPLES)
    after = _idle(board)
    agent.close(child.child, acknowledged=True)
    left = agent.sampler_stop(sampler)
    lines = _lines(board.pull(left.file, left.sha256))
    return _trace(lines, supply, before, run, after) if len(lines) > 1 else None


def _idle(board: Board) -> tuple[int, int]:
    """Wait with nobody asking anything of the board; return from when to when."""
    time.sleep(_SETTLE_S)
    start_ns = board.agent.clock()
    time.sleep(_IDLE_S)
    return start_ns, board.agent.clock()


def _trace(
    lines: list[dict[str, Any]],
    supply: Supply,
    before: tuple[int, int],
    run: InvokeTimed,
    after: tuple[int, int],
) -> PowerTrace:
    time_ns = tuple(line["monotonic_ns"] for line in lines)
    taken_ns = lines[-1]["cpu_ns"] - lines[0]["cpu_ns"]
    return PowerTrace(
        rail=supply.name,
        covers=supply.covers,
        wraps_at=supply.wraps_at,
        period_ns=round(1e9 / supply.hz),
        time_ns=time_ns,
        readings=tuple(microwatts(supply.kind, line["values"]) for line in lines),
        idle_before_ns=before,
        run_ns=(run.started_monotonic_ns, run.started_monotonic_ns + run.wall_time_ns),
        idle_after_ns=after,
        runs=run.count,
        sampler_ratio=round(taken_ns / max(1, time_ns[-1] - time_ns[0]), 5),
    )


def _lines(data: bytes) -> list[dict[str, Any]]:
    """Return the sampler's lines; a last one that was cut is left out."""
    found = []
    for line in data.splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def _doubt(cell: LiveCell, trace: PowerTrace) -> None:
    """Warn of what makes the figures less than they seem."""
    figures = power_estimates(trace)
    reason = figures[0].not_measured
    if reason:
        text = f"energy is not measured: {_FAULTS.get(reason, reason.replace('_', ' '))}"
        cell.warn("energy_not_measured", f"{text} ({trace.rail})")
        return
    if trace.sampler_ratio > _MUCH_RATIO:
        text = f"reading the sensor took {percent(trace.sampler_ratio)} of a core, which is in the power, idle too"
        cell.warn("sampler_load", text)
    if trace.covers != "board":
        cell.warn("partial_rail", f"{_PARTS.get(trace.rail, _PART).format(rail=trace.rail)}: {_NOT_ACROSS}")
    if figures[1].not_measured == "idle_drifts":
        cell.warn(
            "idle_drift", "idle power moved while the model ran: energy above idle is not measured; wait: `--idle`"
        )


_PART = "`{rail}` is not known to feed the whole board"
_PARTS = {"pmic": "`pmic` sees none of what 5 V feeds (USB, HATs, NVMe) and not its own losses"}
_NOT_ACROSS = "its energy is compared with no other board's"

_FAULTS = {
    "clock_stepped": "the board's clock went backwards",
    "sensor_failed": "readings are missing: the sensor went away, or refused",
    "sensor_stale": "the sensor showed too few new values for ten seconds",
    "too_few_updates": "there are too few readings",
    "power_not_plausible": "the readings are negative, or more or less than a board takes: look at the sign, the "
    "shunt's value, the driver's unit, and whether the board is fed elsewhere (USB)",
    "sensor_saturated": "readings stand at the top of the sensor's scale",
    "window_too_short": "the runs were over too soon",
}
