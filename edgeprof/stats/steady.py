"""When is a launch warmed up?"""

from collections.abc import Sequence
from statistics import median

# Two neighbouring windows whose medians agree so far are called steady.
AGREEMENT = 0.02
MAX_WINDOWS = 10


def is_steady(windows: Sequence[Sequence[int]]) -> bool:
    """Return whether the last two warm-up windows agree within `AGREEMENT`.

    Args:
        windows: Latencies in ns of each warm-up window, in order; every window holds at least one.
    """
    if len(windows) < 2:
        return False
    before, now = median(windows[-2]), median(windows[-1])
    return abs(now - before) <= AGREEMENT * before
