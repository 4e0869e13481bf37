"""A pair of `ab` that was cut short: what of it counts, and whether more may be added to it."""

from collections.abc import Sequence
from dataclasses import replace

from edgeprof.errors import MeasurementError, UsageError
from edgeprof.profile.cells import LiveCell
from edgeprof.records import MOMENTARY, RunResult, RuntimeInfo
from edgeprof.store import Store

_ANEW = "without `--resume` both are measured anew"


def earlier_pair(runs: Sequence[RunResult], keys: Sequence[str]) -> tuple[RunResult, ...]:
    """Return a pair that was measured, complete or cut short, as it was asked for; empty where only one had begun.

    Raises:
        UsageError: It is a pair to which nothing can be added.
    """
    # A pair against itself has one key twice, and its first began first.
    pair = tuple(sorted(runs, key=lambda run: (keys.index(run.cell_sha256 or ""), run.created_unix_s)))
    if len(pair) != 2:
        return ()
    failed = next((run for run in pair if run.status == "failed"), None)
    if failed is not None:
        raise UsageError(f"run {failed.run_id} of that pair failed: {failed.failure}", _ANEW)
    if pair[0].group is None or pair[0].group != pair[1].group:
        raise UsageError(f"runs {pair[0].run_id} and {pair[1].run_id} took no turns: nothing can be added", _ANEW)
    return pair


def take_up(cells: Sequence[LiveCell], pair: Sequence[RunResult], store: Store) -> str:
    """Let the cells of `ab` go on as a pair of runs that was cut short; return what of it is kept.

    A launch counts with its partner's alone, for only within a launch do the two take turns; and a window of energy
    only in a whole block, there and back. What was cut through is dropped from the store as well.

    Raises:
        MeasurementError: The conditions are others than they were; the message says which.
    """
    for cell, before in zip(cells, pair, strict=True):
        _same_conditions(cell.run, before)
    whole = min(len(run.launches) for run in pair)
    windows = min(len(run.energy_turns) for run in pair) // 2 * 2
    kept = _kept(whole, windows)
    for cell, before in zip(cells, pair, strict=True):
        store.drop_launches(before.run_id, whole)
        cell.run = replace(
            before,
            status="running",
            launches=before.launches[:whole],
            energy_turns=before.energy_turns[:windows],
            not_measured=(),
        )
        cell.warn("taken_up", f"cut short and taken up again; from before: {kept}")
    alone = max(len(run.launches) for run in pair) - whole
    return f"kept: {kept}" + ("; dropped: a launch without its partner" if alone else "")


def same_runtime(before: RunResult, now: RuntimeInfo) -> None:
    """Refuse a launch of another runtime than that of a pair's launches before.

    Raises:
        MeasurementError: It is another, or it is not known what ran those.
    """
    if before.launches and before.runtime != now:
        was = before.runtime and f"{before.runtime.name} {before.runtime.version} {before.runtime.library_sha256[:12]}"
        change = f"its runtime was {was or 'not noted'}, and is {now.name} {now.version} {now.library_sha256[:12]}"
        raise MeasurementError(f"run {before.run_id} cannot be taken up: {change}", _ANEW)


def _same_conditions(now: RunResult, before: RunResult) -> None:
    was, found = _conditions(before), _conditions(now)
    for name in sorted(was.keys() | found.keys()):
        if was.get(name) != found.get(name):
            change = f"{name} was {was.get(name, 'not said')}, and is {found.get(name, 'not said')}"
            raise MeasurementError(f"run {before.run_id} cannot be taken up: {change}", _ANEW)


def _conditions(run: RunResult) -> dict[str, str]:
    lasting = {f"the board's {name}": text for name, text in run.environment if not name.startswith(MOMENTARY)}
    return {"the board": str(run.board_id), "nanoseconds an instruction": str(run.plan.ns_per_instruction), **lasting}


def _kept(whole: int, windows: int) -> str:
    pairs = f"{whole} {'pair' if whole == 1 else 'pairs'} of launches"
    return pairs + (f", {windows} of windows of energy" if windows else "")
