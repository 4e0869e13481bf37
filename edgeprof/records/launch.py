"""What one launch brings back, and the state that the board was in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartUp:
    """The stages of one process's start, each on its own.

    Attributes:
        process_start_ns: From the agent's spawn to the child's first statement.
        runtime_load_ns: Loading the runtime's library.
        model_load_ns: Opening and checking the model.
        allocate_ns: Compiling it: delegates, tensors, packed weights as far as the runtime does it here.
        first_inference_ns: The first run.
    """

    process_start_ns: int
    runtime_load_ns: int
    model_load_ns: int
    allocate_ns: int
    first_inference_ns: int


@dataclass(frozen=True, slots=True)
class RunWindow:
    """Runs of which a device told only when they began and ended: a mean, and nothing of the single ones.

    Attributes:
        index: 0 for the first of a cell.
        runs: How many.
        elapsed_ns: From the begin to the end, by the device's clock.
        resolution_ns: The step in which that clock was seen to move.
        host_ns: The same by the host's clock, from one message's arrival to the other's.
    """

    index: int
    runs: int
    elapsed_ns: int
    resolution_ns: int
    host_ns: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process after at least one inference, against the same process before it loaded the model.

    Attributes:
        anonymous_growth_bytes: Growth of private anonymous memory: weights as the runtime packed them, and the arena.
        file_backed_growth_bytes: Growth of file-backed memory: the mapped model file and libraries.
        peak_rss_bytes: The process's highest resident set.
        runtime_bytes: Growth of resident memory by loading the runtime's library.
        agent_bytes: Resident memory of the agent's process before that, its interpreter included; `None` in runs of
            older versions.
    """

    anonymous_growth_bytes: int
    file_backed_growth_bytes: int
    peak_rss_bytes: int
    runtime_bytes: int
    agent_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CoreClock:
    """A core's clock in kHz: at the last look before a round of launches, meanwhile, and at the first look after.

    `None` where nobody saw it.
    """

    before: int | None
    low: int | None
    high: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class State:
    """How the board did while one round of launches ran; what it does not say is `None`.

    Attributes:
        temp_mc: Highest temperature of any zone, in thousandths of a degree Celsius.
        freq_khz_low: Lowest clock of any core.
        freq_khz_high: Highest clock of any core.
        others_cores: How many cores processes of others kept busy, on average.
        throttled: Every bit of throttling that a Raspberry Pi's firmware showed meanwhile.
        core_khz: Clock of each core, in the board's order; empty where none says its own.
        thermal_status: Android's at the end of the round, 0 (none) to 6 (shutdown).
    """

    temp_mc: int | None
    freq_khz_low: int | None
    freq_khz_high: int | None
    others_cores: float | None
    throttled: int | None = None
    core_khz: tuple[CoreClock, ...] = ()
    thermal_status: int | None = None


@dataclass(frozen=True, slots=True)
class SustainedWindow:
    """A second of a run that goes on for minutes.

    Attributes:
        start_s: When it began, from the beginning of the first.
        runs: Runs in it.
        median_ns: Median latency.
        p90_ns: 90th percentile of latency.
        temp_mc: Highest temperature of any zone, or `None`.
        freq_khz_high: Highest clock of any core, or `None`.
        throttled: Every bit of throttling that a Raspberry Pi's firmware showed in it, or `None`.
    """

    start_s: float
    runs: int
    median_ns: float
    p90_ns: float
    temp_mc: int | None
    freq_khz_high: int | None
    throttled: int | None = None


@dataclass(frozen=True, slots=True)
class RawLaunch:
    """One fresh process: everything it measured, nothing summarised.

    Attributes:
        index: 0 for the first launch of a cell.
        latency_ns: Each timed run by the board's clock, in order; `RunPlan.amount` says what it stands for.
        warmup_ns: Each warm-up run, in order (the first inference is in `start_up`).
        start_up: The stages before.
        cpu_time_ns: User and system time of the process during the timed runs.
        wall_time_ns: Duration of the timed part.
        started_unix_ns: The board's clock when the timed part began.
        missed: Runs at a rate that began a whole interval late or more.
        blocks: Timed runs in each block, in order, where cells took turns block by block; else empty.
    """

    index: int
    latency_ns: tuple[int, ...]
    warmup_ns: tuple[int, ...]
    start_up: StartUp
    cpu_time_ns: int
    wall_time_ns: int
    started_unix_ns: int
    missed: int = 0
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryLaunch:
    """One fresh process of a vendor's tool, which keeps no samples: what its result file says, and nothing more.

    Attributes:
        index: 0 for the first launch of a cell.
        runs: Timed runs.
        warmup_runs: Runs before them.
        mean_ns: Mean latency, as every other figure here the tool's own.
        min_ns: Shortest latency.
        max_ns: Longest latency.
        init_ns: Loading the model until it is ready.
        first_inference_ns: The first run.
        median_ns: Median latency.
        p05_ns: 5th percentile of latency.
        p95_ns: 95th percentile of latency.
        stddev_ns: Standard deviation of latency.
        warmup_mean_ns: Mean of the runs before.
        memory_growth_bytes: Growth of the process's memory from its start to its end, or `None` if it does not say.
        peak_bytes: Its highest memory, or `None` where nobody asked it to look.
    """

    index: int
    runs: int
    warmup_runs: int
    mean_ns: int
    min_ns: int
    max_ns: int
    init_ns: int
    first_inference_ns: int
    median_ns: int
    p05_ns: int
    p95_ns: int
    stddev_ns: int
    warmup_mean_ns: int
    memory_growth_bytes: int | None = None
    peak_bytes: int | None = None
