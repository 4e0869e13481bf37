"""Estimates over launches: a fresh process is one observation, however many runs it holds.

Process-to-process variance dominates on real machines: intervals taken from inside one process covered the truth in
1 to 4 of 20 tries. So every figure is a value per launch, and its interval comes from the spread between launches.
"""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from edgeprof.records import CLOCK_INSTRUCTIONS, Estimate, RawLaunch, RunPlan, StartUp

CONFIDENCE = 0.95

# With fewer samples in a launch, the percentile's own upper order-statistic bound (p^n) exists only with a
# chance above 0.13 %: the value would be the launch's maximum under another name.
# Source: J. D. Gibbons and S. Chakraborti (2003), "Nonparametric Statistical Inference", 4th ed., section 5.2.
MIN_SAMPLES_PER_LAUNCH = {"p05": 130, "p90": 64, "p95": 130, "p99": 662, "p999": 6636}
_QUANTILE = {"p05": 0.05, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p999": 0.999}


# Of fewer launches than this, start-up has no interval: with one degree of freedom t reaches 13 standard errors and
# more, 38 where three looks share the error, which says nothing of stages that differ by a tenth.
FEWEST_STARTS = 3


def latency_estimates(launches: Sequence[RawLaunch], plan: RunPlan) -> tuple[Estimate, ...]:
    """Return the median and the percentiles of latency over `launches`, each with its interval.

    On a board that counts instructions they are `guest_instructions`, which are no latency. A percentile that any
    launch holds too few samples for has no point, and `too_few_samples` as its reason.
    """
    names = ("median", *_QUANTILE)
    return tuple(_latency(name, launches, plan) for name in names)


def is_narrow(estimate: Estimate, precision_ratio: float) -> bool:
    """Return whether an interval reaches no further from its point than that share of it."""
    if estimate.point is None or estimate.low is None or estimate.high is None:
        return False
    return max(estimate.high - estimate.point, estimate.point - estimate.low) <= precision_ratio * estimate.point


def start_up_estimates(launches: Sequence[RawLaunch], plan: RunPlan) -> tuple[Estimate, ...]:
    """Return each stage of start-up over `launches`, and their sum: the median of one observation a launch.

    Fewer than `FEWEST_STARTS` launches give the median alone, without an interval.
    Where the clock counts instructions they are not measured: a process that waits for its disk executes none.
    """
    if plan.clock == CLOCK_INSTRUCTIONS:
        return tuple(
            Estimate(stage.name, "median", None, not_measured="clock_counts_instructions") for stage in fields(StartUp)
        )
    stages = {stage.name: [getattr(launch.start_up, stage.name) for launch in launches] for stage in fields(StartUp)}
    stages["start_ns"] = [sum(values) for values in zip(*stages.values(), strict=True)]
    found = tuple(over_launches(name, "median", values, looks=len(plan.looks)) for name, values in stages.items())
    if len(launches) >= FEWEST_STARTS:
        return found
    return tuple(replace(one, low=None, high=None, confidence=None) for one in found)


def cpu_estimates(launches: Sequence[RawLaunch], plan: RunPlan) -> tuple[Estimate, ...]:
    """Return the processor's time over the clock's, during timed runs: the cores that a process had, on average.

    With one thread that never waits it is 1; less means that others had the core, or that it waited. It cannot be more
    than the threads that ran, and most launches lie near that: logarithms with a t would give ends beyond it, so the
    interval's ends are launches' own values.
    """
    if plan.clock == CLOCK_INSTRUCTIONS:
        return (Estimate("cpu_wall_ratio", "median", None, not_measured="clock_counts_instructions"),)
    ratios = [launch.cpu_time_ns / launch.wall_time_ns for launch in launches if launch.wall_time_ns > 0]
    found = over_launches("cpu_wall_ratio", "median", ratios)
    low, high = _order_interval(ratios, len(plan.looks))
    return (replace(found, low=low, high=high, confidence=None if low is None else CONFIDENCE),)


def cold_estimates(starts: Sequence[StartUp], reason: str) -> tuple[Estimate, ...]:
    """Return the stages of cold starts and their sum, each over processes; or that `reason` is why there are none."""
    if not starts:
        return (Estimate("cold_start_ns", "median", None, not_measured=reason),)
    stages = [stage.name for stage in fields(StartUp)]
    totals = [sum(getattr(start, stage) for stage in stages) for start in starts]
    return (
        *(over_launches(f"cold_{stage}", "median", [getattr(start, stage) for start in starts]) for stage in stages),
        over_launches("cold_start_ns", "median", totals),
    )


def over_launches(
    name: str, statistic: str, values: Sequence[float], n_samples: int | None = None, looks: int = 1
) -> Estimate:
    """Return the estimate of a quantity that every launch gives once.

    The point is the median of `values`; the interval is Student's t on their logarithms, because times are
    positive and skewed to the right. Where measuring could have ended at several looks, the error that 95 % allows is
    shared between them in equal parts, so that the interval holds whichever look was the last (Bonferroni).

    Source: G. J. Hahn and W. Q. Meeker (1991), "Statistical Intervals", sections 4.2 and 2.3 (simultaneous intervals by
    Bonferroni's inequality); C. Jennison and B. W. Turnbull (2000), "Group Sequential Methods", chapter 1 (why looks
    have to share the error).

    Args:
        name: The metric with its unit.
        statistic: What each value is.
        values: One positive value a launch.
        n_samples: Samples behind all values, where that is more than one a launch.
        looks: How often the measurement was, or could have been, looked at to decide whether to go on.
    """
    n = len(values)
    if n == 0:
        return Estimate(name, statistic, None, not_measured="no_launches")
    low, high = _log_t_interval(values, looks) if n > 1 and min(values) > 0 else (None, None)
    point = float(np.median(values))
    return Estimate(
        name=name,
        statistic=statistic,
        point=point,
        low=None if low is None else min(low, point),
        high=None if high is None else max(high, point),
        confidence=None if low is None else CONFIDENCE,
        n_launches=n,
        n_samples=n if n_samples is None else n_samples,
    )


def _latency(statistic: str, launches: Sequence[RawLaunch], plan: RunPlan) -> Estimate:
    """Return a percentile: that of each launch, and over launches what `over_launches` makes of them.

    Source: R. J. Hyndman and Y. Fan (1996), "Sample quantiles in statistical packages", The American Statistician 50,
    361-365: definition 7 (linear between the order statistics at (n - 1) p), numpy's own.
    """
    n_samples = sum(len(launch.latency_ns) for launch in launches)
    needed = MIN_SAMPLES_PER_LAUNCH.get(statistic, 1)
    if any(len(launch.latency_ns) < needed for launch in launches):
        return Estimate(
            plan.metric,
            statistic,
            None,
            n_launches=len(launches),
            n_samples=n_samples,
            not_measured="too_few_samples",
        )
    quantile = _QUANTILE.get(statistic, 0.5)
    values = [plan.amount(float(np.quantile(launch.latency_ns, quantile))) for launch in launches]
    return over_launches(plan.metric, statistic, values, n_samples, len(plan.looks))


def _log_t_interval(values: Sequence[float], looks: int) -> tuple[float, float]:
    """Return exp(mean ± t · s/√n) of the logarithms.

    Source: G. J. Hahn and W. Q. Meeker (1991), "Statistical Intervals", section 4.2, on log-transformed data.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - a quarter of a second that `edgeprof --help` need not pay

    logs = np.log(np.asarray(values, dtype=float))
    half = stdtrit(len(logs) - 1, 1 - (1 - CONFIDENCE) / looks / 2) * logs.std(ddof=1) / np.sqrt(len(logs))
    centre = logs.mean()
    return float(np.exp(centre - half)), float(np.exp(centre + half))


def _order_interval(values: Sequence[float], looks: int) -> tuple[float | None, float | None]:
    """Return the r-th lowest and r-th highest value, with the largest r between which the median lies surely enough.

    It asks nothing of the distribution, and takes 6 values where there is one look, 7 where there are three.

    Source: J. D. Gibbons and S. Chakraborti (2003), "Nonparametric Statistical Inference", 4th ed., section 5.2.
    """
    from scipy.special import bdtr  # noqa: PLC0415 - a quarter of a second that `edgeprof --help` need not pay

    n = len(values)
    rank = sum(2 * bdtr(below, n, 0.5) <= (1 - CONFIDENCE) / looks for below in range(n // 2))
    ordered = sorted(values)
    return (ordered[rank - 1], ordered[n - rank]) if rank else (None, None)
