"""Fresh processes on a board: start-up, warm-up, timed runs in turns; or memory; or samples through the model."""

import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from edgeprof.records import Memory, RawLaunch, RunPlan, RuntimeInfo, StartUp
from edgeprof.remote import Board, DataRequest, InvokePerOp, InvokeTimed, OpenedChild, OpenRequest
from edgeprof.stats.steady import MAX_WINDOWS, is_steady
from edgeprof.units import NS_PER_S, ns_to_seconds

# A launch holds `min_runs` runs unless they take longer than this many times `launch_s`.
_LONGEST = 20
_FEWEST_RUNS = 5
# Blocks of a launch in which cells take turns, each there and back.
BLOCKS = 4
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
        cpu_time_ns: What its process used in all, start-up included.
    """

    launch: RawLaunch
    runtime: RuntimeInfo
    empty_call_ns: int
    steady: bool
    involuntary_switches: int
    cpu_time_ns: int


class LiveLaunch:
    """One fresh process, warmed up, which then runs by turns with others.

    Every call raises `ChildError` where the process died, was refused or ran too long, and `LinkLost` where the way
    is gone; the board keeps what it wrote until its next agent is asked.
    """

    def __init__(self, board: Board, cell: Cell, index: int, turns: int) -> None:
        self._board = board
        self._plan = cell.plan
        self._index = index
        self._turns = turns
        self._timed: list[InvokeTimed] = []
        self._samples: list[tuple[int, ...]] = []
        self._child = board.agent.open(child_request(board, cell))
        self._first_ns = int64s(board, board.agent.invoke_count(self._child.child, 1, cell.plan.timeout_s))[0]
        self._windows, self._steady = _warm_up(board, self._child, cell.plan)

    def take_turn(self) -> None:
        """Run one turn's share of the timed runs."""
        done = self._turn()
        self._timed.append(done)
        self._samples.append(int64s(self._board, done))

    def end(self) -> Observed:
        """End the process and return what it showed."""
        agent, child, timed = self._board.agent, self._child, self._timed
        after = agent.snapshot(child.child)
        agent.close(child.child, acknowledged=True)
        there_and_back = zip(self._samples[::2], self._samples[1::2], strict=False)
        launch = RawLaunch(
            index=self._index,
            latency_ns=tuple(value for turn in self._samples for value in turn),
            warmup_ns=tuple(value for window in self._windows for value in window),
            start_up=start_up(child, self._first_ns),
            cpu_time_ns=sum(done.cpu_time_ns for done in timed),
            wall_time_ns=sum(done.wall_time_ns for done in timed),
            started_unix_ns=timed[0].started_unix_ns,
            missed=sum(done.missed for done in timed),
            blocks=tuple(len(there) + len(back) for there, back in there_and_back),
        )
        return Observed(
            launch, child.runtime, child.empty_call_ns, self._steady, after.involuntary_switches, after.cpu_time_ns
        )

    def _turn(self) -> InvokeTimed:
        agent, child, plan = self._board.agent, self._child.child, self._plan
        if plan.runs is not None:
            whole, rest = divmod(plan.runs, self._turns)
            return agent.invoke_count(child, whole + (len(self._timed) < rest), plan.timeout_s, plan.rate_hz)
        typical_ns = self._windows[-1][-1] if self._windows else self._first_ns
        if plan.rate_hz:
            typical_ns = max(typical_ns, round(NS_PER_S / plan.rate_hz))
        affordable = int(_LONGEST * plan.launch_s / ns_to_seconds(max(1, typical_ns)))
        at_least = max(_FEWEST_RUNS, min(plan.min_runs, affordable))
        least = -(-at_least // self._turns)
        return agent.invoke_for(child, plan.launch_s / self._turns, least, plan.timeout_s, plan.rate_hz)


def turns(plan: RunPlan, cells: int) -> int:
    """Return how many turns each of so many live processes takes in a launch: two a block, or one if it is alone."""
    if cells == 1 or plan.runs == 1:
        return 1
    return 2 * (BLOCKS if plan.runs is None else min(BLOCKS, plan.runs // 2))


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
        agent_bytes=child.before_runtime.rss_bytes,
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


def child_request(board: Board, cell: Cell, *, per_op: bool = False, cold: bool = False) -> OpenRequest:
    """Return what to open for a cell; with `per_op`, under the runtime's profiler; `cold`, with its files evicted."""
    return OpenRequest(
        runtime=board.prepared.package.folder,
        model_sha256=cell.sha256,
        threads=cell.plan.threads,
        cpus=cell.cpus,
        input_sha256=cell.input_sha256,
        timeout_s=cell.plan.timeout_s,
        per_op=per_op,
        cold=cold,
    )


def _warm_up(board: Board, child: OpenedChild, plan: RunPlan) -> tuple[list[tuple[int, ...]], bool]:
    """Run windows until two neighbours agree; return their latencies and whether they did."""
    windows: list[tuple[int, ...]] = []
    while len(windows) < MAX_WINDOWS and not is_steady(windows):
        done = board.agent.invoke_for(child.child, plan.warmup_s / 2, plan.warmup_runs, plan.timeout_s)
        windows.append(int64s(board, done))
    return windows, is_steady(windows)


def start_up(child: OpenedChild, first_ns: int) -> StartUp:
    """Return the stages of a process's start, the first run's among them."""
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
