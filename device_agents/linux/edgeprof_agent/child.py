"""The isolated process: one runtime, one model, one thread of ours. It answers `serve` line by line."""

from __future__ import annotations

import base64
import json
import os
import sys
import time

from edgeprof_agent import memory, system
from edgeprof_agent.errors import AgentError, from_exception
from edgeprof_agent.events import profiled
from edgeprof_agent.lines import send
from edgeprof_agent.timing import timed

_PROGRESS_EVERY_NS = 100_000_000
_INLINE_RUNS = 8192
_MODEL_MARK = b"TFL3"  # file_identifier of schema.fbs, at byte 4


def main() -> None:
    """Run a child: the first line on standard input says what to open, each further one is a request."""
    born_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    spec = json.loads(sys.stdin.buffer.readline().decode())
    system.die_with(spec["parent"])
    wire = system.own_stdout()
    try:
        system.limit(spec["memory_limit_bytes"])
        child = Child(wire, spec)
        send(wire, {"result": child.open(born_ns)})
        _serve(child, wire)
    except Exception as exc:
        send(wire, {"error": from_exception(exc).as_json()})
    sys.stderr.flush()
    os._exit(0)  # runtimes abort in their destructors


def _serve(child: Child, wire: int) -> None:
    for line in iter(sys.stdin.buffer.readline, b""):
        try:
            answer = {"result": child.invoke(json.loads(line.decode()))}
        except Exception as exc:
            answer = {"error": from_exception(exc).as_json()}
        send(wire, answer)
        if answer.get("error", {}).get("code") == "child_out_of_memory":
            return  # nothing can be trusted to work after that


class Child:
    """A runtime with a model in it.

    Args:
        wire: Where stages and progress are written.
        spec: What `serve` sent: `folder`, `about`, `model`, `threads`, `input`, `per_op`, `launch_path`, `spawned_ns`.
    """

    def __init__(self, wire: int, spec: dict) -> None:
        self._wire = wire
        self._spec = spec
        self._files = 0

    def open(self, born_ns: int) -> dict:
        """Load the runtime and the model; return what `open` answers as far as the child knows it.

        Raises:
            AgentError: `runtime_failed`, `model_refused`, `bad_request` for an input that is too short.
        """
        spec, resident = self._spec, {"start": memory.resident()}
        stages = {"process_start_ns": born_ns - spec["spawned_ns"]}
        runtime_class = _runtime_class(spec["about"]["name"], spec["per_op"])
        self._stage("runtime")
        self._runtime = _timed_stage(
            stages, "runtime_load_ns", runtime_class, spec["folder"], spec["about"], spec["threads"]
        )
        resident["runtime"] = memory.resident()
        self._stage("model")
        _check_model(spec["model"])
        _timed_stage(stages, "model_load_ns", self._runtime.load, spec["model"])
        self._stage("allocate")
        _timed_stage(stages, "allocate_ns", self._runtime.allocate)
        self._first_fill()
        resident["model"] = memory.resident()
        return dict(self._about(), start_up=stages, resident=resident, empty_call_ns=self._runtime.empty_call_ns())

    def invoke(self, params: dict) -> dict:
        """Do an `invoke`, timed or over data, a `per_op` or a `stream`.

        Raises:
            AgentError: `invoke_failed`, `bad_request`, `no_profiler`.
            OSError: The results could not be written.
        """
        if not params.get("most_samples"):  # thinned series are for long runs: each takes the place of the last
            self._files += 1
        path = os.path.join(self._spec["launch_path"], "{:04d}".format(self._files))
        if params.get("stream"):
            return self._stream(params["stream"], path + ".stream")
        if params.get("per_op"):
            return self._per_op(params, path + ".ops")
        return self._data(params, path + ".out") if params.get("inputs_path") else self._timed(params, path + ".ns")

    def _timed(self, params: dict, path: str) -> dict:
        try:
            times, status, about = timed(self._runtime.invoke, self._runtime.args, params)
        except (RuntimeError, ValueError) as exc:
            raise AgentError("invoke_failed", self._runtime.failure(exc)) from exc
        if status:
            raise AgentError("invoke_failed", self._runtime.failure(status))
        kept = times[:: -(-len(times) // params["most_samples"])] if params.get("most_samples") else times
        return dict(about, count=len(times), **_kept(kept, path))

    def _per_op(self, params: dict, path: str) -> dict:
        try:
            events, times = profiled(self._runtime, params["count"])
        except (RuntimeError, ValueError) as exc:
            raise AgentError("invoke_failed", self._runtime.failure(exc)) from exc
        return dict(count=params["count"], events=events, **_kept(times, path))

    def _stream(self, params: dict, path: str) -> dict:
        from edgeprof_agent.stream import stream

        rounds, moved_bytes = stream(params)
        return dict(count=len(rounds), round_bytes=moved_bytes, **_kept(rounds, path))

    def _data(self, params: dict, path: str) -> dict:
        count, size = params["count"], self._sample_bytes()
        there = os.path.getsize(params["inputs_path"])
        if count * size > there:
            raise AgentError(
                "bad_request", "{} samples are {} bytes, the file has {}".format(count, count * size, there)
            )
        with open(params["inputs_path"], "rb") as samples:
            _written(path, self._outputs(samples, count, size, params["fresh"]))
        self._first_fill()
        return {"count": count, "path": path}

    def _outputs(self, samples: object, count: int, size: int, fresh: bool) -> object:
        told_ns = time.monotonic_ns()
        for done in range(count):
            if fresh:
                self._runtime.reset()
            self._runtime.fill(samples.read(size))
            self._run()
            yield self._runtime.read()
            if time.monotonic_ns() - told_ns >= _PROGRESS_EVERY_NS:
                told_ns = time.monotonic_ns()
                send(self._wire, {"progress": {"done": done + 1, "total": count}})

    def _run(self) -> None:
        try:
            status = self._runtime.invoke(*self._runtime.args)
        except (RuntimeError, ValueError) as exc:
            raise AgentError("invoke_failed", self._runtime.failure(exc)) from exc
        if status:
            raise AgentError("invoke_failed", self._runtime.failure(status))

    def _first_fill(self) -> None:
        size, path, sample = self._sample_bytes(), self._spec["input"], b""
        if path is not None:
            with open(path, "rb") as file:
                sample = file.read(size)
            if len(sample) < size:
                raise AgentError("bad_request", "one sample is {} bytes, the input has {}".format(size, len(sample)))
        self._runtime.fill(sample or bytes(size))

    def _sample_bytes(self) -> int:
        return sum(tensor.size for tensor in self._runtime.inputs)

    def _about(self) -> dict:
        return {
            "inputs": [tensor.spec for tensor in self._runtime.inputs],
            "outputs": [tensor.spec for tensor in self._runtime.outputs],
            "runtime": {
                "name": self._spec["about"]["name"],
                "version": self._runtime.version,
                "library_sha256": self._spec["library_sha256"],
                "delegate": self._runtime.delegate,
            },
        }

    def _stage(self, name: str) -> None:
        send(self._wire, {"stage": name})


def _runtime_class(name: str, per_op: bool) -> type:
    if name == "litert":
        if per_op:
            from edgeprof_agent.litert_events import ProfiledLiteRt

            return ProfiledLiteRt
        from edgeprof_agent.litert import LiteRt

        return LiteRt
    if per_op:
        from edgeprof_agent.tflite_events import ProfiledTfLite

        return ProfiledTfLite
    from edgeprof_agent.tflite import TfLite

    return TfLite


def _timed_stage(stages: dict, name: str, do: object, *args: object) -> object:
    start_ns = time.perf_counter_ns()
    result = do(*args)
    stages[name] = time.perf_counter_ns() - start_ns
    return result


def _check_model(path: str) -> None:
    with open(path, "rb") as file:
        head = file.read(8)
    if head[4:] != _MODEL_MARK:
        raise AgentError("model_refused", "not a .tflite file: no TFL3 at byte 4")


def _kept(times: object, path: str) -> dict:
    """Write an array of int64 and return where it is, with its content where that is short."""
    if sys.byteorder == "big":
        times.byteswap()
    data = times.tobytes()
    short = {"samples": base64.b64encode(data).decode()} if len(times) <= _INLINE_RUNS else {}
    return dict(short, path=_written(path, [data]))


def _written(path: str, parts: object) -> str:
    try:
        with open(path, "wb") as file:
            for part in parts:
                file.write(part)
    except BaseException:
        try:
            os.unlink(path)
        except OSError:
            pass
        raise
    return path
