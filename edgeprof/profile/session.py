"""Profiling: devices one after the other, the cells of one device launch by launch in turn."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from edgeprof.boards import BoardFacts, parse_facts
from edgeprof.devices import Device
from edgeprof.errors import DeviceError, EdgeprofError, LinkLost, ModelError
from edgeprof.profile import conditions
from edgeprof.profile.cells import LiveCell, check_outputs, evaluate, push_inputs
from edgeprof.profile.launch import Cell, measure_launch, measure_memory
from edgeprof.profile.outcome import Failure, Outcome, Watch
from edgeprof.profile.per_op import measure_per_op
from edgeprof.profile.request import ProfileRequest, check, plan_on, resolve_cpus
from edgeprof.records import RunResult
from edgeprof.remote import Board, connect_board
from edgeprof.store import Store

MEMORY_REPEATS = 3

T = TypeVar("T")


def profile(request: ProfileRequest, devices: Sequence[Device], store: Store, watch: Watch) -> Outcome:
    """Measure every cell on every device.

    Every finished launch is in `store` before the next begins. A device that fails leaves the others alone;
    on Ctrl-C what was finished stays stored and its run reads `interrupted`.

    Raises:
        UsageError: The request holds what no board can do.
    """
    check(request)
    runs: list[RunResult] = []
    failures = list(request.failures)
    for device in devices:
        session = _Session(request, device, store, watch)
        try:
            session.run()
        except EdgeprofError as exc:
            failures.append(Failure(device.name, "device", exc))
        runs += session.results()
        failures += session.failures
    return Outcome(tuple(runs), tuple(failures))


class _Session:
    """One device's part of a profile."""

    def __init__(self, request: ProfileRequest, device: Device, store: Store, watch: Watch) -> None:
        self._request = request
        self._device = device
        self._store = store
        self._watch = watch
        self._cells: list[LiveCell] = []
        self.failures: list[Failure] = []

    def results(self) -> list[RunResult]:
        return [cell.run for cell in self._cells]

    def run(self) -> None:
        watch, name = self._watch, self._device.name
        watch.say(name, f"connecting to {self._device.url}")
        sent = lambda done, total: watch.progress(name, "pushing", done, total)  # noqa: E731
        with connect_board(self._device, self._request.setup, lambda text: watch.say(name, text), sent) as board:
            facts = parse_facts(board.agent.probe())
            try:
                self._measure(board, facts)
            except BaseException:
                self._interrupt()
                raise

    def _measure(self, board: Board, facts: BoardFacts) -> None:
        self._cells = self._planned(facts)
        for cell in self._cells:
            self._store.save_run(cell.run)
        for cell in self._cells:
            self._try(cell, board, lambda c: self._prepare(board, c))
        self._launches(board)
        for cell in self._alive():
            self._try(cell, board, lambda c: self._memory(board, c))
        for cell in self._alive() if self._request.per_op else ():
            self._try(cell, board, lambda c: self._per_op(board, c))
        for cell in self._alive():
            self._try(cell, board, lambda c: self._accuracy(board, c))
        self._finish(board)

    def _planned(self, facts: BoardFacts) -> list[LiveCell]:
        """Return the cells as they begin; nothing is stored if one of them asks for what the board has not."""
        cells = []
        for artifact, plan in self._request.cells():
            cpus = resolve_cpus(plan.cpus, facts.core_ranks(), self._device.name)
            run = RunResult(
                run_id=self._store.new_run_id(),
                created_unix_s=time.time(),
                status="running",
                failure=None,
                artifact=artifact,
                device=self._device.name,
                target=self._device.target,
                board_id=facts.board_id,
                plan=plan_on(self._request, plan, facts.ns_per_instruction),
                runtime=None,
                environment=conditions.environment(facts),
                warnings=(*self._request.warnings, *conditions.before(facts, self._device, artifact, plan)),
            )
            cells.append(LiveCell(run, Cell(artifact.sha256, run.plan, cpus, None, artifact.stateful)))
        return cells

    def _alive(self) -> list[LiveCell]:
        return [cell for cell in self._cells if cell.run.status == "running"]

    def _try(self, cell: LiveCell, board: Board, step: Callable[[LiveCell], T]) -> T | None:
        """Do a step of a cell: again after a cut of the link; a fault of the model ends this cell only."""
        try:
            try:
                return step(cell)
            except LinkLost as exc:
                self._watch.say(self._device.name, exc.message)
                board.reconnect(lambda text: self._watch.say(self._device.name, text), self._request.reconnect_s)
                cell.warn(
                    "link_lost",
                    f"the link was lost and came back ({exc.message}); the step was measured again",
                )
                return step(cell)
        except (DeviceError, ModelError) as exc:
            cell.run = replace(cell.run, status="failed", failure=exc.message)
            self._store.save_run(cell.run)
            self.failures.append(Failure(self._device.name, cell.title(), exc))
            return None

    def _prepare(self, board: Board, cell: LiveCell) -> None:
        name, artifact = self._device.name, cell.run.artifact
        sent = lambda done, total: self._watch.progress(name, f"pushing {cell.title()}", done, total)  # noqa: E731
        board.push_model(artifact.path, artifact.sha256, sent)
        push_inputs(board, cell)
        check_outputs(board, cell)

    def _launches(self, board: Board) -> None:
        launches = max(cell.run.plan.launches for cell in self._cells)  # the same for all of one device
        total = launches * len(self._cells)
        done = 0
        for index in range(launches):
            for cell in self._alive():
                seen = self._try(cell, board, lambda c, i=index: measure_launch(board, c.cell, i))  # type: ignore[misc]
                done += 1
                if seen is None:
                    continue
                self._store.save_launch(cell.run.run_id, seen.launch)
                cell.add(seen)
                self._watch.launched(cell.run, done, total)

    def _memory(self, board: Board, cell: LiveCell) -> None:
        self._watch.say(self._device.name, f"{cell.title()}: memory")
        repeats = tuple(measure_memory(board, cell.cell) for _ in range(MEMORY_REPEATS))
        cell.run = replace(cell.run, memory=repeats)
        self._store.save_run(cell.run)

    def _per_op(self, board: Board, cell: LiveCell) -> None:
        self._watch.say(self._device.name, f"{cell.title()}: operators")
        measure_per_op(board, cell)
        self._store.save_run(cell.run)

    def _accuracy(self, board: Board, cell: LiveCell) -> None:
        evaluation = self._request.evaluation
        if evaluation is None:
            cell.not_measured("top1_ratio", "no_evaluation_data")
            return
        name, what = self._device.name, f"{cell.title()}: accuracy"
        references = dict(self._request.references)
        evaluate(
            board, cell, evaluation, references.get(cell.run.artifact.model),
            lambda done, total: self._watch.progress(name, what, done, total),
        )  # fmt: skip
        self._store.save_run(cell.run)

    def _finish(self, board: Board) -> None:
        with suppress(LinkLost):
            facts = parse_facts(board.agent.probe())
            for cell in self._alive():
                cell.run = replace(cell.run, environment=conditions.with_after(cell.run.environment, facts))
        for cell in self._alive():
            for found in conditions.after(cell):
                cell.warn(found.code, found.text)
            cell.run = replace(cell.run, status="complete")
            self._store.save_run(cell.run)

    def _interrupt(self) -> None:
        for cell in self._alive():
            cell.run = replace(cell.run, status="interrupted")
            with suppress(EdgeprofError):
                self._store.save_run(cell.run)
