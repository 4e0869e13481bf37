"""Estimates over launches of a vendor's tool, of which there are summaries and no samples."""

from collections.abc import Callable, Sequence

from edgeprof.records import Estimate, SummaryLaunch
from edgeprof.stats.estimates import MIN_SAMPLES_PER_LAUNCH, over_launches

# The tool's own percentiles, which need as many runs in each launch as ours would.
_TAILS: dict[str, Callable[[SummaryLaunch], int]] = {
    "p05": lambda one: one.p05_ns,
    "p95": lambda one: one.p95_ns,
}


def summary_estimates(summaries: Sequence[SummaryLaunch]) -> tuple[Estimate, ...]:
    """Return the tool's figures, each the median over launches of what every launch says once, with its interval.

    Source: as `edgeprof.stats.estimates.over_launches`.

    The least and the greatest latency are of all launches and have none.
    """
    if not summaries:
        return ()
    samples = sum(one.runs for one in summaries)
    level: dict[str, list[float]] = {
        "median": [one.median_ns for one in summaries],
        "mean": [one.mean_ns for one in summaries],
    }
    found = [over_launches("latency_ns", what, values, samples) for what, values in level.items()]
    found += [_tail(what, value, summaries, samples) for what, value in _TAILS.items()]
    ends = {"min": min(one.min_ns for one in summaries), "max": max(one.max_ns for one in summaries)}
    found += [
        Estimate("latency_ns", what, value, n_launches=len(summaries), n_samples=samples)
        for what, value in ends.items()
    ]
    found.append(over_launches("first_inference_ns", "median", [one.first_inference_ns for one in summaries]))
    found.append(over_launches("tool_init_ns", "median", [one.init_ns for one in summaries]))
    growth = [one.memory_growth_bytes for one in summaries if one.memory_growth_bytes is not None]
    if len(growth) == len(summaries):
        found.append(over_launches("tool_memory_growth_bytes", "median", growth))
    return tuple(found)


def _tail(
    what: str, value: Callable[[SummaryLaunch], int], summaries: Sequence[SummaryLaunch], samples: int
) -> Estimate:
    if any(one.runs < MIN_SAMPLES_PER_LAUNCH[what] for one in summaries):
        return Estimate(
            "latency_ns", what, None, n_launches=len(summaries), n_samples=samples, not_measured="too_few_samples"
        )
    return over_launches("latency_ns", what, [value(one) for one in summaries], samples)
