"""Power from a meter on the host, on the board's clock."""

from collections.abc import Iterator
from contextlib import contextmanager

from edgeprof.errors import DeviceError
from edgeprof.power import ClockMap, measure_offset
from edgeprof.power.meters import MeterSpec, Recording, open_meter
from edgeprof.power.meters.spec import alike
from edgeprof.power.source import PowerSource
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.phases import Course, Phases, live_child
from edgeprof.records import PowerTrace
from edgeprof.remote import Board
from edgeprof.units import NS_PER_S, volts


class MeterFailed(Exception):  # noqa: N818 - caught next to where it is raised
    """A meter gave nothing; the reason code, and what to say."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def metered(board: Board, cell: LiveCell, spec: MeterSpec, source: PowerSource, course: Course) -> PowerTrace:
    """Return what a meter showed while the cell's process went its course: waited, ran and waited.

    Args:
        board: Where.
        cell: What.
        spec: The meter.
        source: At which voltage it counts power, and what the board is fed with as its target says.
        course: What the process does.

    Raises:
        MeterFailed: The meter is gone, or sees another supply than the board's.
        ChildError: The process died or ran too long.
        LinkLost: The way to the board is gone.
    """
    with live_child(board, cell) as child:
        before = measure_offset(board.agent.clock)
        with _recording(spec, source.supply_uv) as recordings:
            phases = course(board, cell, child, NS_PER_S / spec.period_ns)
        after = measure_offset(board.agent.clock)
    seen, clocks = recordings[0], ClockMap(before, after)
    check_recording(seen, clocks, source.fed_uv)
    if seen.trouble:
        cell.warn("energy_not_measured", seen.trouble)
    return meter_trace(seen, clocks, spec, phases)


def check_recording(seen: Recording, clocks: ClockMap, fed_uv: int | None) -> None:
    """Refuse a recording that says nothing of this board.

    Raises:
        MeterFailed: Nothing was recorded, a clock was set meanwhile, or it is of another supply than the board's.
    """
    if clocks.stepped:
        raise MeterFailed("clock_stepped", "the board's clock, or the host's, was set while the meter recorded")
    if not seen.time_ns:
        raise MeterFailed("meter_failed", seen.trouble or "the meter said nothing")
    if seen.voltage_uv is not None and fed_uv is not None and not alike(seen.voltage_uv, fed_uv):
        text = f"the meter sees {volts(seen.voltage_uv)}, and the board is fed with {volts(fed_uv)}"
        raise MeterFailed("voltage_mismatch", f"{text}: is it between this board and its supply?")


def meter_trace(seen: Recording, clocks: ClockMap, spec: MeterSpec, phases: Phases) -> PowerTrace:
    """Return a recording on the board's clock."""
    return PowerTrace(
        rail=spec.name,
        covers=spec.covers,
        wraps_at=None,
        period_ns=spec.period_ns,
        time_ns=tuple(clocks.to_board(at) for at in seen.time_ns),
        readings=seen.power_uw,
        idle_before_ns=phases.idle_before_ns,
        run_ns=phases.run_ns,
        idle_after_ns=phases.idle_after_ns,
        runs=phases.runs,
        sampler_ratio=0.0,
        averaging_ns=spec.averaging_ns,
        offset_bound_ns=clocks.bound_ns + spec.latency_ns,
        supply_uv=seen.voltage_uv,
        clipped=seen.clipped,
    )


@contextmanager
def _recording(spec: MeterSpec, supply_uv: int | None) -> Iterator[list[Recording]]:
    """Record until the block ends, however it does; the recording is in the list then."""
    meter = open_meter(spec, supply_uv)
    try:
        meter.start()
    except DeviceError as exc:
        raise MeterFailed("meter_failed", f"{exc.message}; {exc.hint}") from exc
    recordings: list[Recording] = []
    try:
        yield recordings
    finally:
        recordings.append(meter.stop())
