"""One device's part of a profile where no agent of ours can measure: launches of a vendor's program, as summaries.

A launch is a fresh process here too, but there are no samples: no percentile of ours, no memory by kind, no energy, no
accuracy, no check of outputs. Cells take turns launch by launch, never block by block, and are never compared in turns.
"""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

from edgeprof.boards import BoardFacts, parse_facts
from edgeprof.devices import Device
from edgeprof.errors import DeviceError, EdgeprofError, MeasurementError, UsageError
from edgeprof.profile import conditions, doubts
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.request import ProfileRequest, resolve_cpus
from edgeprof.profile.resume import cell_keys
from edgeprof.profile.running import Running, Setting
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
        self._running = Running(request, device, setting)
        self.failures = self._running.failures

    def results(self) -> list[RunResult]:
        """Return the cells as far as they got."""
        return self._running.results()

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
                self._running.interrupt()
                raise

    def _measure(self, board: VendorBoard, facts: BoardFacts) -> None:
        for artifact, plan in self._running.wanted():
            self._begin(board, facts, artifact, plan)
        cells = self._running.cells
        for cell in cells:
            self._running.save(cell)
            self._alone(cell, lambda c=cell: board.push_model(c.run.artifact.path, c.run.artifact.sha256))  # type: ignore[misc]
        count = cells[0].run.plan.looks[-1] if cells else 0
        for index in range(count):
            for cell in self._running.alive():
                self._alone(cell, lambda c=cell, i=index: self._launch(board, c, i))  # type: ignore[misc]
        self._finish(board)

    def _begin(self, board: VendorBoard, facts: BoardFacts, artifact: Artifact, plan: RunPlan) -> None:
        cpus = resolve_cpus(plan.cpus, facts.core_ranks(), self._device.name)
        key = cell_keys(self._request, self._device, artifact, plan)[-1]  # the program is named
        run = self._running.begin(artifact, plan, key, facts)
        runtime = RuntimeInfo(TOOL, f"sha256 {board.sha256[:12]}", board.sha256, "delegate unknown")
        plan = replace(plan, looks=(self._request.launches or plan.looks[0],))
        cell = self._running.add(replace(run, plan=plan, runtime=runtime, origin=TOOL), cpus)
        cell.warn("foreign", _HOW)
        cell.warn("golden_not_checked", _NOT_CHECKED)

    def _alone(self, cell: LiveCell, step: Callable[[], object]) -> None:
        """Do a step of a cell; a fault of its process or of its result ends this cell only."""
        self._running.alone(cell, step, (DeviceError, MeasurementError))

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
        self._running.save(cell)
        cells = self._running.cells
        done = index * len(cells) + cells.index(cell) + 1
        self._setting.watch.launched(cell.run, done, plan.looks[-1] * len(cells))

    def _finish(self, board: VendorBoard) -> None:
        facts = parse_facts(board.probe())
        for cell in self._running.alive():
            cell.run = replace(cell.run, environment=conditions.with_after(cell.run.environment, facts))
            _doubt(cell)
            self._running.complete(cell)


def _doubt(cell: LiveCell) -> None:
    typical = median(one.median_ns for one in cell.run.summaries)
    if typical < _COARSE_NS:
        shown = quantity("latency_ns", typical)
        cell.warn("short_inference", f"a run takes {shown}, and {TOOL} counts whole microseconds")
    for found in doubts.heat(cell.run):
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
        "--pin-clocks": request.plan.pin_clocks is not None,
        "--power-mode": request.plan.power_mode is not None,
    }
    found = [option for option, wanted in asked.items() if wanted]
    if found:
        hint = f"leave {' and '.join(found)} out, or bring what our own agent needs: docs/android.md"
        raise UsageError(f"{TOOL} gives summaries alone, and {found[0]} needs more", hint)
