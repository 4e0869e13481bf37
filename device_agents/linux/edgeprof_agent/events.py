"""Runs with the runtime's own profiler on: which operator or kernel took how long in each."""

from __future__ import annotations

import gc
import time
from array import array

from edgeprof_agent.errors import AgentError

# More runs than this say nothing new, and every one of them holds an entry for each operator.
MAX_RUNS = 1 << 14

# tflite::Profiler::EventType: a node of the graph; a delegate's kernel that stands for nodes; one inside a node's time.
# Source: tensorflow v2.14.0 and google-ai-edge/LiteRT (ea68814), */core/api/profiler.h.
KINDS = {1 << 1: "node", 1 << 3: "kernel", 1 << 2: "inner"}


class Event:
    """One operator or kernel in one run.

    Attributes:
        kind: `node`, `kernel` or `inner`.
        tag: What the runtime calls it: a node's operator, or a kernel.
        index: The node's number in the main graph, or a kernel's in its delegate.
        elapsed_ns: How long it took.
        resolution_ns: The step of the clock behind that.
    """

    __slots__ = ("elapsed_ns", "index", "kind", "resolution_ns", "tag")

    def __init__(self, kind: str, tag: bytes, index: int, elapsed_ns: int, resolution_ns: int) -> None:
        self.kind = kind
        self.tag = tag.decode(errors="replace")
        self.index = index
        self.elapsed_ns = elapsed_ns
        self.resolution_ns = resolution_ns

    def about(self) -> dict:
        """Return what is the same in every run."""
        return {"kind": self.kind, "tag": self.tag, "index": self.index, "resolution_ns": self.resolution_ns}


def profiled(runtime: object, count: int) -> tuple:
    """Run a profiled runtime `count` times.

    Returns:
        What stands for each event, in the order of the first run; and an `array('q')` of nanoseconds: first the
        latency of each run, then for each event its duration in each run.

    Raises:
        AgentError: `invoke_failed`: a run failed, or did not do what the first did.
    """
    latencies, runs = array("q"), []
    gc.collect()
    gc.disable()
    for _ in range(count):
        latency_ns, found = _one(runtime)
        latencies.append(latency_ns)
        runs.append(found)
    gc.enable()
    about = [event.about() for event in runs[0]]
    if any([event.about() for event in run] != about for run in runs):
        raise AgentError("invoke_failed", "not every run has the operators of the first: they cannot be told apart")
    for row in zip(*runs):  # noqa: B905 - `strict` came with Python 3.10
        latencies.extend(event.elapsed_ns for event in row)
    return about, latencies


def _one(runtime: object) -> tuple:
    """Return the latency of a run, and its events."""
    runtime.begin_events()
    start = time.perf_counter_ns()
    status = runtime.invoke(*runtime.args)
    end = time.perf_counter_ns()
    if status:
        raise AgentError("invoke_failed", runtime.failure(status))
    return end - start, runtime.events()
