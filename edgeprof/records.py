"""The values that pass between the parts: frozen, with units in their names.

`None` means unknown or not measured, never zero; the reason stands beside it.
"""

from dataclasses import dataclass, field
from pathlib import Path

from edgeprof.scores import Evaluation

CLOCK_WALL = "wall"
CLOCK_INSTRUCTIONS = "instructions"
ACCELERATOR_CPU = "cpu"
ORIGIN = "edgeprof"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: The tensor's name in the flatbuffer.
        shape: Its dimensions, batch included; a dynamic dimension stands as 1.
        dtype: numpy's name, such as `float32` or `int8`.
        scale: Real value of one step, or `None` where the tensor is not quantised.
        zero_point: The integer that stands for 0.0, or `None`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A `.tflite` file ready for boards, and what is known of it.

    Attributes:
        path: The file on the host.
        sha256: Its content's hash; its identity everywhere.
        size_bytes: Its length.
        model: Name of the model it came from (a file's stem).
        recipe: How it was made: `fp32`, `int8`, …; `as-is` for a `.tflite` that the user brought.
        inputs: Its inputs, in the subgraph's order.
        outputs: Its outputs, in the subgraph's order.
        stateful: It keeps variables between runs, which must be reset before each sample.
        parent_sha256: The hash of the model file it was made from, or `None`.
        golden: A `.npz` with `in0`, `in1`, … and `out0`, …, each `(n, *shape)` in the tensor's own dtype, made on the
            host; or `None` where the host had no runtime to make it.
        versions: Pairs of library and version that made it.
        warnings: Pairs of code and text: what the user ought to know of how it was made.
        steps: A line for each change of the model before it was converted: its kind and settings.
        seed: Of everything random in those steps; `None` without any.
        train_sha256: The hash of the training data's file, or `None`.
        float_bytes: What the model takes as a plain float `.tflite`, or `None` where that is not known.
    """

    path: Path
    sha256: str
    size_bytes: int
    model: str
    recipe: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    stateful: bool = False
    parent_sha256: str | None = None
    golden: Path | None = None
    versions: tuple[tuple[str, str], ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    seed: int | None = None
    train_sha256: str | None = None
    float_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The float Keras model's own outputs on an evaluation set: what compression is compared with.

    Attributes:
        outputs: A `.npz` with `out0`, `out1`, …, each `(n, elements)`, float32, in the model's own order; or `None`
            where the model was given as `.tflite`.
        sha256: Hash of the model file that gave them.
    """

    outputs: Path | None
    sha256: str


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What to measure in one cell (artifact × device × threads × cpus).

    Attributes:
        looks: Numbers of launches (fresh processes, each one observation) after which measuring may end, in order;
            the last is the most. One number is a plan without a stop rule.
        precision_ratio: It ends at a look where the interval reaches no further than this share from its point.
        runs: Timed runs in each launch, or `None` to fill `launch_s`.
        launch_s: Length of the timed part of a launch where `runs` is `None`.
        min_runs: At least so many timed runs in a launch, whatever they take.
        rate_hz: Timed runs a second, each measured from when it was due; `None` for back to back.
        sustained_s: Length of a long run after the launches, or `None`.
        max_temp_mc: A launch waits until the hottest zone is no hotter, in thousandths of a degree Celsius, or `None`.
        idle: A launch waits until others leave the board alone.
        gate_s: Longest that a launch waits.
        warmup_s: Warm-up lasts at least this long …
        warmup_runs: … and at least so many runs, until two windows agree (see docs/measurement.md).
        threads: Threads the runtime may use.
        cpus: Cores it may run on, as the user said it (`all`, `0-3`).
        runtime: `auto`, `litert` or `tflite-runtime`.
        clock: `wall`, or `instructions` on a virtual board that counts them; the board says which.
        ns_per_instruction: What one instruction adds to the clock of such a board; else `None`.
        accelerator: `cpu`; part of a result's identity from the first day.
        timeout_s: A launch that takes longer is ended and reported.
    """

    looks: tuple[int, ...] = (8, 16, 32)
    precision_ratio: float = 0.05
    runs: int | None = None
    launch_s: float = 0.5
    min_runs: int = 64
    rate_hz: float | None = None
    sustained_s: float | None = None
    max_temp_mc: int | None = None
    idle: bool = False
    gate_s: float = 300.0
    warmup_s: float = 0.2
    warmup_runs: int = 5
    threads: int = 1
    cpus: str = "all"
    runtime: str = "auto"
    clock: str = CLOCK_WALL
    ns_per_instruction: int | None = None
    accelerator: str = ACCELERATOR_CPU
    timeout_s: float = 120.0

    @property
    def metric(self) -> str:
        """Return what a timed run is measured in: `latency_ns`, or `guest_instructions`, which is no time."""
        return "latency_ns" if self.ns_per_instruction is None else "guest_instructions"

    def amount(self, clock_ns: float) -> float:
        """Return a span of the board's clock in `metric`."""
        return clock_ns / (self.ns_per_instruction or 1)


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
    """

    temp_mc: int | None
    freq_khz_low: int | None
    freq_khz_high: int | None
    others_cores: float | None
    throttled: int | None = None
    core_khz: tuple[CoreClock, ...] = ()


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
    """

    start_s: float
    runs: int
    median_ns: float
    p90_ns: float
    temp_mc: int | None
    freq_khz_high: int | None


@dataclass(frozen=True, slots=True)
class OpTime:
    """One operator of the graph, or one kernel of a delegate, in the profiled runs.

    Attributes:
        kernel: What the runtime calls it; `None` for an operator that showed no time of its own: fused, or removed.
        delegated: A delegate ran it, or has it somewhere in its kernels.
        node: The operator's place in the file; `None` where it is not certain which operators the kernel stands for.
        op: The operator's name, such as `CONV_2D`; `None` likewise.
        shape: Of the operator's first output, or `None`.
        dtype: Of the operator's first output, or `None`.
        resolution_ns: The step of the clock behind `runs_ns`.
        runs_ns: Its duration in each run, by the board's clock; empty without a `kernel`.
        macs: Multiply-accumulates by its shapes; `None` where the node is not certain or shapes do not say.
        arithmetic: The type its MACs are of (`float32`, `int8`, `float32×int8`), or `None` without any.
        weight_bytes: Weights and biases it reads, or `None` where the node is not certain.
        activation_bytes: What it reads and writes besides, or `None` likewise.
    """

    kernel: str | None
    delegated: bool
    node: int | None
    op: str | None
    shape: tuple[int, ...] | None
    dtype: str | None
    resolution_ns: int
    runs_ns: tuple[int, ...]
    macs: int | None = None
    arithmetic: str | None = None
    weight_bytes: int | None = None
    activation_bytes: int | None = None

    @property
    def moved_bytes(self) -> int | None:
        """Return all that it reads and writes once, weights included; `None` where that is not known."""
        if self.weight_bytes is None or self.activation_bytes is None:
            return None
        return self.weight_bytes + self.activation_bytes


@dataclass(frozen=True, slots=True)
class OpProfile:
    """Time by operator: under the runtime's profiler, or of each operator as a model of its own.

    Attributes:
        ops: In the order in which they ran; operators without a time of their own at the end.
        latency_ns: Each profiled run as a whole, by the board's clock; empty of sub-models, which have none.
        method: `profiler`, or `submodels`.
        call_ns: Of sub-models: what a run of a model of one product takes, the runtime's own part of each.
    """

    ops: tuple[OpTime, ...]
    latency_ns: tuple[int, ...]
    method: str = "profiler"
    call_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class PeakProbe:
    """A short measurement of how fast a board is at one thing.

    Attributes:
        kind: `float32` or `int8`: products through the runtime; `memory`: blocks moved by the C library.
        what: The operator with its shapes; of memory `copy` or `read`.
        amount: Multiply-accumulates, or bytes, of one run.
        runs_ns: Duration of each run, by the board's clock.
        size_bytes: Of memory: how large all blocks together are; else `None`.
    """

    kind: str
    what: str
    amount: int
    runs_ns: tuple[int, ...]
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Peaks:
    """What a board reaches at most, under the conditions named.

    Attributes:
        probes: Every measurement; the fastest of a kind counts.
        conditions: Pairs of fact and value that the figures hold for: runtime, threads, cores, governor, …
        measured_unix_s: When, by the host's clock.
        not_measured: Pairs of a kind of probe and what the board said instead.
    """

    probes: tuple[PeakProbe, ...]
    conditions: tuple[tuple[str, str], ...]
    measured_unix_s: float
    not_measured: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model's file says of it, kept with the run: the file may be gone when somebody asks.

    Attributes:
        operators: In its main graph.
        macs: Of all operators whose shapes say.
        uncounted: Names of operators whose shapes do not say.
        parameters: Weights and biases, shared ones once.
        weight_bytes: What they take in the file.
        peak_live_bytes: Most of activations that must be kept at once.
        quantised: Some tensor holds integers that stand for real numbers.
        float_ops: Names of operators that compute floats, borders left out.
        border_ops: How many operators only turn integers into floats or back.
    """

    operators: int
    macs: int
    uncounted: tuple[str, ...]
    parameters: int
    weight_bytes: int
    peak_live_bytes: int
    quantised: bool
    float_ops: tuple[str, ...]
    border_ops: int

    @property
    def working_set_bytes(self) -> int:
        """Return what a run touches: weights, and activations at their most."""
        return self.weight_bytes + self.peak_live_bytes


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """What one rail took while a process waited, ran and waited again, on the board's monotonic clock.

    Attributes:
        rail: Its name, such as `POM_5V_IN (ina3221)`.
        covers: `board`: all that the board takes; `part`: nobody said that it is all.
        wraps_at: Where `readings` begin anew if they are a counter in µJ; `None` where they are power in µW.
        period_ns: One reading was taken at a random instant of each so long.
        time_ns: When each reading was taken.
        readings: Power in µW or a counter in µJ; `None` where the sensor gave none.
        idle_before_ns: Begin and end of the wait with the model loaded.
        run_ns: Begin and end of the timed runs.
        idle_after_ns: Begin and end of the wait after them.
        runs: Inferences in `run_ns`.
        sampler_ratio: Share of one core that reading the sensor took, in all three; nothing of a meter on the host.
        averaging_ns: Of a meter: each reading is the mean over so long before its time; `None`: it is of an instant.
        offset_bound_ns: Of a meter: times may be off by so much against the board's clock.
        supply_uv: At which voltage the board was fed: measured, or as its meter or target says; `None` if nobody does.
        clipped: Of a meter: places of readings in which it was at the end of its range.
    """

    rail: str
    covers: str
    wraps_at: int | None
    period_ns: int
    time_ns: tuple[int, ...]
    readings: tuple[int | None, ...]
    idle_before_ns: tuple[int, int]
    run_ns: tuple[int, int]
    idle_after_ns: tuple[int, int]
    runs: int
    sampler_ratio: float
    averaging_ns: int | None = None
    offset_bound_ns: int = 0
    supply_uv: int | None = None
    clipped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """The board's outputs on the golden inputs, against the host's.

    Attributes:
        passed: They agree as far as this kind of model must.
        max_error: Largest difference: in steps (LSB) for integer outputs, else absolute.
        sqnr_db: Signal to error, in decibel; `None` where the outputs are equal.
    """

    passed: bool
    max_error: float
    sqnr_db: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What runs stored before there were `RunResult.evaluations` say of a classifier on its evaluation set.

    Attributes:
        n_samples: Samples, all of them run on the device.
        top1_ratio: Share of samples whose highest output is the label.
        top5_ratio: Share whose label is among the five highest; `None` below six classes.
        float_top1_ratio: The float Keras model on the same samples, or `None`.
        drop_points: `float_top1_ratio − top1_ratio` in percentage points, or `None`.
    """

    n_samples: int
    top1_ratio: float
    top5_ratio: float | None
    float_top1_ratio: float | None = None
    drop_points: float | None = None


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """The inference runtime a result was measured with; part of its identity.

    Attributes:
        name: `litert` or `tflite-runtime`.
        version: As its package names it.
        library_sha256: Hash of the library that computed.
        delegate: `xnnpack`, `none` or `unknown`.
    """

    name: str
    version: str
    library_sha256: str
    delegate: str


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - `Warning` is Python's own
    """Something that may spoil a number.

    Attributes:
        code: From the closed list in `edgeprof.warnings_`.
        text: What was seen, with its value, and what to do.
        spoils: Names of the metrics it may spoil.
    """

    code: str
    text: str
    spoils: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        name: The metric with its unit, such as `latency_ns`.
        statistic: Such as `median`, `p90`.
        point: The figure, or `None` where `not_measured` says why.
        low: Lower end of the interval, or `None` where one launch gives none.
        high: Upper end.
        confidence: Such as 0.95, or `None` without an interval.
        n_launches: Launches behind it.
        n_samples: Samples behind it.
        not_measured: A reason code, or `None`.
        better: `higher` or `lower`, or `None` where neither is.
    """

    name: str
    statistic: str
    point: float | None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    n_launches: int = 0
    n_samples: int = 0
    not_measured: str | None = None
    better: str | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """One cell: an artifact on a device under a plan, with everything that was measured.

    Attributes:
        run_id: Short, unique in a store.
        created_unix_s: When the run began, by the host's clock.
        status: `running`, `complete`, `interrupted` or `failed`.
        failure: Why it failed, or `None`.
        artifact: What ran.
        device: The board's name.
        target: The kind of board, or `None`.
        board_id: What tells this board from others of its kind, as the board says it.
        plan: What was asked for.
        runtime: What ran it.
        environment: Pairs of fact and value as the board said them (kernel, governor, temperature, …).
        launches: The launches that finished, in order.
        cold: Starts of processes whose model and runtime were not in memory; empty where not measured.
        memory: Repeats of the memory run; empty where not measured.
        states: How the board did in each launch, in their order; empty or `None` where nobody watched.
        sustained: A long run, second by second; empty if nobody asked.
        power: What a rail took while the model ran, or `None`.
        golden: The check before the first timed run, or `None` where there was nothing to check against.
        accuracy: Of runs stored before `evaluations`, or `None`.
        evaluations: Each output on each evaluation set, the first set first.
        op_profile: Time by operator, or `None`.
        peaks: What the board reaches at most, which operators are held against; or `None`.
        facts: What the model's file says, or `None` in runs of older versions.
        not_measured: Pairs of metric and reason code.
        warnings: What may spoil the numbers.
        group: What it shares with the runs it took turns with, and with no other; `None` if it ran alone.
        session: What it shares with the other runs of one `profile`, also with those of a resumed one.
        cell_sha256: Hash of artifact, device, plan and data: the cell it is, for `--resume`.
        origin: `edgeprof`, or the foreign tool that measured it: never compared in turns then, nor gated on tails.
        foreign: What a foreign tool printed, each figure of one process and without an interval; else empty.
    """

    run_id: str
    created_unix_s: float
    status: str
    failure: str | None
    artifact: Artifact
    device: str
    target: str | None
    board_id: str | None
    plan: RunPlan
    runtime: RuntimeInfo | None
    environment: tuple[tuple[str, str], ...] = ()
    launches: tuple[RawLaunch, ...] = ()
    cold: tuple[StartUp, ...] = ()
    memory: tuple[Memory, ...] = ()
    states: tuple[State | None, ...] = ()
    sustained: tuple[SustainedWindow, ...] = ()
    power: PowerTrace | None = None
    golden: GoldenCheck | None = None
    accuracy: Accuracy | None = None
    evaluations: tuple[Evaluation, ...] = ()
    op_profile: OpProfile | None = None
    peaks: Peaks | None = None
    facts: ModelFacts | None = None
    not_measured: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Warning_, ...] = field(default=())
    group: str | None = None
    session: str | None = None
    cell_sha256: str | None = None
    origin: str = ORIGIN
    foreign: tuple[Estimate, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a run relates to one it took turns with.

    Attributes:
        base: The run it is compared with.
        other: The run in question.
        name: The metric with its unit, such as `latency_ns`.
        ratio: The other's figure over the base's; below 1 it costs less. `None` where `not_measured` says why.
        low: Lower end of the ratio's interval, or `None` where one launch gives none.
        high: Upper end.
        confidence: Of interval and verdict, such as 0.99.
        n_launches: Launches that both have.
        margin_ratio: A change within this share counts as the same.
        detectable_ratio: The smallest change that this many launches would find four times in five, or `None`.
        verdict: `less`, `more`, `same` or `inconclusive`.
        not_measured: A reason code, or `None`.
    """

    base: str
    other: str
    name: str
    ratio: float | None
    low: float | None
    high: float | None
    confidence: float
    n_launches: int
    margin_ratio: float
    detectable_ratio: float | None
    verdict: str
    not_measured: str | None = None
