"""What is asked of an agent, and what it answers, as values."""

from dataclasses import dataclass

from edgeprof.records import RuntimeInfo, TensorSpec


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
        cold: Model and runtime leave the board's page cache before the process starts.
    """

    runtime: str
    model_sha256: str
    threads: int = 1
    cpus: tuple[int, ...] | None = None
    input_sha256: str | None = None
    timeout_s: float = 120.0
    per_op: bool = False
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Resident:
    """Memory of a process at one moment."""

    rss_bytes: int
    anonymous_bytes: int
    file_backed_bytes: int


@dataclass(frozen=True, slots=True)
class Evicted:
    """What became of files that were to leave the page cache.

    Attributes:
        file_bytes: All of them.
        resident_bytes: What was in memory still.
        stayed: Names of the files that it belongs to.
        error: Why nobody knows; else `None`.
    """

    file_bytes: int = 0
    resident_bytes: int = 0
    stayed: tuple[str, ...] = ()
    error: str | None = None


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
        evicted: Of a cold start; `None` of any other.
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
    evicted: Evicted | None = None


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
class Streamed:
    """Rounds of moving memory: how long each took, how many bytes each moved."""

    rounds_ns: tuple[int, ...]
    round_bytes: int


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
