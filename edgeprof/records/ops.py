"""The time of each operator, and the peaks of the board that it is held against."""

from dataclasses import dataclass

from edgeprof.units import size


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
class Cache:
    """A cache that a core reads data through: `L1d`, `L2`, `L3`, and how much it holds."""

    name: str
    size_bytes: int

    def text(self) -> str:
        """Return it for people: `L2 512 KiB`."""
        return f"{self.name} {size(self.size_bytes)}"


@dataclass(frozen=True, slots=True)
class Peaks:
    """What a board reaches at most, under the conditions named.

    Attributes:
        probes: Every measurement; the fastest of a kind counts.
        conditions: Pairs of fact and value that the figures hold for: runtime, threads, cores, governor, …
        measured_unix_s: When, by the host's clock.
        not_measured: Pairs of a kind of probe and what the board said instead.
        caches: Of each core that a run may use, the nearest first; empty where the board does not say.
    """

    probes: tuple[PeakProbe, ...]
    conditions: tuple[tuple[str, str], ...]
    measured_unix_s: float
    not_measured: tuple[tuple[str, str], ...] = ()
    caches: tuple[Cache, ...] = ()
