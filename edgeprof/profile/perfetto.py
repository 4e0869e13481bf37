"""Energy of a phone's power rails by its own Perfetto, where the kernel's files may not be read.

Rails are counted whether the phone is on a charger or not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from edgeprof.errors import DeviceError
from edgeprof.power.battery import FEWEST_GAUGE_UPDATES
from edgeprof.power.perfetto import PowerRail, read_rails
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.phases import RUN_S, Phases, live_child, run_phases, whole_seconds
from edgeprof.records import NEVER_WRAPS, PowerTrace
from edgeprof.remote import Board
from edgeprof.units import NS_PER_S, ns_to_seconds

# Long enough for dozens of counts.
_LOOK_S = 3.0
_LONGEST_S = 300
_ANSWER_S = 30.0
_ENOUGH = 1.3
NO_RAILS = "no_power_rails"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no energy: the reason code, and what to say."""

    reason: str
    text: str


def by_perfetto(board: Board, cell: LiveCell, asked: str | None, say: Callable[[str], None]) -> PowerTrace | Refused:
    """Return what a rail took while a process waited, ran and waited; or why not.

    Args:
        board: A phone.
        cell: What to run.
        asked: The rail's name; `None` where it has only one.
        say: Told each step that takes a while.

    Raises:
        ChildError: The process died or ran too long.
        LinkLost: The way is gone.
    """
    with _traced(board) as look:
        if look.fault is None:
            say(f"looking for power rails by Perfetto, {_LOOK_S:.0f} s")
            board.pause(_LOOK_S)
    rail = _chosen(look, asked)
    if isinstance(rail, Refused):
        return rail
    update_s = ns_to_seconds(median(b - a for a, b in pairwise(rail.time_ns)))
    run_s = max(RUN_S, _ENOUGH * FEWEST_GAUGE_UPDATES * update_s)
    if whole_seconds(1 / update_s, run_s) > _LONGEST_S:
        return Refused("gauge_too_slow", f"`{rail.name}` is counted every {update_s:.2g} s, which is too rarely")
    say(f"power of {rail.name}, {whole_seconds(1 / update_s, run_s):.0f} s")
    with live_child(board, cell) as child, _traced(board) as whole:
        phases = run_phases(board, cell, child, 1 / update_s, run_s)
    measured = _chosen(whole, rail.name)
    return measured if isinstance(measured, Refused) else _trace(measured, phases, update_s)


class _Trace:
    """A trace that ends with its block; `data` are its bytes then, or `fault` is why there are none."""

    def __init__(self) -> None:
        self.data = b""
        self.fault: str | None = None


@contextmanager
def _traced(board: Board) -> Iterator[_Trace]:
    trace = _Trace()
    try:
        started = dict(board.ask("trace", _ANSWER_S, interval_s=_LONGEST_S + 60))
    except DeviceError as exc:
        started = {"refused": exc.message}
    if "pid" not in started:
        trace.fault = started.get("refused", "this phone has no `perfetto`")
        yield trace
        return
    try:
        yield trace
    finally:
        try:
            board.ask("traced", _ANSWER_S, pid=started["pid"])
            trace.data = board.take(started["file"])
        except DeviceError as exc:
            trace.fault = exc.message


def _chosen(trace: _Trace, asked: str | None) -> PowerRail | Refused:
    """Return the rail that is meant, with its counts."""
    if trace.fault is not None:
        return Refused(NO_RAILS, f"Perfetto gave no power rails: {trace.fault}")
    try:
        rails = read_rails(trace.data)
    except ValueError as exc:
        return Refused("trace_unreadable", f"Perfetto's trace cannot be used: {exc}")
    counted = [rail for rail in rails if len(rail.time_ns) > 2]
    if not counted:
        return Refused(NO_RAILS, "Perfetto gave no power rails: this phone counts none, as far as its shell may see")
    names = ", ".join(f"`{rail.name}`" for rail in counted)
    found = counted if asked is None else [rail for rail in counted if rail.name == asked]
    if not found:
        return Refused("no_such_rail", f"the phone has no rail `{asked}`; it has {names}")
    if len(found) > 1:
        return Refused(
            "several_rails", f"the phone has several rails, and none feeds the others; name one: `--rail`, of {names}"
        )
    return found[0]


def _trace(rail: PowerRail, phases: Phases, update_s: float) -> PowerTrace | Refused:
    inside = [at for at in rail.time_ns if phases.run_ns[0] <= at < phases.run_ns[1]]
    if len(inside) < FEWEST_GAUGE_UPDATES:
        return Refused("gauge_too_slow", f"`{rail.name}` was counted {len(inside)} times while the model ran, not 100")
    return PowerTrace(
        rail=f"{rail.name} (perfetto)",
        covers="part",
        wraps_at=NEVER_WRAPS,
        period_ns=round(update_s * NS_PER_S),
        time_ns=rail.time_ns,
        readings=rail.energy_uj,
        idle_before_ns=phases.idle_before_ns,
        run_ns=phases.run_ns,
        idle_after_ns=phases.idle_after_ns,
        runs=phases.runs,
        sampler_ratio=0.0,
    )
