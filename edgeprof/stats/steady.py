"""When is a launch warmed up, and does it stay at one level?"""

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import numpy as np

# Two neighbouring windows whose medians agree so far are called steady.
AGREEMENT = 0.02
MAX_WINDOWS = 10
_PARTS = 8
_FEWEST_IN_PART = 5
_TAU = 0.7


def is_steady(windows: Sequence[Sequence[int]]) -> bool:
    """Return whether the last two warm-up windows agree within `AGREEMENT`.

    Source: A. Georges, D. Buytaert and L. Eeckhout (2007), "Statistically rigorous Java performance evaluation",
    OOPSLA, section 4.2 (steady state once the last measurements agree within 1 or 2 %), here of windows' medians.

    Args:
        windows: Latencies in ns of each warm-up window, in order; every window holds at least one.
    """
    if len(windows) < 2:
        return False
    before, now = median(windows[-2]), median(windows[-1])
    return abs(now - before) <= AGREEMENT * before


def step_ratio(latency_ns: Sequence[int]) -> float:
    """Return by how much latency steps from one level to another inside a launch; 0 where it does not.

    It steps where the eighths' medians before some place, two at least on either side, all lie on one side of all after
    it. Of several such places the largest step counts.

    Source: ours. Where nothing steps, eight medians in random order part so with a chance of at most 24 %: two in as
    many ways as there are to choose those before, summed over the five places. So one launch that steps says nothing.
    """
    parts = _eighths(latency_ns)
    steps = [0.0]
    for place in range(2, len(parts) - 1):
        before, after = parts[:place], parts[place:]
        if max(before) < min(after) or min(before) > max(after):
            steps.append(median(after) / median(before) - 1)
    return max(steps, key=abs)


def drift_ratio(latency_ns: Sequence[int]) -> float:
    """Return by how much latency moves from the first eighth of a launch to the last, where it moves steadily.

    The eighths' medians must be in order but for a neighbour or two (Kendall's tau of at least 0.7); else it is 0, as
    for a launch too short for eighths of five runs.

    Source: H. B. Mann (1945), "Nonparametric tests against trend", Econometrica 13, 245-259.
    """
    parts = _eighths(latency_ns)
    if not parts:
        return 0.0
    pairs = list(combinations(parts, 2))
    tau = sum((later > earlier) - (later < earlier) for earlier, later in pairs) / len(pairs)
    return parts[-1] / parts[0] - 1 if abs(tau) >= _TAU else 0.0


def _eighths(latency_ns: Sequence[int]) -> list[float]:
    """Return the medians of a launch's eighths in order; nothing of one too short for eighths of five runs."""
    size = len(latency_ns) // _PARTS
    if size < _FEWEST_IN_PART:
        return []
    whole = np.asarray(latency_ns[: size * _PARTS], dtype=float).reshape(_PARTS, size)
    return [float(value) for value in np.median(whole, axis=1)]
