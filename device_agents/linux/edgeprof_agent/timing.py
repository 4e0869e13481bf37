"""The timed loops. Between the two readings of the clock stands the bare call and nothing else."""

from __future__ import annotations

import ctypes
import gc
import time
from array import array

from edgeprof_agent.errors import AgentError

# The longest series of one `invoke`: 16 MiB of int64.
MAX_COUNT = 1 << 21
_EMPTY_CALLS = 2000
_FIRST_CAPACITY = 4096


def run_count(invoke: object, args: tuple, count: int) -> tuple:
    """Call `invoke(*args)` `count` times.

    Args:
        invoke: Returns 0 or `None` on success.
        args: Its arguments, already C values where it is a C function.
        count: How often, 1 to `MAX_COUNT`.

    Returns:
        The latencies in nanoseconds, an `array('q')`, and the last status: not 0 means that the last run failed.
    """
    times = array("q", bytes(8 * count))
    clock = time.perf_counter_ns
    for index in range(count):
        start = clock()
        status = invoke(*args)
        end = clock()
        times[index] = end - start
        if status:
            return times[: index + 1], status
    return times, 0


def run_for(invoke: object, args: tuple, duration_ns: int, least: int, most: int) -> tuple:
    """Call `invoke(*args)` until `duration_ns` have passed, at least `least` and at most `most` times.

    The deadline is compared with the reading that ended the run; the array grows between runs, outside the timed part.

    Returns:
        As `run_count`.
    """
    clock = time.perf_counter_ns
    times = array("q", bytes(8 * min(most, max(least, _FIRST_CAPACITY))))
    capacity, count = len(times), 0
    deadline = clock() + duration_ns
    while count < most:
        if count == capacity:
            times.frombytes(bytes(8 * min(capacity, most - capacity)))
            capacity = len(times)
        start = clock()
        status = invoke(*args)
        end = clock()
        times[count] = end - start
        count += 1
        if status or (end >= deadline and count >= least):
            return times[:count], status
    return times[:count], 0


def run_paced(invoke: object, args: tuple, interval_ns: int, count: int) -> tuple:
    """Call `invoke(*args)` `count` times, one each `interval_ns`, and measure each from when it was due.

    A run that is late delays the next, which is measured from its own due time all the same: what waits in a queue is
    part of the latency that a user sees.

    Returns:
        As `run_count`, and how many began a whole interval late or more.
    """
    clock, sleep = time.perf_counter_ns, time.sleep
    times, missed = array("q", bytes(8 * count)), 0
    first = clock()
    for index in range(count):
        due = first + index * interval_ns
        early = due - clock()
        if early > 0:
            sleep(early / 1e9)
        elif -early >= interval_ns:
            missed += 1
        status = invoke(*args)
        times[index] = clock() - due
        if status:
            return times[: index + 1], status, missed
    return times, 0, missed


def timed(invoke: object, args: tuple, params: dict) -> tuple:
    """Run as an `invoke` request asks, without garbage collection.

    Returns:
        The latencies, the last status, and what the answer says of time: all in nanoseconds.

    Raises:
        AgentError: `bad_request`: neither or both of `count` and `duration_ns`, or out of range.
    """
    run, numbers = _paced(params) if params.get("interval_ns") else _plan(params)
    gc.collect()
    gc.disable()
    about = {"started_unix_ns": time.time_ns(), "started_monotonic_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC)}
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    times, status, *missed = run(invoke, args, *numbers)
    about["cpu_time_ns"] = time.process_time_ns() - cpu
    about["wall_time_ns"] = time.perf_counter_ns() - wall
    gc.enable()
    about["missed"] = missed[0] if missed else 0
    return times, status, about


def empty_call_ns(invoke: object = None, args: tuple = ()) -> int:
    """Return the median cost of timing a call that does nothing: the C library's `abs` through `ctypes` by default."""
    if invoke is None:
        invoke = ctypes.CDLL(None).abs
        args = (ctypes.c_int(0),) + tuple(ctypes.c_void_p(0) for _ in range(5))
    times, _ = run_count(_never_failing(invoke, args), args, _EMPTY_CALLS)
    return sorted(times)[_EMPTY_CALLS // 2]


def _never_failing(invoke: object, args: tuple) -> object:
    if invoke(*args):
        raise AgentError("internal", "the empty call does not return 0")
    return invoke


def _plan(params: dict) -> tuple:
    count, duration = params.get("count"), params.get("duration_ns")
    if (count is None) == (duration is None):
        raise AgentError("bad_request", "give `count` or `duration_ns`, not both")
    if count is not None:
        return run_count, (_between("count", count, 1, MAX_COUNT),)
    least = _between("min_count", params.get("min_count") or 1, 1, MAX_COUNT)
    most = _between("max_count", params.get("max_count") or MAX_COUNT, least, MAX_COUNT)
    return run_for, (_between("duration_ns", duration, 0, 1 << 62), least, most)


def _paced(params: dict) -> tuple:
    interval = _between("interval_ns", params["interval_ns"], 1, 1 << 62)
    if params.get("count") is not None:
        return run_paced, (interval, _between("count", params["count"], 1, MAX_COUNT))
    least = _between("min_count", params.get("min_count") or 1, 1, MAX_COUNT)
    duration = _between("duration_ns", params.get("duration_ns"), 0, 1 << 62)
    return run_paced, (interval, min(MAX_COUNT, max(least, duration // interval)))


def _between(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise AgentError(
            "bad_request", "`{}` must be a whole number from {} to {}, not {!r}".format(name, low, high, value)
        )
    return value
