"""Intervals as earlier builds of edgeprof computed them from the same samples, so that their evidence still verifies.

Points never changed. Whoever computes an interval otherwise from now on adds here how it was computed before.
"""

from collections.abc import Sequence
from dataclasses import replace

from edgeprof.records import CLOCK_INSTRUCTIONS, Estimate, RawLaunch, RunPlan
from edgeprof.scores import Evaluation
from edgeprof.stats.accuracy import accuracy_estimates
from edgeprof.stats.estimates import cpu_values, over_launches, start_up_values


def former_estimates(
    launches: Sequence[RawLaunch], plan: RunPlan, evaluations: Sequence[Evaluation]
) -> tuple[Estimate, ...]:
    """Return the figures whose interval was once another, as it was then.

    Until 26 November 2026 `cpu_wall_ratio` had Student's t on logarithms, start-up of two launches had an interval, and
    a score whose resamples do not differ had one without width.
    """
    widthless = [
        replace(one, low=one.point, high=one.point)
        for one in (accuracy_estimates(evaluations[0]) if evaluations else ())
        if one.point is not None and one.low is None and one.statistic != "value"
    ]
    if plan.clock == CLOCK_INSTRUCTIONS:
        return tuple(widthless)
    looks = len(plan.looks)
    timed: dict[str, Sequence[float]] = {"cpu_wall_ratio": cpu_values(launches), **start_up_values(launches)}
    return (*(over_launches(name, "median", values, looks=looks) for name, values in timed.items()), *widthless)
