"""Energy by a phone's own battery: while it feeds the phone alone, by a gauge that a step of load explained."""

from collections.abc import Callable, Sequence

from edgeprof.errors import DeviceError
from edgeprof.power import METRICS, Supply
from edgeprof.power.battery import (
    CHARGE,
    FEWEST_GAUGE_UPDATES,
    REASONS,
    Gauge,
    Reading,
    calibrate,
    charge_energy,
    feeding_fault,
    updates_in,
)
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.phases import RUN_S, Phases, live_child, run_phases, whole_seconds
from edgeprof.profile.state import sampler_lines
from edgeprof.records import NEVER_WRAPS, PowerTrace
from edgeprof.remote import Board
from edgeprof.units import NS_PER_S

UNREADABLE = "this phone's shell may not read its battery's current"
# Each side of the step: gauges show a new value each second or two, and only the later half counts.
_STEP_S = 12
_ENOUGH = 1.3
# A gauge that needs longer than this for its values drains the battery more than it tells.
_LONGEST_S = 300.0
_ANSWER_S = 30.0
_OF_BATTERY = "`{rail}` is the phone's own gauge, and the battery feeds screen and radios too"


def by_battery(board: Board, cell: LiveCell, supply: Supply, say: Callable[[str], None]) -> PowerTrace | None:
    """Return what the battery gave while a process waited, ran and waited, or put the reason for none into the run.

    Raises:
        ChildError: The process died or ran too long.
        LinkLost: The way is gone.
    """
    reason = _feeding(board) or _by_gauge(board, cell, supply, say)
    if isinstance(reason, PowerTrace):
        return reason
    cell.not_measured(METRICS[0], reason)
    cell.warn("energy_not_measured", f"energy is not measured: {REASONS.get(reason, reason.replace('_', ' '))}")
    return None


def covers_words(trace: PowerTrace) -> str | None:
    """Return what a battery's trace covers, or `None` of any other."""
    is_one = trace.rail.startswith(("current_now (", "charge_counter ("))
    return _OF_BATTERY.format(rail=trace.rail) if is_one else None


def _by_gauge(board: Board, cell: LiveCell, supply: Supply, say: Callable[[str], None]) -> PowerTrace | str:
    gauge = _explained(board, supply, say)
    if isinstance(gauge, str):
        return gauge
    run_s = max(RUN_S, _ENOUGH * FEWEST_GAUGE_UPDATES * gauge.update_s)
    if run_s > _LONGEST_S:
        return "gauge_too_slow"
    hz = min(supply.hz, 1 / gauge.update_s)
    say(f"power of {supply.name}, {whole_seconds(hz, run_s):.0f} s")
    with live_child(board, cell) as child:
        sampler = _sampler(board, supply)
        if sampler is None:
            return "sampler_failed"
        phases = run_phases(board, cell, child, hz, run_s)
    readings, taken_ns = _read(board, sampler)
    fault = _feeding(board)
    if fault is not None:
        return fault
    if updates_in(readings, phases.run_ns) < FEWEST_GAUGE_UPDATES:
        return "gauge_too_slow"
    return _trace(gauge, supply, phases, (readings, taken_ns))


def _feeding(board: Board) -> str | None:
    try:
        return feeding_fault(board.ask("battery", _ANSWER_S))
    except DeviceError:
        return "battery_status_unknown"


def _explained(board: Board, supply: Supply, say: Callable[[str], None]) -> Gauge | str:
    """Return what the gauge's numbers mean; a phone is asked once while it is connected."""
    if supply.index in board.gauges:
        return board.gauges[supply.index]
    say(f"what {supply.name} means: every core idle, then busy, {2 * _STEP_S} s")
    found = _calibrated(board, supply)
    if isinstance(found, Gauge):
        board.gauges[supply.index] = found
    return found


def _calibrated(board: Board, supply: Supply) -> Gauge | str:
    sampler = _sampler(board, supply)
    if sampler is None:
        return "sampler_failed"
    start_ns = board.agent.clock()
    board.pause(_STEP_S)
    middle_ns = board.agent.clock()
    try:
        board.ask("load", _STEP_S + _ANSWER_S, interval_s=_STEP_S)
    except DeviceError:
        return "load_step_not_seen"
    end_ns = board.agent.clock()
    readings, _ = _read(board, sampler)
    windows = ((start_ns, middle_ns), (middle_ns, end_ns))
    sides = [[one for one in readings if start <= one[0] < end] for start, end in windows]
    return calibrate(supply.kind, *sides)


def _sampler(board: Board, supply: Supply) -> int | None:
    try:
        return board.agent.sampler_start(supply.hz, supply.index)
    except DeviceError:
        return None


def _read(board: Board, sampler: int) -> tuple[list[Reading], int]:
    """End a sampler; return its readings, and what it took of a core."""
    left = board.agent.sampler_stop(sampler)
    lines = sampler_lines(board.pull(left.file, left.sha256))
    if not lines:
        return [], 0
    return [(line["monotonic_ns"], tuple(line["values"])) for line in lines], lines[-1]["cpu_ns"] - lines[0]["cpu_ns"]


def _trace(gauge: Gauge, supply: Supply, phases: Phases, read: tuple[Sequence[Reading], int]) -> PowerTrace:
    readings, taken_ns = read
    points: Sequence[tuple[int, int | None]]
    if gauge.kind == CHARGE:
        points = charge_energy(gauge, readings)
    else:
        points = [(at, gauge.power_uw(values)) for at, values in readings]
    span_ns = max(1, readings[-1][0] - readings[0][0])
    return PowerTrace(
        rail=supply.name,
        covers="part",
        wraps_at=NEVER_WRAPS if gauge.kind == CHARGE else None,
        period_ns=round(NS_PER_S / supply.hz),
        time_ns=tuple(at for at, _ in points),
        readings=tuple(value for _, value in points),
        idle_before_ns=phases.idle_before_ns,
        run_ns=phases.run_ns,
        idle_after_ns=phases.idle_after_ns,
        runs=phases.runs,
        sampler_ratio=round(taken_ns / span_ns, 5),
    )
