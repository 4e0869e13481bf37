"""A device that speaks MLPerf Tiny's protocol: windows of runs between two timestamps, and outputs of samples."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from edgeprof.accuracy import (
    EvalSet,
    check_golden_values,
    doubts,
    encode_inputs,
    golden_samples,
    judge,
)
from edgeprof.devices import Device
from edgeprof.errors import LinkLost, ModelError
from edgeprof.power import METRICS
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.resume import cell_key, find_begun
from edgeprof.profile.running import Running, Setting
from edgeprof.profile.tinychecks import (
    NO_VECTORS,
    NOT_READ_BACK,
    WINDOW_S,
    WINDOWS,
    check_request,
    coarse_outputs,
    doubtful_windows,
    elements,
    part_outputs,
    reached,
    stored_outputs,
)
from edgeprof.profile.tinylink import TinyLink
from edgeprof.records import TINY_DEVICE, RunResult, RunWindow
from edgeprof.tiny import Firmware, Window, as_sent, sent_bytes
from edgeprof.units import NS_PER_S, NS_PER_US, ns_to_seconds, seconds_to_ns
from edgeprof.warnings_ import warning

_MARGIN_RATIO = 1.05
_TRIAL_RUNS = (1, 10, 100, 1000)
_TRIAL_NS = NS_PER_S // 2
_MOST_RUNS = 1_000_000
# Firmwares print results with three decimals.
_ROUNDING = 0.0005
# A host that is killed loses the samples of so long.
_STORE_S = 2.0
_UNTOLD = (METRICS[0], "peak_rss_bytes", "temp_mc", "freq_khz", "others_cores")

T = TypeVar("T")


class TinySession:
    """Measures the one model that a device's firmware holds; see `Session`, which does it on boards with an agent.

    Attributes:
        failures: What went wrong in the cell; what ends the device is raised.
    """

    def __init__(self, request: ProfileRequest, device: Device, setting: Setting) -> None:
        self._request, self._device, self._setting = request, device, setting
        self._link = TinyLink(device, setting)
        self._running = Running(request, device, setting)
        self.failures = self._running.failures
        self._step_us = 0

    def results(self) -> list[RunResult]:
        """Return the cell as far as it got."""
        return self._running.results()

    def run(self) -> None:
        """Measure; every finished window is in the store before the next begins.

        A run that the session broke off is gone on with, window by window and sample by sample.

        Raises:
            UsageError: The request asks for what such a device cannot give.
            EdgeprofError: The device, or the line to it, ended the cell.
            Stopped: Somebody set `stop`; the cell reads `interrupted`.
        """
        check_request(self._request)
        self._link.say(f"connecting to {self._device.url}")
        self._link.open()
        try:
            cell = self._running.add(self._taken_up(self._planned(self._link.device.firmware)))
            self._store()
            self._running.alone(cell, self._measure, (ModelError,))
            if cell.run.status == "running":
                self._running.complete(cell)
        except BaseException:
            self._running.interrupt()
            raise
        finally:
            self._link.close()

    @property
    def _live(self) -> LiveCell:
        return self._running.cells[0]

    @property
    def _cell(self) -> RunResult:
        return self._live.run

    def _change(self, **values: object) -> None:
        self._live.run = replace(self._cell, **values)  # type: ignore[arg-type] # fields of RunResult
        self._store()

    def _store(self) -> None:
        self._running.save(self._live)

    def _planned(self, firmware: Firmware) -> RunResult:
        artifact, plan = self._request.cells()[0]
        said = {"firmware": firmware.profile, "firmware_model": firmware.model, "vendor": firmware.vendor}
        return replace(
            self._running.begin(artifact, plan, cell_key(self._request, self._device, artifact, plan)),
            plan=replace(plan, looks=(self._request.launches or WINDOWS,), launch_s=WINDOW_S, accelerator="unknown"),
            environment=tuple((name, value) for name, value in said.items() if value is not None),
            origin=TINY_DEVICE,
            not_measured=tuple((name, "not_in_protocol") for name in _UNTOLD),
        )

    def _taken_up(self, new: RunResult) -> RunResult:
        """Return the run that the session broke off, if it is of this firmware and got anywhere; else the new one."""
        earlier = find_begun(self._setting.store, self._setting.session, new.cell_sha256 or "")
        if earlier is None or earlier.environment != new.environment or not (earlier.windows or earlier.part):
            return new
        if earlier.windows:
            self._step_us = earlier.windows[-1].resolution_ns // NS_PER_US
        found = warning("resumed", f"broken off after {reached(earlier)}, and gone on with from there")
        self._link.say(found.text)
        return replace(earlier, status="running", warnings=(*earlier.warnings, found))

    def _measure(self) -> None:
        self._again(self._check_model)
        runs = self._cell.plan.runs or self._again(self._enough)
        self._change(plan=replace(self._cell.plan, runs=runs))
        for index in range(len(self._cell.windows), self._cell.plan.looks[-1]):
            self._progress("windows", index, self._cell.plan.looks[-1])
            window = self._again(lambda: self._window(runs))
            self._keep(index, window)
        for code, text in doubtful_windows(self._cell.windows):
            self._live.warn(code, text)
        done = {found.data for found in self._cell.evaluations}
        for evaluation in self._request.evaluations:
            if evaluation.name not in done:
                self._evaluate(evaluation)
        if not self._request.evaluations:
            self._live.not_measured("top1_ratio", "no_evaluation_data")

    def _again(self, step: Callable[[], T]) -> T:
        """Do a step; again after the line was lost and came back."""
        try:
            return step()
        except LinkLost as exc:
            self._come_back(exc)
            return step()

    def _come_back(self, lost: LinkLost) -> None:
        self._link.come_back(lost, self._request.reconnect_s)
        text = f"the line was lost and came back ({lost.message}); what it cut short was done again"
        self._live.warn("link_lost", text)
        self._store()
        if samples := self._samples():
            self._link.device.load(samples[0])

    def _samples(self) -> list[bytes]:
        """Return the golden samples in the firmware's own form; none without golden vectors."""
        artifact = self._cell.artifact
        if artifact.golden is None:
            return []
        spec = artifact.inputs[0]
        return [as_sent(spec, self._link.form, sample) for sample in golden_samples(artifact)]

    def _check_model(self) -> None:
        """Find out whether the firmware holds this model, as far as outputs of a few samples tell it.

        Raises:
            ModelError: It gives other outputs than the host.
        """
        artifact = self._cell.artifact
        outputs = [self._output(sample) for sample in self._samples()]
        if not outputs:
            spec = artifact.inputs[0]
            self._link.device.load(bytes(sent_bytes(spec, self._link.form)))
            self._live.warn("golden_not_checked", NO_VECTORS)
        elif len(outputs[0]) != elements(artifact.outputs[0].shape):
            text = f"the firmware prints {len(outputs[0])} numbers, which are not the model's output"
            self._live.warn("golden_not_checked", f"{text}: whether it holds this model is not known")
        else:
            found = check_golden_values(artifact, np.array(outputs, np.float32), _ROUNDING)
            self._change(golden=found)
            if not found.passed:
                raise ModelError(
                    f"the firmware on `{self._device.name}` gives other outputs than {artifact.path.name} on the host",
                    f"it holds another model, or takes inputs in another form: `?input=`, here `{self._link.form}`",
                )

    def _output(self, sample: bytes) -> tuple[float, ...]:
        self._link.device.load(sample)
        return self._infer(1, 0).results

    def _infer(self, runs: int, warmups: int, expected_s: float = 0.0) -> Window:
        window = self._link.device.infer(runs, warmups, self._cell.plan.timeout_s + 3 * expected_s)
        self._step_us = math.gcd(self._step_us, *window.laps_us)
        return window

    def _enough(self) -> int:
        """Return how many runs fill a window, by runs that do not count."""
        each_ns = 0.0
        for runs in _TRIAL_RUNS:
            taken_ns = self._infer(runs, 0).elapsed_ns
            each_ns = taken_ns / runs
            if taken_ns >= _TRIAL_NS:
                break
        if each_ns <= 0:
            raise ModelError(
                f"the clock of `{self._device.name}` stands still over {_TRIAL_RUNS[-1]} runs",
                "are its timestamps in microseconds? `--runs N` sets how many runs a window has",
            )
        return min(_MOST_RUNS, math.ceil(_MARGIN_RATIO * seconds_to_ns(WINDOW_S) / each_ns))

    def _window(self, runs: int) -> Window:
        before = [ns_to_seconds(window.elapsed_ns) for window in self._cell.windows]
        return self._infer(runs, self._cell.plan.warmup_runs, max(before, default=WINDOW_S))

    def _keep(self, index: int, window: Window) -> None:
        resolution_ns = NS_PER_US * self._step_us
        kept = RunWindow(index, window.runs, window.elapsed_ns, resolution_ns, window.host_ns)
        # What the clock's step is becomes plainer with each look at it.
        before = (replace(one, resolution_ns=resolution_ns) for one in self._cell.windows)
        self._change(windows=(*before, kept))

    def _evaluate(self, evaluation: EvalSet) -> None:
        artifact, request = self._cell.artifact, self._request
        rows = self._outputs(evaluation)
        if rows is None:
            self._live.not_measured("top1_ratio", "outputs_not_in_protocol")
            return
        outputs = (np.array(rows, np.float32),)
        others = request.others(artifact, evaluation)
        found = judge(artifact, evaluation, outputs, others, request.metrics)
        for code, text in (*doubts(found, outputs, others.floats), *coarse_outputs(outputs[0], evaluation)):
            self._live.warn(code, text)
        self._change(evaluations=(*self._cell.evaluations, *found), part=None)

    def _outputs(self, evaluation: EvalSet) -> list[tuple[float, ...]] | None:
        """Return the outputs of every sample, or `None` where others are printed; the cell keeps what there is."""
        artifact = self._cell.artifact
        data, size = encode_inputs(artifact, evaluation.x), elements(artifact.outputs[0].shape)
        each = len(data) // evaluation.n
        rows = stored_outputs(self._cell.part, evaluation, size)
        stored_at = time.monotonic()
        try:
            for start in range(each * len(rows), len(data), each):
                sample = as_sent(artifact.inputs[0], self._link.form, data[start : start + each])
                rows.append(self._again(lambda sample=sample: self._output(sample)))  # type: ignore[misc]
                if len(rows[-1]) != size or len(artifact.outputs) > 1:
                    rows.clear()
                    return None
                self._progress(f"accuracy on {evaluation.name}", len(rows), evaluation.n)
                if time.monotonic() > stored_at + _STORE_S:
                    self._keep_outputs(evaluation, rows)
                    self._store()
                    stored_at = time.monotonic()
            return rows
        finally:
            self._keep_outputs(evaluation, rows)

    def _keep_outputs(self, evaluation: EvalSet, rows: list[tuple[float, ...]]) -> None:
        if not self._link.device.reads_back:
            self._live.warn("loads_not_verified", NOT_READ_BACK)
        self._live.run = replace(self._cell, part=part_outputs(evaluation, rows))

    def _progress(self, what: str, done: int, total: int) -> None:
        name = f"{self._cell.artifact.model} {self._cell.artifact.recipe}: {what}"
        self._setting.watch.progress(self._device.name, name, done, total)
