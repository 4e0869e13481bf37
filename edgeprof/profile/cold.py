"""Cold starts: processes whose model and runtime were not in memory when they began."""

from contextlib import suppress

from edgeprof.errors import ChildError, DeviceError, LinkLost
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell, child_request, int64s, start_up
from edgeprof.records import CLOCK_INSTRUCTIONS, StartUp
from edgeprof.remote import Board, Evicted
from edgeprof.units import size

COLD_LAUNCHES = 5
_SHOWN_FILES = 3


def measure_cold(board: Board, cell: LiveCell) -> None:
    """Put the start-up stages of cold launches into the run, or the reason why there are none.

    Raises:
        LinkLost: The way is gone.
    """
    if cell.run.plan.clock == CLOCK_INSTRUCTIONS:
        cell.not_measured("cold_start_ns", "clock_counts_instructions")
        return
    try:
        _measured(board, cell)
    except ChildError as exc:
        cell.not_measured("cold_start_ns", exc.code)
        cell.warn("not_cold", f"a cold start is not measured: {exc.message}")


def _measured(board: Board, cell: LiveCell) -> None:
    found = []
    for _ in range(COLD_LAUNCHES):
        stages, evicted = _launch(board, cell.cell)
        if (text := _still_warm(evicted)) is not None:
            cell.not_measured("cold_start_ns", "cannot_evict")
            cell.warn("not_cold", f"a cold start is not measured: {text}")
            return
        found.append(stages)
    cell.add_cold(tuple(found))


def _launch(board: Board, cell: Cell) -> tuple[StartUp, Evicted | None]:
    agent = board.agent
    child = agent.open(child_request(board, cell, cold=True))
    try:
        first_ns = int64s(board, agent.invoke_count(child.child, 1, cell.plan.timeout_s))[0]
    finally:
        with suppress(DeviceError, LinkLost):  # gone already, or with the link
            agent.close(child.child, acknowledged=True)
    return start_up(child, first_ns), child.evicted


def _still_warm(evicted: Evicted | None) -> str | None:
    """Return why a launch was not cold; `None` where every file was out of memory."""
    if evicted is None:
        return "the board's agent does not know how"
    if evicted.error is not None:
        return f"the board does not say what is in its memory ({evicted.error})"
    if not evicted.resident_bytes:
        return None
    names = ", ".join(evicted.stayed[:_SHOWN_FILES]) + (" and others" if len(evicted.stayed) > _SHOWN_FILES else "")
    kept = f"{size(evicted.resident_bytes)} of {size(evicted.file_bytes)}"
    return f"{kept} stayed in memory ({names}): a file system in memory, or another process has the file mapped"
