"""What a run is asked to do."""

from dataclasses import dataclass

CLOCK_WALL = "wall"
CLOCK_INSTRUCTIONS = "instructions"
ACCELERATOR_CPU = "cpu"


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
        pin_clocks: What edgeprof pins clocks to meanwhile: `performance`, `1500`, `big=1800 little=1200`; or `None`.
        power_mode: The power mode that it sets a Jetson to, as the user said it, or `None`.
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
    pin_clocks: str | None = None
    power_mode: str | None = None
    timeout_s: float = 120.0

    @property
    def metric(self) -> str:
        """Return what a timed run is measured in: `latency_ns`, or `guest_instructions`, which is no time."""
        return "latency_ns" if self.ns_per_instruction is None else "guest_instructions"

    def amount(self, clock_ns: float) -> float:
        """Return a span of the board's clock in `metric`."""
        return clock_ns / (self.ns_per_instruction or 1)
