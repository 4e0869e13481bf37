"""Figures of launches that are a mean each."""

from collections.abc import Sequence
from statistics import median

from edgeprof.records import Estimate, RunWindow


def window_estimates(launches: Sequence[RunWindow]) -> tuple[Estimate, ...]:
    """Return the median of windows' means, as MLPerf Tiny has it, and how far the lowest and the highest may lie.

    A window's mean is known to a step of the device's clock over its runs, which the two ends include. There is no
    interval: all windows are of one start of the device.
    """
    if not launches:
        return ()
    means = [launch.elapsed_ns / launch.runs for launch in launches]
    step = max(launch.resolution_ns / launch.runs for launch in launches)
    runs = sum(launch.runs for launch in launches)
    ends = (("mean", median(means)), ("window_low", max(0.0, min(means) - step)), ("window_high", max(means) + step))
    return tuple(Estimate("latency_ns", what, point, n_launches=1, n_samples=runs) for what, point in ends)
