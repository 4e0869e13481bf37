"""One device's part of a profile: its cells in turns."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from edgeprof.boards import BoardFacts, parse_facts
from edgeprof.devices import Device
from edgeprof.errors import DeviceError, LinkLost, MeasurementError, ModelError, UsageError
from edgeprof.profile import conditions, doubts
from edgeprof.profile.afterwards import Afterwards
from edgeprof.profile.cells import LiveCell, check_outputs, push_inputs
from edgeprof.profile.energy_turns import energy_in_turns
from edgeprof.profile.gates import Gate
from edgeprof.profile.launch import LiveLaunch, turns
from edgeprof.profile.pinning import Pinning
from edgeprof.profile.request import ProfileRequest, plan_on, resolve_cpus
from edgeprof.profile.resume import cell_key
from edgeprof.profile.rounds import groups, is_enough, order
from edgeprof.profile.running import Running, Setting
from edgeprof.profile.state import Watcher, Window
from edgeprof.profile.taking_up import same_runtime, take_up
from edgeprof.records import RunResult
from edgeprof.remote import Board, connect_board

T = TypeVar("T")


class Session:
    """Measures every cell of a request on one device.

    Attributes:
        failures: What went wrong in cells; what ends the whole device is raised.
        connected: The board was ready for our own agent.
    """

    def __init__(self, request: ProfileRequest, device: Device, setting: Setting) -> None:
        self._request = request
        self._device = device
        self._setting = setting
        self._watch = setting.watch
        self._running = Running(request, device, setting)
        self._watcher: Watcher | None = None
        self._pinning = Pinning(request.plan, lambda text: setting.watch.say(device.name, text))
        self.failures = self._running.failures
        self.connected = False

    def results(self) -> list[RunResult]:
        """Return the cells as far as they got."""
        return self._running.results()

    def run(self) -> None:
        """Measure; every finished launch is in the store before the next begins.

        Raises:
            EdgeprofError: The device, or the way to it, ended all of its cells.
            Stopped: Somebody set `stop`; the cells under way read `interrupted`.
        """
        watch, name = self._watch, self._device.name
        watch.say(name, f"connecting to {self._device.url}")
        sent = lambda done, total: watch.progress(name, "pushing", done, total)  # noqa: E731
        say = lambda text: watch.say(name, text)  # noqa: E731
        with connect_board(self._device, self._request.setup, say, sent, self._setting.stop) as board:
            self.connected = True
            try:
                with self._pinning.held(board):
                    self._measure(board, parse_facts(board.agent.probe()))
            except BaseException:
                self._running.interrupt()
                raise

    def _measure(self, board: Board, facts: BoardFacts) -> None:
        self._plan(facts)
        together = groups(self._cells, facts)
        if self._setting.pair:
            self._take_up(together)
        for group in together:
            name = (group[0].run.group or self._setting.store.new_run_id()) if len(group) > 1 else None
            for cell in group:
                cell.run = replace(cell.run, group=name)
                self._running.save(cell)
        for cell in self._cells:
            self._try(cell, board, lambda c: self._prepare(board, c))
        self._watched(board, facts, together)
        if self._request.verdict_only and self._request.energy:
            told = lambda done, total: self._watch.progress(self._device.name, "energy in turns", done, total)  # noqa: E731
            energy_in_turns(board, self._cells, facts, self._request, lambda c, do: self._kept(c, board, do), told)
        for step in Afterwards(board, facts, self._request, self._running, self._watch).steps():
            for cell in self._running.alive():
                self._try(cell, board, step)
        self._finish(board, facts)

    @property
    def _cells(self) -> list[LiveCell]:
        return self._running.cells

    def _plan(self, facts: BoardFacts) -> None:
        """Take the cells in as they begin; nothing is stored if one of them asks for what the board has not."""
        for artifact, plan in self._running.wanted():
            cpus = resolve_cpus(plan.cpus, facts.core_ranks(), self._device.name)
            run = self._running.begin(artifact, plan, cell_key(self._request, self._device, artifact, plan), facts)
            environment = run.environment + self._pinning.environment(facts)
            here = plan_on(self._request, plan, facts.ns_per_instruction)
            self._running.add(replace(run, plan=here, environment=environment), cpus)

    def _take_up(self, together: Sequence[Sequence[LiveCell]]) -> None:
        """Go on with a pair that was cut short; one that cannot be taken up stays as it is."""
        cells, self._running.cells = self._cells, []
        if len(together) > 1:
            hint = "free some; or without `--resume` both are measured anew"
            raise MeasurementError(f"`{self._device.name}` has too little free memory for both at once now", hint)
        kept = take_up(cells, self._setting.pair, self._setting.store)
        self._watch.say(self._device.name, f"going on with {cells[0].run.run_id} and {cells[1].run.run_id}: {kept}")
        self._running.cells = cells

    def _try(self, cell: LiveCell, board: Board, step: Callable[[LiveCell], T]) -> T | None:
        """Do a step of a cell; again after a cut of the link."""
        try:
            return self._alone(cell, lambda: step(cell))
        except LinkLost as exc:
            self._come_back(board, exc, [cell])
            return self._alone(cell, lambda: step(cell)) if cell.run.status == "running" else None

    def _kept(self, cell: LiveCell, board: Board, step: Callable[[LiveCell], None]) -> None:
        """Do a step of a cell, and store what it gave."""
        self._try(cell, board, step)
        self._running.save(cell)

    def _alone(self, cell: LiveCell, step: Callable[[], T]) -> T | None:
        """Do a step of a cell; a fault of its model or of its process ends this cell only."""
        return self._running.alone(cell, step, (DeviceError, ModelError, UsageError))

    def _come_back(self, board: Board, lost: LinkLost, cells: Sequence[LiveCell]) -> None:
        self._watch.say(self._device.name, lost.message)
        board.reconnect(lambda text: self._watch.say(self._device.name, text), self._request.reconnect_s)
        self._pinning.begin(board)
        if self._watcher:
            self._watcher.start(board)
        for cell in self._running.alive():  # of what was written just before it died, a board may have kept nothing
            self._alone(cell, lambda c=cell: self._push(board, c))  # type: ignore[misc]
        for cell in cells:
            text = f"the link was lost and came back ({lost.message}); what it cut short was measured again"
            cell.warn("link_lost", text)

    def _prepare(self, board: Board, cell: LiveCell) -> None:
        self._push(board, cell)
        check_outputs(board, cell)

    def _push(self, board: Board, cell: LiveCell) -> None:
        """Put what a cell runs on the board, unless it is there."""
        name, artifact = self._device.name, cell.run.artifact
        sent = lambda done, total: self._watch.progress(name, f"pushing {cell.title()}", done, total)  # noqa: E731
        board.push_model(artifact.path, artifact.sha256, sent)
        push_inputs(board, cell)

    def _watched(self, board: Board, facts: BoardFacts, together: Sequence[Sequence[LiveCell]]) -> None:
        """Measure the launches with a sampler beside them; not where it would be counted with them."""
        if facts.ns_per_instruction is not None:
            for cell in self._running.alive():
                for name, _ in conditions.unseen(facts, ()):
                    cell.not_measured(name, "clock_counts_instructions")
            self._launches(board, together)
            return
        self._watcher = Watcher(max(1, len(facts.running())))
        self._watcher.start(board)
        self._launches(board, together)
        self._watcher.stop(board)
        for cell in self._running.alive():
            seen = self._watcher.states(len(cell.run.launches))
            earlier = (*cell.run.states, *[None] * len(seen))  # of a pair that was taken up
            cell.run = replace(cell.run, states=tuple(now or was for now, was in zip(seen, earlier, strict=False)))
            environment = conditions.with_sampler(cell.run.environment, self._watcher.cost_ratio)
            cell.run = replace(cell.run, environment=environment)
            for name, reason in conditions.unseen(facts, cell.run.states):
                cell.not_measured(name, reason)

    def _launches(self, board: Board, together: Sequence[Sequence[LiveCell]]) -> None:
        looks = self._cells[0].run.plan.looks  # the same for all of one device
        done = min(len(cell.run.launches) for cell in self._cells)
        self._watch.progress(self._device.name, "first launch", done, looks[0])
        chance = random.Random(f"{self._cells[0].run.run_id} from {done}")  # noqa: S311 - an order, not a secret
        for index in range(done, looks[-1]):
            if index in looks and is_enough([cell.run for cell in self._running.alive()], self._request):
                return
            for group in together:
                self._round(board, group, index, chance)

    def _round(self, board: Board, group: Sequence[LiveCell], index: int, chance: random.Random) -> None:
        """Measure a launch of every cell of a group; again, for those that have none yet, after a cut of the link."""
        try:
            self._wait(board, group)
            self._take_turns(board, group, index, chance)
        except LinkLost as exc:
            self._come_back(board, exc, [cell for cell in group if cell.run.status == "running"])
            self._take_turns(board, group, index, chance)

    def _wait(self, board: Board, group: Sequence[LiveCell]) -> None:
        name = self._device.name
        reason = Gate(group[0].run.plan, name, lambda text: self._watch.say(name, text)).wait(board)
        for cell in group if reason else ():
            cell.warn("gate_timeout", f"launches began though the wait was over and {reason}")

    def _take_turns(self, board: Board, group: Sequence[LiveCell], index: int, chance: random.Random) -> None:
        cells = [cell for cell in group if _lacks(cell, index)]
        if not cells:
            return
        start_ns = board.agent.clock()
        each = turns(cells[0].run.plan, len(cells))
        live = self._begun(board, cells, index, each)
        for cell in order(list(live), each, chance):
            if cell.run.status == "running":
                self._alone(cell, live[cell].take_turn)
        own_ns = sum(self._ended(cell, launch, index) for cell, launch in live.items())
        if self._watcher:
            end_ns = board.agent.clock()
            self._watcher.mark(index, Window(start_ns, end_ns, own_ns, board.agent.thermal_status()))

    def _begun(self, board: Board, cells: Sequence[LiveCell], index: int, each: int) -> dict[LiveCell, LiveLaunch]:
        """Return a launch under way for every cell that can have one."""
        live = {}
        for cell in cells:
            launch = self._alone(cell, lambda c=cell: LiveLaunch(board, c.cell, index, each))  # type: ignore[misc]
            if launch:
                live[cell] = launch
        return live

    def _ended(self, cell: LiveCell, launch: LiveLaunch, index: int) -> int:
        """End a cell's launch and store it; return how long it had a core, which others' load is told from."""
        seen = self._alone(cell, launch.end) if cell.run.status == "running" else None
        if seen is None:
            return 0
        if self._setting.pair:
            same_runtime(cell.run, seen.runtime)
        self._setting.store.save_launch(cell.run.run_id, seen.launch)
        cell.add(seen)
        if index == 0:
            self._running.save(cell)  # what ran it, should the host die
        self._tell(cell, index)
        return seen.cpu_time_ns

    def _tell(self, cell: LiveCell, index: int) -> None:
        look = next(look for look in cell.run.plan.looks if look > index)
        done = index * len(self._cells) + self._cells.index(cell) + 1
        self._watch.launched(cell.run, done, look * len(self._cells))

    def _finish(self, board: Board, before: BoardFacts) -> None:
        try:
            self._compare_state(before, parse_facts(board.agent.probe()))
        except LinkLost:
            for cell in self._running.alive():
                cell.not_measured("state_after", "link_lost")
        for cell in self._running.alive():
            for found in doubts.after(cell):
                cell.warn(found.code, found.text)
            self._running.complete(cell)

    def _compare_state(self, before: BoardFacts, after: BoardFacts) -> None:
        """Put into the runs how the board is after them, and what that says against it before."""
        for cell in self._running.alive():
            cell.run = replace(cell.run, environment=conditions.with_after(cell.run.environment, after))
            held_back = doubts.throttling(before, cell.run.states, after)
            clocks = (*self._pinning.doubts(after, cell.run.states), *doubts.changed(before, after))
            for found in (*held_back, *clocks, *doubts.heat(cell.run)):
                cell.warn(found.code, found.text)


def _lacks(cell: LiveCell, index: int) -> bool:
    return cell.run.status == "running" and len(cell.run.launches) == index
