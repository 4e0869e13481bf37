"""One device's part of a profile where no agent of ours can measure: launches of a vendor's program, as summaries.

A launch is a fresh process here too, but there are no samples: no percentile of ours, no memory by kind, no energy, no
accuracy, no check of outputs. Cells take turns launch by launch, never block by block, and are never compared in turns.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from edgeprof.boards import BoardFacts, parse_facts
from edgeprof.devices import Device
from edgeprof.errors import DeviceError, EdgeprofError, MeasurementError, UsageError
from edgeprof.profile import conditions
from edgeprof.profile.cells import LiveCell, known_facts
from edgeprof.profile.launch import Cell
from edgeprof.profile.outcome import Failure
from edgeprof.profile.request import ProfileRequest, resolve_cpus
from edgeprof.profile.resume import cell_key
from edgeprof.profile.session import Setting
from edgeprof.records import Artifact, RunPlan, RunResult, RuntimeInfo, State
from edgeprof.remote.vendor import TOOL, VendorBoard, VendorRun, connect_vendor
from edgeprof.units import NS_PER_MS, quantity

# It times in whole microseconds: below so much, a step is more than a hundredth.
_COARSE_NS = NS_PER_MS / 10
_HOW = (
    f"{TOOL} measured this in its own way, on random inputs and with whatever delegate it chose: "
    "summaries without samples, never compared in turns, no gate on a tail"
)
_NOT_CHECKED = f"{TOOL} shows no outputs: nothing says that this board computes the model rightly"


class VendorSession:
    """Measures every cell of a request on one device by `benchmark_model`; used like `Session`.

    Attributes:
        failures: What went wrong in cells; what ends the whole device is raised.
    """

    def __init__(self, request: ProfileRequest, device: Device, setting: Setting, reason: EdgeprofError) -> None:
        self._request = request
        self._device = device
        self._setting = setting
        self._reason = reason
        self._cells: list[LiveCell] = []
        self.failures: list[Failure] = []

    def results(self) -> list[RunResult]:
        """Return the cells as far as they got."""
        return [cell.run for cell in self._cells]

    def run(self) -> None:
        """Measure; every finished launch is in the store before the next begins.

        Raises:
            UsageError: The request asks for what the program cannot do.
            EdgeprofError: The device, or the way to it, ended all of its cells.
            Stopped: Somebody set `stop`; the cells under way read `interrupted`.
        """
        watch, name = self._setting.watch, self._device.name
        _refuse(self._request)
        watch.say(name, f"by {TOOL}, for our own agent cannot: {self._reason.message}")
        sent = lambda done, total: watch.progress(name, "pushing", done, total)  # noqa: E731
        say = lambda text: watch.say(name, text)  # noqa: E731
        with connect_vendor(self._device, self._request.setup, say, sent, self._setting.stop) as board:
            facts = parse_facts(board.probe())
            try:
                self._measure(board, facts)
            except BaseException:
                self._interrupt()
                raise

    def _measure(self, board: VendorBoard, facts: BoardFacts) -> None:
        for artifact, plan in self._request.cells():
            key = _key(self._request, self._device, artifact, plan)
            if key not in self._setting.finished:
                self._cells.append(self._planned(board, facts, (artifact, plan, key)))
        for cell in self._cells:
            self._setting.store.save_run(cell.run)
            self._alone(cell, lambda c=cell: board.push_model(c.run.artifact.path, c.run.artifact.sha256))  # type: ignore[misc]
        count = self._cells[0].run.plan.looks[-1] if self._cells else 0
        for index in range(count):
            for cell in self._alive():
                self._alone(cell, lambda c=cell, i=index: self._launch(board, c, i))  # type: ignore[misc]
        self._finish(board)

    def _planned(self, board: VendorBoard, facts: BoardFacts, what: tuple[Artifact, RunPlan, str]) -> LiveCell:
        artifact, plan, key = what
        cpus = resolve_cpus(plan.cpus, facts.core_ranks(), self._device.name)
        run = RunResult(
            run_id=self._setting.store.new_run_id(),
            created_unix_s=time.time(),
            status="running",
            failure=None,
            artifact=artifact,
            device=self._device.name,
            target=self._device.target,
            board_id=facts.board_id,
            plan=replace(plan, looks=(self._request.launches or plan.looks[0],)),
            runtime=RuntimeInfo(TOOL, f"sha256 {board.sha256[:12]}", board.sha256, "delegate unknown"),
            environment=conditions.environment(facts),
            facts=known_facts(artifact),
            warnings=(*self._request.warnings, *conditions.before(facts, self._device, artifact, plan)),
            session=self._setting.session,
            cell_sha256=key,
            origin=TOOL,
        )
        cell = LiveCell(run, Cell(artifact.sha256, run.plan, cpus, None, artifact.stateful))
        cell.warn("foreign", _HOW)
        cell.warn("golden_not_checked", _NOT_CHECKED)
        return cell

    def _alive(self) -> list[LiveCell]:
        return [cell for cell in self._cells if cell.run.status == "running"]

    def _alone(self, cell: LiveCell, step: Callable[[], object]) -> None:
        """Do a step of a cell; a fault of its process or of its result ends this cell only."""
        try:
            step()
        except (DeviceError, MeasurementError) as exc:
            cell.run = replace(cell.run, status="failed", failure=exc.message)
            self._setting.store.save_run(cell.run)
            self.failures.append(Failure(self._device.name, cell.title(), exc))

    def _launch(self, board: VendorBoard, cell: LiveCell, index: int) -> None:
        run, plan = cell.run, cell.run.plan
        wanted = VendorRun(
            model_sha256=run.artifact.sha256,
            model_bytes=run.artifact.size_bytes,
            threads=plan.threads,
            cpus=cell.cell.cpus,
            runs=plan.runs,
            least_runs=plan.min_runs,
            least_s=plan.launch_s,
            warmup_runs=plan.warmup_runs,
            warmup_s=plan.warmup_s,
            timeout_s=plan.timeout_s,
        )
        launch = board.launch(wanted, index).launch
        status = board.thermal_status()
        state = None if status is None else State(None, None, None, None, thermal_status=status)
        cell.run = replace(run, summaries=(*run.summaries, launch), states=(*run.states, state))
        self._setting.store.save_run(cell.run)
        done = index * len(self._cells) + self._cells.index(cell) + 1
        self._setting.watch.launched(cell.run, done, plan.looks[-1] * len(self._cells))

    def _finish(self, board: VendorBoard) -> None:
        facts = parse_facts(board.probe())
        for cell in self._alive():
            cell.run = replace(cell.run, environment=conditions.with_after(cell.run.environment, facts))
            _doubt(cell)
            cell.run = replace(cell.run, status="complete")
            self._setting.store.save_run(cell.run)

    def _interrupt(self) -> None:
        for cell in self._alive():
            cell.run = replace(cell.run, status="interrupted")
            self._setting.store.save_run(cell.run)


def _doubt(cell: LiveCell) -> None:
    typical = median(one.median_ns for one in cell.run.summaries)
    if typical < _COARSE_NS:
        shown = quantity("latency_ns", typical)
        cell.warn("short_inference", f"a run takes {shown}, and {TOOL} counts whole microseconds")
    for found in conditions.heat(cell.run):
        cell.warn(found.code, found.text)


def _refuse(request: ProfileRequest) -> None:
    """Refuse what the program cannot do and the user asked for by name.

    Raises:
        UsageError: Such as a rate, whose latency it counts from another moment than we do.
    """
    asked = {
        "--rate": request.plan.rate_hz is not None,
        "--sustained": request.plan.sustained_s is not None,
        "--per-op": request.per_op,
        "--cold": request.cold,
        "--eval": bool(request.evaluations),
        "--max-temp": request.plan.max_temp_mc is not None,
        "--idle": request.plan.idle,
    }
    found = [option for option, wanted in asked.items() if wanted]
    if found:
        hint = f"leave {' and '.join(found)} out, or bring what our own agent needs: docs/android.md"
        raise UsageError(f"{TOOL} gives summaries alone, and {found[0]} needs more", hint)


def _key(request: ProfileRequest, device: Device, artifact: Artifact, plan: RunPlan) -> str:
    """Return the hash of a cell as the program measures it, which is no cell that our agent measured."""
    return hashlib.sha256(f"{TOOL} {cell_key(request, device, artifact, plan)}".encode()).hexdigest()
