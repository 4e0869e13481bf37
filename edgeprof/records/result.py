"""What a run came to."""

from dataclasses import dataclass, field

from edgeprof.records.launch import Memory, RawLaunch, RunWindow, StartUp, State, SummaryLaunch, SustainedWindow
from edgeprof.records.model import Artifact, ModelFacts
from edgeprof.records.ops import OpProfile, Peaks
from edgeprof.records.plan import RunPlan
from edgeprof.records.power import PowerTrace
from edgeprof.scores import Evaluation

ORIGIN = "edgeprof"
TINY_DEVICE = "mlperf-tiny-device"
# Facts of `RunResult.environment` that begin so are readings of a moment, or say who did what: no conditions.
MOMENTARY = (
    "load_1min",
    "temp_mc",
    "throttled",
    "thermal_status",
    "battery_percent",
    "governor_after",
    "power_mode_after",
    "uptime_s",
    "sampler_cost",
    "clocks_set_by",
)


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
class PartOutputs:
    """Outputs of the first samples of an evaluation set; the rest has yet to run.

    Attributes:
        data: The set's name.
        sha256: Hash of what it was read from.
        n_samples: Samples so far.
        values: Packed (`edgeprof.stats.pack`), sample after sample.
    """

    data: str
    sha256: str
    n_samples: int
    values: str


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
        summaries: Launches of a vendor's tool that edgeprof started, in order; there are no `launches` then.
        energy_turns: Windows of power that took turns with those of the run it is compared with; their waits are empty.
        windows: Launches of a device that tells no single runs; it has no `launches` then.
        part: How far the evaluation got that was under way, on a device where each sample takes its time; else `None`.
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
    summaries: tuple[SummaryLaunch, ...] = ()
    energy_turns: tuple[PowerTrace, ...] = ()
    windows: tuple[RunWindow, ...] = ()
    part: PartOutputs | None = None


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
