"""Power while a model runs: a board's own rail or a meter on the host, and what makes the figures doubtful."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

from edgeprof.boards import BoardFacts, parse_facts, throttled_meanwhile
from edgeprof.errors import DeviceError
from edgeprof.power import (
    METRICS,
    Supply,
    choose,
    microwatts,
    power_estimates,
    rail_voltage_uv,
    supplies,
    unusual_idle,
    wants_longer,
)
from edgeprof.power.source import PowerSource
from edgeprof.profile.battery import UNREADABLE, by_battery, covers_words
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.doubts import held_back
from edgeprof.profile.metering import MeterFailed, metered
from edgeprof.profile.perfetto import NO_RAILS, Refused, by_perfetto
from edgeprof.profile.phases import LONG_RUN_S, Course, Phases, live_child, run_long, run_phases, whole_seconds
from edgeprof.profile.state import sampler_lines
from edgeprof.records import CLOCK_WALL, PowerTrace
from edgeprof.remote import Board
from edgeprof.targets import load_target
from edgeprof.units import NS_PER_S, percent

# Reading a sensor ought to take less of a core than this.
_MUCH_RATIO = 0.05

_HINTS = {
    "no_such_rail": "the board has no rail `{asked}`; it has {rails}",
    "several_rails": "the board has several rails and none is known to feed the others; name one: `--rail`, of {rails}",
    "permission_denied": "this login may not read {rails}; `sudo chmod a+r` on its files in /sys, or another login",
}


def measure_power(
    board: Board,
    cell: LiveCell,
    facts: BoardFacts,
    source: PowerSource,
    say: Callable[[str], None],
    phases: Course = run_phases,
) -> PowerTrace | None:
    """Return what the board took, or put the reason why there is none into the run.

    Args:
        board: Where.
        cell: What.
        facts: What the board said of itself.
        source: Which rail, or which meter.
        say: Told what is read and for how long.
        phases: What the process does meanwhile; a phone's battery and rails are slow, and it waits there in any case.

    Raises:
        ChildError: The process died or ran too long.
        LinkLost: The way is gone.
    """
    if cell.run.plan.clock != CLOCK_WALL:
        cell.not_measured(METRICS[0], "clock_counts_instructions")
        return None
    before = parse_facts(board.agent.probe()).throttled
    if source.meter:
        trace = _by_meter(board, cell, source, say, phases)
    else:
        trace = _by_rail(board, cell, facts, source.rail, say, phases)
    if trace is None:
        return None
    trace = _with_throttling(trace, before, parse_facts(board.agent.probe()).throttled)
    if cell.run.target:
        target = load_target(cell.run.target)
        trace = replace(trace, most_uw=target.supply_most_uw, usual_idle_uw=target.idle_uw)
    _doubt(cell, trace)
    return trace


def _with_throttling(trace: PowerTrace, before: int | None, after: int | None) -> PowerTrace:
    """Add the bits of now that were set while power was read; a sampler sees them once a second, a meter never."""
    if before is None and after is None and trace.throttled is None:
        return trace
    seen = [] if trace.throttled is None else [trace.throttled]
    return replace(trace, throttled=throttled_meanwhile(before, seen, after))


def _by_meter(
    board: Board, cell: LiveCell, source: PowerSource, say: Callable[[str], None], phases: Course
) -> PowerTrace | None:
    meter = source.meter
    if meter is None:
        return None
    say(f"power by {meter.name}, {whole_seconds(NS_PER_S / meter.period_ns):.0f} s")
    try:
        return metered(board, cell, meter, source, phases)
    except MeterFailed as exc:
        cell.not_measured(METRICS[0], exc.reason)
        cell.warn("energy_not_measured", str(exc))
        return None


def _by_rail(
    board: Board, cell: LiveCell, facts: BoardFacts, rail: str | None, say: Callable[[str], None], phases: Course
) -> PowerTrace | None:
    supply = choose(facts.power_sensors, rail)
    if isinstance(supply, str) and facts.abi is not None and supply != "several_rails":
        return _by_phone(board, cell, (supply, rail), say)
    if isinstance(supply, str):
        cell.not_measured(METRICS[0], supply)
        if supply in _HINTS:
            named = ", ".join(f"`{found.name}`" for found in supplies(facts.power_sensors))
            cell.warn("energy_not_measured", _HINTS[supply].format(asked=rail, rails=named))
        return None
    if supply.is_gauge:
        return by_battery(board, cell, supply, say)
    say(f"power of {supply.name}, {whole_seconds(supply.hz):.0f} s")
    trace = _sampled(board, cell, supply, phases)
    if trace and phases is run_phases and wants_longer(trace):
        say(f"again for {whole_seconds(supply.hz, LONG_RUN_S):.0f} s: the load swings faster than it is read")
        trace = _sampled(board, cell, supply, run_long)
    if trace is None:
        cell.not_measured(METRICS[0], "sampler_failed")
    return trace


def _by_phone(
    board: Board, cell: LiveCell, lacking: tuple[str, str | None], say: Callable[[str], None]
) -> PowerTrace | None:
    """Return what a phone's power rails took, for its battery cannot be read or another rail was asked for."""
    reason, rail = lacking
    found = by_perfetto(board, cell, rail, say)
    if not isinstance(found, Refused):
        return found
    none_at_all = found.reason == NO_RAILS
    cell.not_measured(METRICS[0], reason if none_at_all else found.reason)
    if reason == "permission_denied":
        cell.warn("energy_not_measured", f"{UNREADABLE}; {found.text}")
    elif reason != "no_power_sensor" or not none_at_all:
        cell.warn("energy_not_measured", found.text)
    return None


def _sampled(board: Board, cell: LiveCell, supply: Supply, course: Course) -> PowerTrace | None:
    with live_child(board, cell) as child:
        try:
            sampler = board.agent.sampler_start(supply.hz, supply.index)
        except DeviceError:
            return None
        phases = course(board, cell, child, supply.hz)
    left = board.agent.sampler_stop(sampler)
    lines = sampler_lines(board.pull(left.file, left.sha256))
    return _trace(lines, supply, phases) if len(lines) > 1 else None


def _trace(lines: list[dict[str, Any]], supply: Supply, phases: Phases) -> PowerTrace:
    time_ns = tuple(line["monotonic_ns"] for line in lines)
    taken_ns = lines[-1]["cpu_ns"] - lines[0]["cpu_ns"]
    values = [line["values"] for line in lines]
    bits = [line["throttled"] for line in lines if line.get("throttled") is not None]
    return PowerTrace(
        rail=supply.name,
        covers=supply.covers,
        wraps_at=supply.wraps_at,
        period_ns=round(NS_PER_S / supply.hz),
        time_ns=time_ns,
        readings=tuple(microwatts(supply.kind, value) for value in values),
        idle_before_ns=phases.idle_before_ns,
        run_ns=phases.run_ns,
        idle_after_ns=phases.idle_after_ns,
        runs=phases.runs,
        sampler_ratio=round(taken_ns / max(1, time_ns[-1] - time_ns[0]), 5),
        supply_uv=rail_voltage_uv(supply, values),
        throttled=reduce(or_, bits) if bits else None,
    )


def _doubt(cell: LiveCell, trace: PowerTrace) -> None:
    """Warn of what makes the figures less than they seem."""
    for found in held_back(trace.throttled or 0, "while power was read "):
        cell.warn(found.code, found.text)
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
        words = covers_words(trace) or _PARTS.get(trace.rail, _PART).format(rail=trace.rail)
        cell.warn("partial_rail", f"{words}: {_NOT_ACROSS}")
    share = unusual_idle(trace)
    if share is not None:
        idle = f"idle power is {percent(share)} of what `{cell.run.target}` usually takes"
        cell.warn("idle_not_plausible", f"{idle}: {_UNUSUAL}")
    if figures[1].not_measured == "idle_drifts":
        cell.warn(
            "idle_drift", "idle power moved while the model ran: energy above idle is not measured; wait: `--idle`"
        )


_PART = "`{rail}` is not known to feed the whole board"
_UNUSUAL = "look at the shunt's value, at what else hangs on it or runs, and whether it is fed elsewhere too"
_PARTS = {"pmic": "`pmic` sees none of what 5 V feeds (USB, HATs, NVMe) and not its own losses"}
_NOT_ACROSS = "its energy is compared with no other board's"

_FAULTS = {
    "clock_stepped": "the board's clock went backwards",
    "sensor_failed": "readings are missing: the sensor went away, or refused",
    "sensor_stale": "the sensor showed too few new values for ten seconds",
    "too_few_updates": "there are too few readings",
    "power_not_plausible": "the readings are negative, or more or less than a board takes: look at the sign, the "
    "shunt's value, the driver's unit, and whether the board is fed elsewhere (USB)",
    "above_supply": "the readings are more than the board's supply gives: look at the shunt's value and at the unit",
    "sensor_saturated": "readings stand at the top of the sensor's scale",
    "window_too_short": "the runs were over too soon",
    "averaging_too_long": "the meter averages for too long for windows of seconds",
    "meter_clipped": "the meter was at the end of its range: what was above, nobody knows",
}
