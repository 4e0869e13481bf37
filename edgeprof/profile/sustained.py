"""One process that runs for minutes: latency, temperature and clocks over time."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from edgeprof.boards import throttled_meanwhile
from edgeprof.errors import DeviceError
from edgeprof.profile.launch import Cell, child_request, int64s
from edgeprof.profile.state import SAMPLE_HZ, Sample, Window, parse_samples, state_in
from edgeprof.records import SustainedWindow
from edgeprof.remote import Board, InvokeTimed
from edgeprof.units import ns_to_seconds

WINDOW_S = 1.0
# Of a window's runs the board keeps so many, evenly spaced: minutes of short runs would fill it.
_MOST_SAMPLES = 4096


def measure_sustained(
    board: Board, cell: Cell, duration_s: float, progress: Callable[[int, int], None]
) -> tuple[SustainedWindow, ...]:
    """Run a fresh process back to back for `duration_s`, a window of one second after the other.

    Raises:
        ChildError: The process died or a window took longer than the plan's limit.
        LinkLost: The way is gone.
    """
    agent, plan = board.agent, cell.plan
    sampler = None
    with suppress(DeviceError):
        sampler = agent.sampler_start(SAMPLE_HZ)
    child = agent.open(child_request(board, cell))
    windows = []
    for done in range(round(duration_s / WINDOW_S)):
        windows.append(
            agent.invoke_for(child.child, WINDOW_S, 1, plan.timeout_s, plan.rate_hz, most_samples=_MOST_SAMPLES)
        )
        progress(round((done + 1) * WINDOW_S), round(duration_s))
    agent.close(child.child, acknowledged=True)
    seen: Sequence[Sample] = ()
    if sampler is not None:
        left = agent.sampler_stop(sampler)
        seen = parse_samples(board.pull(left.file, left.sha256))
    start_ns = windows[0].started_monotonic_ns
    return tuple(_window(board, window, seen, start_ns) for window in windows)


def throttled_in(windows: Sequence[SustainedWindow]) -> int:
    """Return the bits of now that a Raspberry Pi's firmware showed in any of them; 0 where it says nothing."""
    return throttled_meanwhile(None, [w.throttled for w in windows if w.throttled is not None], None)


def _window(board: Board, window: InvokeTimed, seen: Sequence[Sample], start_ns: int) -> SustainedWindow:
    latency_ns = int64s(board, window)
    at_ns = window.started_monotonic_ns
    state = state_in(seen, Window(at_ns, at_ns + window.wall_time_ns, 0), 1)
    return SustainedWindow(
        start_s=round(ns_to_seconds(at_ns - start_ns), 3),
        runs=window.count,
        median_ns=float(np.median(latency_ns)),
        p90_ns=float(np.quantile(latency_ns, 0.9)),
        temp_mc=state.temp_mc,
        freq_khz_high=state.freq_khz_high,
        throttled=state.throttled,
    )
