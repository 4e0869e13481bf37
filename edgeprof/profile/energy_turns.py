"""Energy of two that are compared: windows of ten seconds, one process at a time, the two in turns.

A window is an observation, as a launch is: what differs from process to process and from minute to minute stays in the
spread between windows, and so in the interval of their ratio.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from edgeprof.boards import BoardFacts
from edgeprof.pairs import ENERGY, ENERGY_TURNS
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.energy import measure_power
from edgeprof.profile.phases import run_only
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.rounds import order
from edgeprof.remote import Board

# Windows of each, unless somebody asked for a number of launches.
_WINDOWS = 8

Attempt = Callable[[LiveCell, Callable[[LiveCell], None]], object]


def energy_in_turns(
    board: Board,
    cells: Sequence[LiveCell],
    facts: BoardFacts,
    request: ProfileRequest,
    attempt: Attempt,
    progress: Callable[[int, int], None],
) -> None:
    """Measure the energy of cells, window by window in turns, or put the reason why there is none into their runs.

    Args:
        board: Where.
        cells: What, those that failed before among them; none of them is live.
        facts: What the board said of itself.
        request: What the user asked for.
        attempt: Does a step of a cell, again after a cut of the link; a fault of the cell ends the cell.
        progress: Told windows done, of how many.
    """
    windows = request.launches or _WINDOWS
    chance = random.Random(f"{cells[0].run.run_id} energy") if cells else random.Random()  # noqa: S311 - an order
    kept = max((len(cell.run.energy_turns) for cell in cells), default=0)  # of a pair that was taken up
    for done, cell in enumerate(order(cells, windows - kept, chance), kept * len(cells)):
        if any(one.run.status != "running" or _refused(one) for one in cells):
            break  # one without the other compares with nothing
        progress(done, windows * len(cells))
        attempt(cell, lambda one: _window(board, one, facts, request))
    _share_refusal(cells)
    _leave_alone(cells)


def _leave_alone(cells: Sequence[LiveCell]) -> None:
    """Say of a cell that has no energy that its partner failed: by itself it compares with nothing."""
    if all(cell.run.status != "failed" for cell in cells):
        return
    for cell in cells:
        if cell.run.status == "running" and not cell.run.energy_turns and not _refused(cell):
            for metric in (ENERGY, ENERGY_TURNS):
                cell.not_measured(metric, "partner_failed")
            cell.warn("energy_not_measured", "energy is not measured: the other of the pair failed before it")


def _window(board: Board, cell: LiveCell, facts: BoardFacts, request: ProfileRequest) -> None:
    trace = measure_power(board, cell, facts, request.source, lambda _: None, phases=run_only)
    if trace is None:
        reason = dict(cell.run.not_measured).get("energy_per_inference_uj", "sensor_failed")
        cell.not_measured(ENERGY_TURNS, reason)
        return
    cell.run = replace(cell.run, energy_turns=(*cell.run.energy_turns, trace))


def _share_refusal(cells: Sequence[LiveCell]) -> None:
    """Put the reason why there is no energy into the runs that had not come to their first window."""
    refused = next((cell for cell in cells if _refused(cell)), None)
    if refused is None:
        return
    reasons = [pair for pair in refused.run.not_measured if pair[0] in (ENERGY, ENERGY_TURNS)]
    for cell in cells:
        if cell.run.energy_turns or _refused(cell):
            continue
        for metric, reason in reasons:
            cell.not_measured(metric, reason)
        for found in refused.run.warnings:
            if found.code == "energy_not_measured":
                cell.warn(found.code, found.text)


def _refused(cell: LiveCell) -> bool:
    return ENERGY_TURNS in dict(cell.run.not_measured)
