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
from edgeprof.errors import LinkLost, ModelError, TransportError
from edgeprof.power import METRICS
from edgeprof.profile.cells import known_facts
from edgeprof.profile.outcome import Failure
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.resume import cell_key
from edgeprof.profile.session import Setting
from edgeprof.profile.tinychecks import WINDOW_S, WINDOWS, check_request, coarse_outputs, doubtful_windows, elements
from edgeprof.records import TINY_DEVICE, RunResult, RunWindow
from edgeprof.remote import Stopped
from edgeprof.tiny import TinyDevice, Window, as_sent, form_of, parse_tiny, sent_bytes
from edgeprof.units import NS_PER_S, NS_PER_US, ns_to_seconds, seconds_to_ns
from edgeprof.warnings_ import warning

_MARGIN_RATIO = 1.05
_TRIAL_RUNS = (1, 10, 100, 1000)
_TRIAL_NS = NS_PER_S // 2
_MOST_RUNS = 1_000_000
# Firmwares print results with three decimals.
_ROUNDING = 0.0005
_PAUSE_S = 1.0
_UNTOLD = (METRICS[0], "peak_rss_bytes", "temp_mc", "freq_khz", "others_cores")

T = TypeVar("T")


class TinySession:
    """Measures the one model that a device's firmware holds; see `Session`, which does it on boards with an agent.

    Attributes:
        failures: What went wrong in the cell; what ends the device is raised.
    """

    def __init__(self, request: ProfileRequest, device: Device, setting: Setting) -> None:
        self._request, self._device, self._setting = request, device, setting
        self._address = parse_tiny(device.url)
        self._runs: list[RunResult] = []
        self._laps_us: list[int] = []
        self._link: TinyDevice | None = None
        self.failures: list[Failure] = []

    def results(self) -> list[RunResult]:
        """Return the cell as far as it got."""
        return list(self._runs)

    def run(self) -> None:
        """Measure; every finished window is in the store before the next begins.

        Raises:
            UsageError: The request asks for what such a device cannot give.
            EdgeprofError: The device, or the line to it, ended the cell.
            Stopped: Somebody set `stop`; the cell reads `interrupted`.
        """
        check_request(self._request)
        self._say(f"connecting to {self._device.url}")
        self._link = self._opened()
        try:
            self._runs.append(self._planned(self._link))
            self._store()
            self._measure()
            self._change(status="complete")
        except ModelError as exc:
            self._change(status="failed", failure=exc.message)
            self.failures.append(Failure(self._device.name, self._cell.artifact.model, exc))
        except BaseException:
            if self._runs:
                self._change(status="interrupted")
            raise
        finally:
            self._link.close()

    @property
    def _cell(self) -> RunResult:
        return self._runs[0]

    @property
    def _open(self) -> TinyDevice:
        assert self._link is not None  # noqa: S101 - `run` opened it
        return self._link

    def _opened(self) -> TinyDevice:
        return TinyDevice(self._address, self._say, self._look)

    def _look(self) -> None:
        if self._setting.stop.is_set():
            raise Stopped

    def _say(self, text: str) -> None:
        self._setting.watch.say(self._device.name, text)

    def _change(self, **values: object) -> None:
        self._runs[0] = replace(self._cell, **values)  # type: ignore[arg-type] # fields of RunResult
        self._store()

    def _store(self) -> None:
        self._setting.store.save_run(self._cell)

    def _warn(self, code: str, text: str) -> None:
        self._change(warnings=(*self._cell.warnings, warning(code, text)))

    def _not_measured(self, metric: str, reason: str) -> None:
        self._change(not_measured=(*self._cell.not_measured, (metric, reason)))

    def _planned(self, link: TinyDevice) -> RunResult:
        artifact, plan = self._request.cells()[0]
        firmware = link.firmware
        said = {"firmware": firmware.profile, "firmware_model": firmware.model, "vendor": firmware.vendor}
        plan = replace(plan, looks=(self._request.launches or WINDOWS,), launch_s=WINDOW_S, accelerator="unknown")
        return RunResult(
            run_id=self._setting.store.new_run_id(),
            created_unix_s=time.time(),
            status="running",
            failure=None,
            artifact=artifact,
            device=self._device.name,
            target=self._device.target,
            board_id=None,
            plan=plan,
            runtime=None,
            environment=tuple((name, value) for name, value in said.items() if value is not None),
            facts=known_facts(artifact),
            warnings=self._request.warnings,
            session=self._setting.session,
            cell_sha256=cell_key(self._request, self._device, artifact, self._request.cells()[0][1]),
            origin=TINY_DEVICE,
            not_measured=tuple((name, "not_in_protocol") for name in _UNTOLD),
        )

    def _measure(self) -> None:
        self._again(self._check_model)
        runs = self._cell.plan.runs or self._again(self._enough)
        self._change(plan=replace(self._cell.plan, runs=runs))
        for index in range(self._cell.plan.looks[-1]):
            self._progress("windows", index, self._cell.plan.looks[-1])
            window = self._again(lambda: self._window(runs))
            self._keep(index, window)
        for code, text in doubtful_windows(self._cell.windows):
            self._warn(code, text)
        for evaluation in self._request.evaluations:
            self._evaluate(evaluation)
        if not self._request.evaluations:
            self._not_measured("top1_ratio", "no_evaluation_data")

    def _again(self, step: Callable[[], T]) -> T:
        """Do a step; again after the line was lost and came back."""
        try:
            return step()
        except LinkLost as exc:
            self._come_back(exc)
            return step()

    def _come_back(self, lost: LinkLost) -> None:
        self._open.close()
        self._say(lost.message)
        end = time.monotonic() + self._request.reconnect_s
        while True:
            if self._setting.stop.wait(_PAUSE_S):
                raise Stopped
            try:
                self._link = self._opened()
                break
            except TransportError as exc:
                if time.monotonic() > end:
                    raise LinkLost(f"`{self._device.name}` did not come back: {exc.message}", lost.hint) from exc
        self._warn("link_lost", f"the line was lost and came back ({lost.message}); what it cut short was done again")
        if samples := self._samples():
            self._open.load(samples[0])

    def _form(self) -> str:
        return self._address.form or form_of(self._open.firmware.model)

    def _samples(self) -> list[bytes]:
        """Return the golden samples in the firmware's own form; none without golden vectors."""
        artifact = self._cell.artifact
        if artifact.golden is None:
            return []
        spec = artifact.inputs[0]
        return [as_sent(spec, self._form(), sample) for sample in golden_samples(artifact)]

    def _check_model(self) -> None:
        """Find out whether the firmware holds this model, as far as outputs of a few samples tell it.

        Raises:
            ModelError: It gives other outputs than the host.
        """
        artifact = self._cell.artifact
        outputs = [self._output(sample) for sample in self._samples()]
        if not outputs:
            spec = artifact.inputs[0]
            self._open.load(bytes(sent_bytes(spec, self._form())))
            self._warn("golden_not_checked", _NO_VECTORS)
        elif len(outputs[0]) != elements(artifact.outputs[0].shape):
            text = f"the firmware prints {len(outputs[0])} numbers, which are not the model's output"
            self._warn("golden_not_checked", f"{text}: whether it holds this model is not known")
        else:
            found = check_golden_values(artifact, np.array(outputs, np.float32), _ROUNDING)
            self._change(golden=found)
            if not found.passed:
                raise ModelError(
                    f"the firmware on `{self._device.name}` gives other outputs than {artifact.path.name} on the host",
                    f"it holds another model, or takes inputs in another form: `?input=`, here `{self._form()}`",
                )

    def _output(self, sample: bytes) -> tuple[float, ...]:
        self._open.load(sample)
        return self._infer(1, 0).results

    def _infer(self, runs: int, warmups: int, expected_s: float = 0.0) -> Window:
        window = self._open.infer(runs, warmups, self._cell.plan.timeout_s + 3 * expected_s)
        self._laps_us += window.laps_us
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
        resolution_ns = NS_PER_US * math.gcd(*self._laps_us)
        kept = RunWindow(index, window.runs, window.elapsed_ns, resolution_ns, window.host_ns)
        # What the clock's step is becomes plainer with each look at it.
        before = (replace(one, resolution_ns=resolution_ns) for one in self._cell.windows)
        self._change(windows=(*before, kept))

    def _evaluate(self, evaluation: EvalSet) -> None:
        artifact, request = self._cell.artifact, self._request
        spec = artifact.inputs[0]
        data = encode_inputs(artifact, evaluation.x)
        size = len(data) // evaluation.n
        rows: list[tuple[float, ...]] = []
        for start in range(0, len(data), size):
            sample = as_sent(spec, self._form(), data[start : start + size])
            rows.append(self._again(lambda sample=sample: self._output(sample)))  # type: ignore[misc]
            self._progress(f"accuracy on {evaluation.name}", len(rows), evaluation.n)
            if len(rows[-1]) != elements(artifact.outputs[0].shape) or len(artifact.outputs) > 1:
                self._not_measured("top1_ratio", "outputs_not_in_protocol")
                return
        outputs = (np.array(rows, np.float32),)
        others = request.others(artifact, evaluation)
        found = judge(artifact, evaluation, outputs, others, request.metrics)
        self._change(evaluations=(*self._cell.evaluations, *found))
        for code, text in (*doubts(found, outputs, others.floats), *coarse_outputs(outputs[0], evaluation)):
            self._warn(code, text)
        if not self._open.reads_back:
            self._warn("loads_not_verified", _NOT_READ_BACK)

    def _progress(self, what: str, done: int, total: int) -> None:
        name = f"{self._cell.artifact.model} {self._cell.artifact.recipe}: {what}"
        self._setting.watch.progress(self._device.name, name, done, total)


_NO_VECTORS = (
    "whether the firmware holds this model was not checked: the host has no runtime to make golden vectors; "
    "`pip install 'edgeprof[compress]'` brings one"
)
_NOT_READ_BACK = (
    "the firmware prints too little of what was loaded to compare it: a flipped digit on the line goes unseen"
)
