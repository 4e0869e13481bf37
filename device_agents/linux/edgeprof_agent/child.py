"""The isolated process of one launch: one runtime, one model, and only the work that was asked for.

It reads one JSON object a line (first its task, then `invoke`s) and writes what it does; the agent turns that into the protocol's answers.
"""

from __future__ import annotations

import base64
import ctypes
import gc
import json
import mmap
import os
import resource
import signal
import sys
import time
from array import array

from edgeprof_agent import memory
from edgeprof_agent.faults import Fault, from_oserror

_PR_SET_PDEATHSIG = 1
_CHUNK_RUNS = 4096
_INLINE_RUNS = 8192
_EMPTY_CALLS = 2001
_PROGRESS_S = 0.1


def run_child(born_ns: int) -> None:
    """Serve one launch until standard input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # native code prints to descriptor 1; that is the protocol's
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    task = json.loads(sys.stdin.readline())
    launch = Launch(task, out)
    try:
        launch.open(born_ns)
        for line in sys.stdin:
            launch.answer(json.loads(line))
    except Fault as exc:
        launch.say({"error": exc.as_error()})
    except OSError as exc:
        launch.say({"error": from_oserror(exc).as_error()})
    except MemoryError:
        launch.say({"error": Fault("child_out_of_memory", "the memory limit was reached").as_error()})
    except Exception as exc:  # a fault of ours is told, not left to a traceback
        launch.say({"error": Fault("internal", "%s: %s" % (type(exc).__name__, exc)).as_error()})
    out.flush()
    os._exit(0)  # runtimes abort in their destructors; nothing is left to tidy


class Launch:
    """One model in one runtime."""

    def __init__(self, task: dict, out: object) -> None:
        self._task = task
        self._out = out
        self._files = 0

    def say(self, message: dict) -> None:
        """Write one line to the agent."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def open(self, born_ns: int) -> None:
        """Load runtime and model, each stage timed, and report."""
        task = self._task
        self._confine()
        stages = {"process_start_ns": born_ns - task["spawned_ns"]}
        resident = {"start": memory.resident("self")}
        runtime, stages["runtime_load_ns"] = self._stage("runtime", self._load_runtime)
        resident["runtime"] = memory.resident("self")
        self._model, stages["model_load_ns"] = self._stage(
            "model", lambda: runtime.load(task["model"], task["threads"])
        )
        _, stages["allocate_ns"] = self._stage("allocate", self._model.allocate)
        self._fill_inputs()
        resident["model"] = memory.resident("self")
        self.say({"ready": {
            "inputs": self._model.inputs,
            "outputs": self._model.outputs,
            "start_up": stages,
            "resident": resident,
            "empty_call_ns": self._empty_call_ns(),
            "delegate": self._model.delegate(self._noise()),
            "library": runtime.library,
        }})  # fmt: skip

    def answer(self, request: dict) -> None:
        """Do one `invoke` and report."""
        self.say({"stage": "invoke"})
        result = self._data(request) if "inputs" in request else self._timed(request)
        self.say({"result": result})

    def _stage(self, name: str, work: object) -> tuple:
        self.say({"stage": name})
        started_ns = time.perf_counter_ns()
        made = work()
        return made, time.perf_counter_ns() - started_ns

    def _confine(self) -> None:
        cpus, limit = self._task["cpus"], self._task["memory_limit_bytes"]
        if cpus:  # before the runtime starts: its threads inherit it
            try:
                os.sched_setaffinity(0, cpus)
            except (OSError, ValueError) as exc:
                raise Fault("bad_request", "cannot run on cores %s: %s" % (cpus, exc)) from exc
        if limit:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def _load_runtime(self) -> object:
        folder, about = self._task["runtime"], self._task["about"]
        if about["name"] == "litert":
            from edgeprof_agent.litert import LiteRt

            return LiteRt(folder, about)
        if about["name"] == "tflite-runtime":
            from edgeprof_agent.tflite import TfliteRuntime

            return TfliteRuntime(folder, about)
        raise Fault("runtime_failed", "unknown runtime %r" % about["name"])

    def _fill_inputs(self) -> None:
        size = sum(self._model.input_sizes())
        path = self._task["input"]
        if path is None:
            self._model.set_inputs(memoryview(bytes(size)))
            return
        with open(path, "rb") as file:
            data = file.read(size)
        if len(data) < size:
            raise Fault("bad_request", "the input file holds %d bytes, one sample needs %d" % (len(data), size))
        self._model.set_inputs(memoryview(data))

    def _empty_call_ns(self) -> int:
        call, arguments = self._model.empty_call()
        clock, samples = time.perf_counter_ns, array("q", bytes(8 * _EMPTY_CALLS))
        for index in range(_EMPTY_CALLS):
            started = clock()
            call(*arguments)
            samples[index] = clock() - started
        return sorted(samples)[_EMPTY_CALLS // 2]

    def _timed(self, request: dict) -> dict:
        call, arguments = self._model.bare_call()
        gc.collect()
        gc.disable()
        result = {"started_unix_ns": time.time_ns(), "started_monotonic_ns": time.monotonic_ns()}
        cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
        if request.get("count"):
            samples = _time_runs(call, arguments, request["count"])
        else:
            samples = _time_for(call, arguments, request)
        result["wall_time_ns"] = time.perf_counter_ns() - wall_ns
        result["cpu_time_ns"] = time.process_time_ns() - cpu_ns
        gc.enable()
        if sys.byteorder == "big":
            samples.byteswap()
        data = samples.tobytes()
        result.update(count=len(samples), path=self._write(data))
        if len(samples) <= _INLINE_RUNS:
            result["samples"] = base64.b64encode(data).decode()
        return result

    def _data(self, request: dict) -> dict:
        size, count = sum(self._model.input_sizes()), request["count"]
        if os.path.getsize(request["inputs"]) < size * count:
            raise Fault("bad_request", "the input file is too short for %d samples of %d bytes" % (count, size))
        self._files += 1
        path = os.path.join(self._task["launch"], "%d.bin" % self._files)
        with open(request["inputs"], "rb") as file, open(path, "wb") as outputs:
            if size * count == 0:
                raise Fault("bad_request", "there are no samples")
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                self._run_samples(memoryview(mapped), size, request, outputs)
        return {"count": count, "path": path}

    def _run_samples(self, data: memoryview, size: int, request: dict, outputs: object) -> None:
        call, arguments = self._model.bare_call()
        told = time.monotonic()
        for index in range(request["count"]):
            if request["fresh"]:
                self._model.reset()
                call, arguments = self._model.bare_call()
            self._model.set_inputs(data[index * size : (index + 1) * size])
            if call(*arguments):
                raise Fault("invoke_failed", "run %d returned an error" % index)
            outputs.write(self._model.get_outputs())
            if time.monotonic() - told >= _PROGRESS_S:
                told = time.monotonic()
                self.say({"progress": {"done": index + 1, "total": request["count"]}})
        data.release()

    def _write(self, data: bytes) -> str:
        self._files += 1
        path = os.path.join(self._task["launch"], "%d.bin" % self._files)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _noise(self) -> str:
        with open(self._task["stderr"], errors="replace") as file:
            return file.read(1 << 16)


def _time_runs(call: object, arguments: tuple, count: int) -> array:
    """Time `count` calls, each on its own; nothing but the bare call lies between the two readings."""
    samples = array("q", bytes(8 * count))
    clock = time.perf_counter_ns
    for index in range(count):
        started = clock()
        failed = call(*arguments)
        samples[index] = clock() - started
        if failed:
            raise Fault("invoke_failed", "run %d returned an error (%r)" % (index, failed))
    return samples


def _time_for(call: object, arguments: tuple, request: dict) -> array:
    """Time calls for a while, in blocks that are made between the calls."""
    end = time.perf_counter_ns() + request["duration_ns"]
    at_least, at_most = request.get("min_count") or 1, request.get("max_count") or (1 << 62)
    samples = array("q")
    while len(samples) < at_most and (len(samples) < at_least or time.perf_counter_ns() < end):
        samples += _time_block(call, arguments, min(_CHUNK_RUNS, at_most - len(samples)), end, at_least - len(samples))
    return samples


def _time_block(call: object, arguments: tuple, most: int, end: int, least: int) -> array:
    samples = array("q", bytes(8 * most))
    clock = time.perf_counter_ns
    for index in range(most):
        started = clock()
        failed = call(*arguments)
        now = clock()
        samples[index] = now - started
        if failed:
            raise Fault("invoke_failed", "a run returned an error (%r)" % (failed,))
        if now >= end and index + 1 >= least:
            return samples[: index + 1]
    return samples
