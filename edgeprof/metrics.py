"""Every metric of a run, computed when asked from what is stored."""

from collections.abc import Iterable

from edgeprof.power import METRICS, power_estimates
from edgeprof.records import Estimate, RunResult
from edgeprof.stats import latency_estimates, over_launches, start_up_estimates, sustained_estimates


def estimates(run: RunResult) -> tuple[Estimate, ...]:
    """Return every metric of a run, computed now from what is stored."""
    return (
        *latency_estimates(run.launches, run.plan),
        *start_up_estimates(run.launches, run.plan),
        *sustained_estimates(run.sustained),
        *_memory(run),
        *power_estimates(run.power, dict(run.not_measured).get(METRICS[0], "not_reached")),
        *_accuracy(run),
    )


def _accuracy(run: RunResult) -> Iterable[Estimate]:
    reasons = dict(run.not_measured)
    reason = reasons.get("top1_ratio", "not_reached")
    got = run.accuracy
    if got is None:
        return [Estimate("top1_ratio", "share", None, not_measured=reason)]
    found = [Estimate("top1_ratio", "share", got.top1_ratio, n_launches=1, n_samples=got.n_samples)]
    few = "fewer_than_six_classes"
    found.append(_shown("top5_ratio", "share", got.top5_ratio, got.n_samples, few))
    found.append(_shown("float_top1_ratio", "share", got.float_top1_ratio, got.n_samples, "no_float_model"))
    found.append(_shown("drop_points", "difference", got.drop_points, got.n_samples, "no_float_model"))
    return found


def _shown(name: str, statistic: str, point: float | None, n_samples: int, reason: str) -> Estimate:
    if point is None:
        return Estimate(name, statistic, None, not_measured=reason)
    return Estimate(name, statistic, point, n_launches=1, n_samples=n_samples)


def _memory(run: RunResult) -> Iterable[Estimate]:
    names = ("anonymous_growth_bytes", "file_backed_growth_bytes", "peak_rss_bytes", "runtime_bytes")
    if not run.memory:
        reason = dict(run.not_measured).get("peak_rss_bytes", "not_reached")
        return [Estimate(name, "median", None, not_measured=reason) for name in names]
    return [over_launches(name, "median", [getattr(repeat, name) for repeat in run.memory]) for name in names]
