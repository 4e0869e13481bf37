"""An agent as the host sees it: a few typed calls, whatever carries them."""

import base64
import struct
from collections.abc import Mapping
from typing import Any, Protocol

from edgeprof.errors import DeviceError
from edgeprof.records import RuntimeInfo, TensorSpec
from edgeprof.remote.answers import (
    DataRequest,
    Evicted,
    InvokeData,
    InvokePerOp,
    InvokeTimed,
    OpenedChild,
    OpenRequest,
    OpEvent,
    Resident,
    Sampled,
    Snapshot,
    Streamed,
)
from edgeprof.remote.wire import PROTOCOL, Progress, Wire
from edgeprof.transport.patience import answer_s
from edgeprof.units import seconds_to_ns

_SHORT_S = 30.0
# The agent ends a child at the plan's own limit and says so; the host waits a little longer for that answer.
_SLACK_S = 15.0
_STREAM_ROUNDS = 20


class Agent(Protocol):
    """What measuring needs of an agent. Every call raises `DeviceError` (`ChildError` for a child) or `LinkLost`."""

    def probe(self) -> dict[str, Any]:
        """Return what the board says of itself, as in the protocol's section "Probe"."""

    def open(self, request: OpenRequest) -> OpenedChild:
        """Start a child with its model allocated."""

    def invoke_count(self, child: int, count: int, timeout_s: float, rate_hz: float | None = None) -> InvokeTimed:
        """Time exactly `count` runs, back to back or at a rate."""

    def invoke_for(
        self,
        child: int,
        duration_s: float,
        min_count: int,
        timeout_s: float,
        rate_hz: float | None = None,
        most_samples: int | None = None,
    ) -> InvokeTimed:
        """Time runs for `duration_s`, and at least `min_count`, back to back or at a rate; keep all, or so many."""

    def invoke_data(self, request: DataRequest, progress: Progress | None = None) -> InvokeData:
        """Run over samples and keep the outputs; `progress` gets samples done and in all."""

    def per_op(self, child: int, count: int, timeout_s: float) -> InvokePerOp:
        """Run exactly `count` times under the profiler; the child was opened with `per_op`."""

    def stream(self, child: int, how: str, size_bytes: int, threads: int, timeout_s: float) -> Streamed:
        """Move memory of so many bytes in the child, by `copy` or `read` (comparing), with so many threads."""

    def snapshot(self, child: int) -> Snapshot:
        """Return the child's memory."""

    def close(self, child: int, *, acknowledged: bool) -> None:
        """End a child; if `acknowledged`, its files may go."""

    def clock(self) -> int:
        """Return the board's monotonic clock in nanoseconds."""

    def thermal_status(self) -> int | None:
        """Return Android's, 0 (none) to 6 (shutdown); `None` on anything else."""

    def sampler_start(self, hz: float, rail: int | None = None) -> int:
        """Begin to sample the board's state, or one of its power rails, away from the cores of open children.

        Return the sampler's number. A rail is read at a random instant of each period.
        """

    def sampler_stop(self, sampler: int) -> Sampled:
        """End a sampler; its file holds a JSON object a line, as in the protocol's section "Sampler"."""


class LinuxAgent:
    """The agent of `device_agents/linux`, over a wire."""

    def __init__(self, wire: Wire, owner: str) -> None:
        self._wire, self._short_s = wire, answer_s(_SHORT_S)
        hello = wire.call("hello", {"protocol": PROTOCOL, "owner": owner, "discard": True}, self._short_s)
        if hello.get("protocol") != PROTOCOL:
            raise DeviceError(f"the agent speaks protocol {hello.get('protocol')}, this host {PROTOCOL}")
        self.kept: tuple[str, ...] = tuple(hello.get("kept") or ())
        self.python: str | None = hello.get("python")

    def probe(self) -> dict[str, Any]:
        """See `Agent`."""
        return self._wire.call("probe", {}, self._short_s)

    def open(self, request: OpenRequest) -> OpenedChild:
        """See `Agent`."""
        params = {
            "runtime": request.runtime,
            "model": request.model_sha256,
            "threads": request.threads,
            "cpus": None if request.cpus is None else list(request.cpus),
            "input": request.input_sha256,
            "timeout_s": request.timeout_s,
            "memory_limit_bytes": None,
            "per_op": request.per_op,
            "cold": request.cold,
        }
        return _opened(self._wire.call("open", params, request.timeout_s + _SLACK_S))

    def invoke_count(self, child: int, count: int, timeout_s: float, rate_hz: float | None = None) -> InvokeTimed:
        """See `Agent`."""
        params = {"child": child, "count": count, "interval_ns": _interval_ns(rate_hz), "timeout_s": timeout_s}
        return _timed(self._wire.call("invoke", params, timeout_s + _SLACK_S))

    def invoke_for(
        self,
        child: int,
        duration_s: float,
        min_count: int,
        timeout_s: float,
        rate_hz: float | None = None,
        most_samples: int | None = None,
    ) -> InvokeTimed:
        """See `Agent`."""
        params = {
            "child": child,
            "duration_ns": seconds_to_ns(duration_s),
            "min_count": min_count,
            "max_count": None,
            "interval_ns": _interval_ns(rate_hz),
            "most_samples": most_samples,
            "timeout_s": timeout_s,
        }
        return _timed(self._wire.call("invoke", params, timeout_s + _SLACK_S))

    def invoke_data(self, request: DataRequest, progress: Progress | None = None) -> InvokeData:
        """See `Agent`."""
        params = {
            "child": request.child,
            "inputs": request.inputs_sha256,
            "count": request.count,
            "fresh": request.fresh,
            "timeout_s": request.timeout_s,
        }
        result = self._wire.call("invoke", params, request.timeout_s + _SLACK_S, progress)
        return InvokeData(result["count"], result["file"], result["sha256"])

    def per_op(self, child: int, count: int, timeout_s: float) -> InvokePerOp:
        """See `Agent`."""
        params = {"child": child, "count": count, "timeout_s": timeout_s}
        got = self._wire.call("per_op", params, timeout_s + _SLACK_S)
        return InvokePerOp(
            count=got["count"],
            events=tuple(OpEvent(e["kind"], e["tag"], e["index"], e["resolution_ns"]) for e in got["events"]),
            file=got["file"],
            sha256=got["sha256"],
            samples=_samples(got),
        )

    def stream(self, child: int, how: str, size_bytes: int, threads: int, timeout_s: float) -> Streamed:
        """See `Agent`."""
        params = {"child": child, "how": how, "size_bytes": size_bytes, "threads": threads, "rounds": _STREAM_ROUNDS}
        got = self._wire.call("stream", {**params, "timeout_s": timeout_s}, timeout_s + _SLACK_S)
        return Streamed(_int64s(base64.b64decode(got["samples"])), got["round_bytes"])

    def snapshot(self, child: int) -> Snapshot:
        """See `Agent`."""
        got = self._wire.call("snapshot", {"child": child}, self._short_s)
        return Snapshot(
            got["rss_bytes"],
            got["peak_rss_bytes"],
            got["anonymous_bytes"],
            got["file_backed_bytes"],
            got["cpu_time_ns"],
            got["involuntary_switches"],
        )

    def close(self, child: int, *, acknowledged: bool) -> None:
        """See `Agent`."""
        self._wire.call("close", {"child": child, "acknowledged": acknowledged}, self._short_s)

    def clock(self) -> int:
        """See `Agent`."""
        return int(self._wire.call("clock", {}, self._short_s)["monotonic_ns"])

    def thermal_status(self) -> int | None:
        """See `Agent`."""
        return None

    def sampler_start(self, hz: float, rail: int | None = None) -> int:
        """See `Agent`."""
        return int(self._wire.call("sampler_start", {"hz": hz, "cpus": None, "rail": rail}, self._short_s)["sampler"])

    def sampler_stop(self, sampler: int) -> Sampled:
        """See `Agent`."""
        got = self._wire.call("sampler_stop", {"sampler": sampler}, self._short_s)
        return Sampled(got["count"], got["file"], got["sha256"])

    def shut(self) -> None:
        """End the agent. Never raises."""
        self._wire.close()


def _opened(got: Mapping[str, Any]) -> OpenedChild:
    stages, resident = got["start_up"], got["resident"]
    return OpenedChild(
        child=got["child"],
        launch=got["launch"],
        inputs=tuple(_tensor(item) for item in got["inputs"]),
        outputs=tuple(_tensor(item) for item in got["outputs"]),
        process_start_ns=stages["process_start_ns"],
        runtime_load_ns=stages["runtime_load_ns"],
        model_load_ns=stages["model_load_ns"],
        allocate_ns=stages["allocate_ns"],
        runtime=_runtime(got["runtime"]),
        empty_call_ns=got["empty_call_ns"],
        before_runtime=_resident(resident["start"]),
        before_model=_resident(resident["runtime"]),
        evicted=_evicted(got.get("evicted")),
    )


def _evicted(found: Mapping[str, Any] | None) -> Evicted | None:
    if found is None:
        return None
    if "error" in found:
        return Evicted(error=found["error"])
    return Evicted(found["bytes"], found["resident_bytes"], tuple(found["stayed"]))


def _tensor(item: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(item["name"], tuple(item["shape"]), item["dtype"], item["scale"], item["zero_point"])


def _runtime(item: Mapping[str, Any]) -> RuntimeInfo:
    return RuntimeInfo(item["name"], item["version"], item["library_sha256"], item["delegate"])


def _resident(item: Mapping[str, Any]) -> Resident:
    return Resident(item["rss_bytes"], item["anonymous_bytes"], item["file_backed_bytes"])


def _interval_ns(rate_hz: float | None) -> int | None:
    return None if rate_hz is None else seconds_to_ns(1 / rate_hz)


def _timed(got: Mapping[str, Any]) -> InvokeTimed:
    return InvokeTimed(
        count=got["count"],
        file=got["file"],
        sha256=got["sha256"],
        samples=_samples(got),
        cpu_time_ns=got["cpu_time_ns"],
        wall_time_ns=got["wall_time_ns"],
        started_unix_ns=got["started_unix_ns"],
        started_monotonic_ns=got["started_monotonic_ns"],
        missed=got["missed"],
    )


def _int64s(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 8}q", data)


def _samples(got: Mapping[str, Any]) -> bytes | None:
    return base64.b64decode(got["samples"]) if "samples" in got else None
