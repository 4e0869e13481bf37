"""An agent as the host sees it: a few typed calls, whatever carries them."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edgeprof.errors import DeviceError
from edgeprof.records import RuntimeInfo, TensorSpec
from edgeprof.remote.wire import PROTOCOL, Progress, Wire
from edgeprof.units import seconds_to_ns

_SHORT_S = 30.0
# The agent ends a child at the plan's own limit and says so; the host waits a little longer for that answer.
_SLACK_S = 15.0


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A child to start: one model in one fresh process.

    Attributes:
        runtime: The runtime's folder on the board.
        model_sha256: Which model, already there.
        threads: Threads the runtime may use.
        cpus: Cores it may run on, or `None` for all.
        input_sha256: A file whose first sample fills the inputs, or `None` for zeros.
        timeout_s: Longest it may take to be ready.
        per_op: With the runtime's profiler, for `per_op` alone: it makes every run slower.
    """

    runtime: str
    model_sha256: str
    threads: int = 1
    cpus: tuple[int, ...] | None = None
    input_sha256: str | None = None
    timeout_s: float = 120.0
    per_op: bool = False


@dataclass(frozen=True, slots=True)
class Resident:
    """Memory of a process at one moment."""

    rss_bytes: int
    anonymous_bytes: int
    file_backed_bytes: int


@dataclass(frozen=True, slots=True)
class OpenedChild:
    """A child that has its model allocated and has run nothing yet.

    Attributes:
        child: Its number.
        launch: The folder of its files.
        inputs: The model's inputs as the runtime sees them.
        outputs: Its outputs.
        process_start_ns: From spawn to its first statement.
        runtime_load_ns: Loading the library.
        model_load_ns: Opening the model.
        allocate_ns: Compiling it.
        runtime: What will run it.
        empty_call_ns: Cost of timing a call that does nothing.
        before_runtime: Memory before the library was loaded.
        before_model: Memory after that, before the model.
    """

    child: int
    launch: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    process_start_ns: int
    runtime_load_ns: int
    model_load_ns: int
    allocate_ns: int
    runtime: RuntimeInfo
    empty_call_ns: int
    before_runtime: Resident
    before_model: Resident


@dataclass(frozen=True, slots=True)
class InvokeTimed:
    """Timed runs: where their latencies lie on the board, and what they cost.

    `samples` holds the file's bytes where they are few enough to have come along; `missed` counts runs at a rate that
    began an interval late or more.
    """

    count: int
    file: str
    sha256: str
    samples: bytes | None
    cpu_time_ns: int
    wall_time_ns: int
    started_unix_ns: int
    started_monotonic_ns: int
    missed: int


@dataclass(frozen=True, slots=True)
class DataRequest:
    """Samples to run.

    Attributes:
        child: In which child.
        inputs_sha256: The samples, already on the board.
        count: How many.
        fresh: Reset the model's variables before each.
        timeout_s: Longest that all of them may take.
    """

    child: int
    inputs_sha256: str
    count: int
    fresh: bool
    timeout_s: float


@dataclass(frozen=True, slots=True)
class InvokeData:
    """Runs over samples: where their outputs lie on the board."""

    count: int
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class OpEvent:
    """An operator or kernel that a profiler showed in every run.

    Attributes:
        kind: `node`: the runtime ran this operator itself. `kernel`: a delegate ran it, in place of operators.
            `inner`: a part of the node around it, whose time holds this one's.
        tag: A node's operator, or the name of a kernel.
        index: The node's place in the file; of a kernel, its number in its delegate.
        resolution_ns: The step of the clock behind its durations.
    """

    kind: str
    tag: str
    index: int
    resolution_ns: int


@dataclass(frozen=True, slots=True)
class InvokePerOp:
    """Profiled runs: what each showed, in order, and where their durations lie on the board.

    The file holds int64: the latency of each run, then for each event its duration in each run. `samples` holds its
    bytes where they are few enough to have come along.
    """

    count: int
    events: tuple[OpEvent, ...]
    file: str
    sha256: str
    samples: bytes | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A child's process at one moment."""

    rss_bytes: int
    peak_rss_bytes: int
    anonymous_bytes: int
    file_backed_bytes: int
    cpu_time_ns: int
    involuntary_switches: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a sampler left: where its lines lie on the board."""

    count: int
    file: str
    sha256: str


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

    def snapshot(self, child: int) -> Snapshot:
        """Return the child's memory."""

    def close(self, child: int, *, acknowledged: bool) -> None:
        """End a child; if `acknowledged`, its files may go."""

    def clock(self) -> int:
        """Return the board's monotonic clock in nanoseconds."""

    def sampler_start(self, hz: float, rail: int | None = None) -> int:
        """Begin to sample the board's state, or one of its power rails, away from the cores of open children.

        Return the sampler's number. A rail is read at a random instant of each period.
        """

    def sampler_stop(self, sampler: int) -> Sampled:
        """End a sampler; its file holds a JSON object a line, as in the protocol's section "Sampler"."""


class LinuxAgent:
    """The agent of `device_agents/linux`, over a wire."""

    def __init__(self, wire: Wire, owner: str) -> None:
        self._wire = wire
        hello = wire.call("hello", {"protocol": PROTOCOL, "owner": owner, "discard": True}, _SHORT_S)
        if hello.get("protocol") != PROTOCOL:
            raise DeviceError(f"the agent speaks protocol {hello.get('protocol')}, this host {PROTOCOL}")
        self.kept: tuple[str, ...] = tuple(hello.get("kept") or ())
        self.python: str | None = hello.get("python")

    def probe(self) -> dict[str, Any]:
        """See `Agent`."""
        return self._wire.call("probe", {}, _SHORT_S)

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

    def snapshot(self, child: int) -> Snapshot:
        """See `Agent`."""
        got = self._wire.call("snapshot", {"child": child}, _SHORT_S)
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
        self._wire.call("close", {"child": child, "acknowledged": acknowledged}, _SHORT_S)

    def clock(self) -> int:
        """See `Agent`."""
        return int(self._wire.call("clock", {}, _SHORT_S)["monotonic_ns"])

    def sampler_start(self, hz: float, rail: int | None = None) -> int:
        """See `Agent`."""
        return int(self._wire.call("sampler_start", {"hz": hz, "cpus": None, "rail": rail}, _SHORT_S)["sampler"])

    def sampler_stop(self, sampler: int) -> Sampled:
        """See `Agent`."""
        got = self._wire.call("sampler_stop", {"sampler": sampler}, _SHORT_S)
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
    )


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


def _samples(got: Mapping[str, Any]) -> bytes | None:
    return base64.b64decode(got["samples"]) if "samples" in got else None
