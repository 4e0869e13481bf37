"""What is measured of a cell once its launches are done: heat, energy, memory, cold starts, operators, accuracy."""

from collections.abc import Callable
from dataclasses import replace

from edgeprof.boards import BoardFacts
from edgeprof.power import METRICS
from edgeprof.profile import doubts
from edgeprof.profile.cells import LiveCell, evaluate, known_content
from edgeprof.profile.cold import measure_cold
from edgeprof.profile.energy import measure_power
from edgeprof.profile.launch import measure_memory
from edgeprof.profile.outcome import Watch
from edgeprof.profile.peaks import measure_peaks
from edgeprof.profile.per_op import measure_per_op
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.running import Running
from edgeprof.profile.sustained import measure_sustained, throttled_in
from edgeprof.records import CLOCK_WALL
from edgeprof.remote import Board

MEMORY_REPEATS = 3


class Afterwards:
    """Measures, cell by cell, what a request asks for besides latency; every step stores what it gave."""

    def __init__(
        self, board: Board, facts: BoardFacts, request: ProfileRequest, running: Running, watch: Watch
    ) -> None:
        self._board, self._facts, self._request, self._running = board, facts, request, running
        self._watch, self._name = watch, board.device.name

    def steps(self) -> tuple[Callable[[LiveCell], None], ...]:
        """Return the steps in their order; each may be done again after a cut of the link."""
        return (self._sustained, self._power, self._memory, self._cold, self._per_op, self._accuracy, self._file)

    def _sustained(self, cell: LiveCell) -> None:
        seconds = cell.run.plan.sustained_s
        if seconds is None or cell.run.plan.clock != CLOCK_WALL:
            return
        windows = measure_sustained(self._board, cell.cell, seconds, self._progress(f"{cell.title()}: sustained"))
        cell.run = replace(cell.run, sustained=windows)
        for found in doubts.held_back(throttled_in(windows), "in the sustained run "):
            cell.warn(found.code, found.text)
        self._running.save(cell)

    def _power(self, cell: LiveCell) -> None:
        request = self._request
        if not request.energy:
            cell.not_measured(METRICS[0], "not_asked")
        if request.verdict_only or not request.energy:  # a pair's took turns
            return
        say = lambda text: self._say(f"{cell.title()}: {text}")  # noqa: E731
        trace = measure_power(self._board, cell, self._facts, request.source, say)
        cell.run = replace(cell.run, power=trace)
        self._running.save(cell)

    def _memory(self, cell: LiveCell) -> None:
        if self._request.verdict_only:
            cell.not_measured("peak_rss_bytes", "not_asked")
            return
        self._say(f"{cell.title()}: memory")
        repeats = tuple(measure_memory(self._board, cell.cell) for _ in range(MEMORY_REPEATS))
        cell.run = replace(cell.run, memory=repeats)
        self._running.save(cell)

    def _cold(self, cell: LiveCell) -> None:
        if not self._request.cold:
            return
        self._say(f"{cell.title()}: cold starts")
        measure_cold(self._board, cell)
        self._running.save(cell)

    def _per_op(self, cell: LiveCell) -> None:
        if not self._request.per_op:
            return
        self._say(f"{cell.title()}: operators")
        measure_per_op(self._board, cell, self._request.per_op_by)
        if cell.run.op_profile is not None:
            measure_peaks(self._board, cell, self._facts, self._say)
        self._running.save(cell)

    def _accuracy(self, cell: LiveCell) -> None:
        request, artifact = self._request, cell.run.artifact
        cell.run = replace(cell.run, evaluations=())  # after a cut of the link this begins anew
        if not request.evaluations:
            cell.not_measured("top1_ratio", "no_evaluation_data")
        for evaluation in request.evaluations:
            what = f"{cell.title()}: accuracy" + (f" on {evaluation.name}" if len(request.evaluations) > 1 else "")
            others = request.others(artifact, evaluation)
            evaluate(self._board, cell, evaluation, others, request.metrics, self._progress(what))
        self._running.save(cell)

    def _file(self, cell: LiveCell) -> None:
        artifact, facts = cell.run.artifact, cell.run.facts
        found = known_content(artifact.path, artifact.sha256)
        if facts is not None and found is not None:
            nonzero, packed_bytes = found
            cell.run = replace(cell.run, facts=replace(facts, nonzero_parameters=nonzero, gzip_bytes=packed_bytes))
            self._running.save(cell)

    def _say(self, text: str) -> None:
        self._watch.say(self._name, text)

    def _progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self._watch.progress(self._name, what, done, total)
