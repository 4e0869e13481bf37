"""One fresh process on a board: start-up, warm-up, timed runs; or memory; or samples through the model."""

import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from edgeprof.records import Memory, RawLaunch, RunPlan, RuntimeInfo, StartUp
from edgeprof.remote import Board, DataRequest, InvokePerOp, InvokeTimed, OpenedChild, OpenRequest
from edgeprof.stats.steady import MAX_WINDOWS, is_steady
from edgeprof.units import ns_to_seconds

# A launch holds `min_runs` runs unless they take longer than this many times `launch_s`.
_LONGEST = 20
_FEWEST_RUNS = 5
_MEMORY_RUNS = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """What one child runs.

    Attributes:
        sha256: The model, already on the board.
        plan: How.
        cpus: Cores by number, or `None` for all.
        input_sha256: Samples already on the board, the first of which is run; or `None` for zeros.
        stateful: It keeps variables, which are reset before each sample.
    """

    sha256: str
    plan: RunPlan
    cpus: tuple[int, ...] | None
    input_sha256: str | None
    stateful: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """A launch and what is known besides.

    Attributes:
        launch: Its samples.
        runtime: What ran it.
        empty_call_ns: The cost of timing nothing.
        steady: Warm-up had settled.
        involuntary_switches: How often the kernel took the core away during the whole launch.
    """

    launch: RawLaunch
    runtime: RuntimeInfo
    empty_call_ns: int
    steady: bool
    involuntary_switches: int


def measure_launch(board: Board, cell: Cell, index: int) -> Observed:
    """Time one fresh process.

    Raises:
        ChildError: The process died, was refused or ran too long.
        LinkLost: The way is gone; the board keeps what it wrote until its next agent is asked.
    """
    agent, plan = board.agent, cell.plan
    child = agent.open(child_request(board, cell))
    first = agent.invoke_count(child.child, 1, plan.timeout_s)
    first_ns = int64s(board, first)[0]
    windows, steady = _warm_up(board, child, plan)
    timed = _timed(board, child, plan, _latest(windows, first_ns))
    samples = int64s(board, timed)
    switches = agent.snapshot(child.child).involuntary_switches
    agent.close(child.child, acknowledged=True)
    launch = RawLaunch(
        index=index,
        latency_ns=samples,
        warmup_ns=tuple(value for window in windows for value in window),
        start_up=_start_up(child, first_ns),
        cpu_time_ns=timed.cpu_time_ns,
        wall_time_ns=timed.wall_time_ns,
        started_unix_ns=timed.started_unix_ns,
    )
    return Observed(launch, child.runtime, child.empty_call_ns, steady, switches)


def measure_memory(board: Board, cell: Cell) -> Memory:
    """Return the memory of a fresh process that runs the model and nothing else."""
    agent = board.agent
    child = agent.open(child_request(board, cell))
    agent.invoke_count(child.child, _MEMORY_RUNS, cell.plan.timeout_s)
    after = agent.snapshot(child.child)
    agent.close(child.child, acknowledged=True)
    return Memory(
        anonymous_growth_bytes=after.anonymous_bytes - child.before_model.anonymous_bytes,
        file_backed_growth_bytes=after.file_backed_bytes - child.before_model.file_backed_bytes,
        peak_rss_bytes=after.peak_rss_bytes,
        runtime_bytes=child.before_model.rss_bytes - child.before_runtime.rss_bytes,
    )


def run_samples(
    board: Board,
    cell: Cell,
    inputs_sha256: str,
    count: int,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """Return the raw outputs of `count` samples, each run from a fresh state in one process."""
    agent = board.agent
    child = agent.open(child_request(board, cell))
    # A whole set may take long on a slow board: the limit is per launch, so it grows with the samples.
    limit_s = cell.plan.timeout_s * max(1, count // 100)
    done = agent.invoke_data(DataRequest(child.child, inputs_sha256, count, cell.stateful, limit_s), progress)
    outputs = board.pull(done.file, done.sha256)
    agent.close(child.child, acknowledged=True)
    return outputs


def child_request(board: Board, cell: Cell, *, per_op: bool = False) -> OpenRequest:
    """Return what to open for a cell; with `per_op`, under the runtime's profiler."""
    return OpenRequest(
        runtime=board.prepared.package.folder,
        model_sha256=cell.sha256,
        threads=cell.plan.threads,
        cpus=cell.cpus,
        input_sha256=cell.input_sha256,
        timeout_s=cell.plan.timeout_s,
        per_op=per_op,
    )


def _warm_up(board: Board, child: OpenedChild, plan: RunPlan) -> tuple[list[tuple[int, ...]], bool]:
    """Run windows until two neighbours agree; return their latencies and whether they did."""
    windows: list[tuple[int, ...]] = []
    while len(windows) < MAX_WINDOWS and not is_steady(windows):
        done = board.agent.invoke_for(child.child, plan.warmup_s / 2, plan.warmup_runs, plan.timeout_s)
        windows.append(int64s(board, done))
    return windows, is_steady(windows)


def _timed(board: Board, child: OpenedChild, plan: RunPlan, typical_ns: int) -> InvokeTimed:
    if plan.runs is not None:
        return board.agent.invoke_count(child.child, plan.runs, plan.timeout_s)
    affordable = int(_LONGEST * plan.launch_s / ns_to_seconds(max(1, typical_ns)))
    at_least = max(_FEWEST_RUNS, min(plan.min_runs, affordable))
    return board.agent.invoke_for(child.child, plan.launch_s, at_least, plan.timeout_s)


def _latest(windows: list[tuple[int, ...]], first_ns: int) -> int:
    return windows[-1][-1] if windows else first_ns


def _start_up(child: OpenedChild, first_ns: int) -> StartUp:
    return StartUp(
        process_start_ns=child.process_start_ns,
        runtime_load_ns=child.runtime_load_ns,
        model_load_ns=child.model_load_ns,
        allocate_ns=child.allocate_ns,
        first_inference_ns=first_ns,
    )


def int64s(board: Board, done: InvokeTimed | InvokePerOp) -> tuple[int, ...]:
    """Return the durations that a request left on the board, in nanoseconds of its clock."""
    values = array("q")
    values.frombytes(board.pull(done.file, done.sha256) if done.samples is None else done.samples)
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)
