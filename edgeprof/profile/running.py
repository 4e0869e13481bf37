"""The cells of one device while they are measured: begun alike, stored as they change, ended alike."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event
from typing import TypeVar

from edgeprof.boards import BoardFacts
from edgeprof.devices import Device
from edgeprof.errors import EdgeprofError
from edgeprof.profile import conditions, doubts
from edgeprof.profile.cells import LiveCell, known_facts
from edgeprof.profile.launch import Cell
from edgeprof.profile.outcome import Failure, Watch
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.resume import cell_keys
from edgeprof.records import Artifact, RunPlan, RunResult
from edgeprof.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all devices of a profile share.

    Attributes:
        store: Where results go.
        watch: Who is told.
        stop: Set when nothing more is wanted.
        session: Name of this profile, on every run of it.
        finished: Hashes of cells that need not be measured.
        pair: A pair of `ab` that was cut short, to go on with.
    """

    store: Store
    watch: Watch
    stop: Event
    session: str
    finished: frozenset[str] = frozenset()
    pair: tuple[RunResult, ...] = ()


class Running:
    """What one device has measured of a request so far, by whichever means.

    Attributes:
        cells: Those under way and those that ended, in their order.
        failures: What went wrong in cells.
    """

    def __init__(self, request: ProfileRequest, device: Device, setting: Setting) -> None:
        self._request, self._device, self._setting = request, device, setting
        self.cells: list[LiveCell] = []
        self.failures: list[Failure] = []

    def wanted(self) -> list[tuple[Artifact, RunPlan]]:
        """Return the cells that the session has not completed yet."""
        finished = self._setting.finished
        return [cell for cell in self._request.cells() if finished.isdisjoint(self._keys(*cell))]

    def begin(self, artifact: Artifact, plan: RunPlan, key: str, facts: BoardFacts | None = None) -> RunResult:
        """Return a cell's run before anything was measured; it is not stored yet.

        Args:
            artifact: What runs.
            plan: How.
            key: The hash of all that the cell is.
            facts: What the board says of itself; `None` where it cannot be asked.
        """
        found = doubts.before(facts, self._device, artifact, plan) if facts else ()
        return RunResult(
            run_id=self._setting.store.new_run_id(),
            created_unix_s=time.time(),
            status="running",
            failure=None,
            artifact=artifact,
            device=self._device.name,
            target=self._device.target,
            board_id=facts.board_id if facts else None,
            plan=plan,
            runtime=None,
            environment=conditions.environment(facts) if facts else (),
            facts=known_facts(artifact),
            warnings=(*self._request.warnings, *found),
            session=self._setting.session,
            cell_sha256=key,
        )

    def add(self, run: RunResult, cpus: tuple[int, ...] | None = None) -> LiveCell:
        """Take a run in as a cell under way."""
        cell = LiveCell(run, Cell(run.artifact.sha256, run.plan, cpus, None, run.artifact.stateful))
        self.cells.append(cell)
        return cell

    def results(self) -> list[RunResult]:
        """Return the cells as far as they got."""
        return [cell.run for cell in self.cells]

    def alive(self) -> list[LiveCell]:
        """Return the cells under way."""
        return [cell for cell in self.cells if cell.run.status == "running"]

    def alone(self, cell: LiveCell, step: Callable[[], T], faults: tuple[type[EdgeprofError], ...]) -> T | None:
        """Do a step of a cell; one of these faults ends this cell only."""
        try:
            return step()
        except faults as exc:
            cell.run = replace(cell.run, status="failed", failure=exc.message)
            self.save(cell)
            self.failures.append(Failure(self._device.name, cell.title(), exc))
            return None

    def save(self, cell: LiveCell) -> None:
        """Store a cell as far as it got."""
        self._setting.store.save_run(cell.run)

    def complete(self, cell: LiveCell) -> None:
        """Say that a cell has all that was asked for."""
        cell.run = replace(cell.run, status="complete")
        self.save(cell)

    def interrupt(self) -> None:
        """Say that the cells under way end here; a store that is gone does not hide why."""
        for cell in self.alive():
            for found in doubts.after(cell):
                cell.warn(found.code, found.text)
            cell.run = replace(cell.run, status="interrupted")
            with suppress(EdgeprofError):
                self.save(cell)

    def _keys(self, artifact: Artifact, plan: RunPlan) -> tuple[str, ...]:
        return cell_keys(self._request, self._device, artifact, plan)
