"""What minutes of running did to latency: the level at first, the level at the end, and when it left the first."""

from collections.abc import Sequence
from statistics import median

from edgeprof.records import Estimate, SustainedWindow

# The first and the last tenth of all windows are the levels.
_LEVEL_SHARE = 0.1
# Slower than at first by so much, for so many windows on end, is slow.
SLOW_RATIO = 1.10
_ON_END = 5


def sustained_estimates(windows: Sequence[SustainedWindow]) -> tuple[Estimate, ...]:
    """Return latency at first and at the end, and the time until it became slow; nothing if nobody asked.

    There is one process behind them, so they carry no interval. Levels and onset are definitions of ours, not estimates
    of anything that a textbook names.
    """
    if not windows:
        return ()
    count = max(1, round(len(windows) * _LEVEL_SHARE))
    first, last = _level(windows[:count]), _level(windows[-count:])
    after_s = slow_after_s(windows, first)
    runs = sum(window.runs for window in windows)
    return (
        Estimate("sustained_first_ns", "median", first, n_launches=1, n_samples=runs),
        Estimate("sustained_last_ns", "median", last, n_launches=1, n_samples=runs),
        Estimate(
            "slow_after_s", "first", after_s, n_launches=1, n_samples=runs,
            not_measured="not_seen" if after_s is None else None,
        ),
    )  # fmt: skip


def slow_after_s(windows: Sequence[SustainedWindow], first_ns: float) -> float | None:
    """Return when latency rose above the first level by a tenth and stayed there for five windows, or `None`."""
    on_end = 0
    for index, window in enumerate(windows):
        on_end = on_end + 1 if window.median_ns > SLOW_RATIO * first_ns else 0
        if on_end == _ON_END:
            return windows[index - _ON_END + 1].start_s
    return None


def _level(windows: Sequence[SustainedWindow]) -> float:
    return float(median(window.median_ns for window in windows))
