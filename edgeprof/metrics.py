"""Every metric of a run, computed when asked from what is stored."""

from collections.abc import Iterable
from dataclasses import replace

from edgeprof.power import METRICS, power_estimates
from edgeprof.records import ORIGIN, Estimate, RunResult
from edgeprof.scores import HIGHER, LOWER
from edgeprof.stats import (
    CONFIDENCE,
    accuracy_estimates,
    cold_estimates,
    cpu_estimates,
    latency_estimates,
    over_launches,
    start_up_estimates,
    summary_estimates,
    sustained_estimates,
    window_estimates,
)
from edgeprof.stats.proportions import wilson

# Grows whenever some figure comes out otherwise from the same samples; evidence names it.
METHOD = 2

# What says more of board and runtime than of the model, and what is no matter of good or bad.
_NEITHER = (
    "idle_power_mw",
    "runtime_bytes",
    "agent_bytes",
    "cpu_wall_ratio",
    "process_start_ns",
    "runtime_load_ns",
    "cold_process_start_ns",
    "cold_runtime_load_ns",
)
_HIGHER = ("_ratio", "_db")
_LATER = ("slow_after_s",)


def estimates(run: RunResult) -> tuple[Estimate, ...]:
    """Return every metric of a run, computed now from what is stored, and which way each is better.

    Of a foreign run it is what its tool printed, or what its launches' result files say.
    """
    if run.windows:
        return _of_windows(run)
    return _measured(run) if run.origin == ORIGIN else _foreign(run)


def _foreign(run: RunResult) -> tuple[Estimate, ...]:
    printed = {(e.name, e.statistic): e for e in (*run.foreign, *summary_estimates(run.summaries))}
    usual = [
        printed.pop((e.name, e.statistic), replace(e, point=None, not_measured="not_in_foreign_result"))
        for e in _measured(run)
    ]
    return tuple(e if e.better else replace(e, better=_better(e.name)) for e in (*usual, *printed.values()))


def _of_windows(run: RunResult) -> tuple[Estimate, ...]:
    """Return what a device that tells windows gives; the rest its protocol has no words for."""
    kept = [e for e in _measured(run) if e.point is not None or e.name == headline(run)[0]]
    gone = [replace(e, not_measured="not_in_protocol") for e in _measured(run) if e not in kept]
    windows = (replace(e, better=LOWER) for e in window_estimates(run.windows))
    return (*windows, *kept, *gone)


def _measured(run: RunResult) -> tuple[Estimate, ...]:
    found = (
        *latency_estimates(run.launches, run.plan),
        *cpu_estimates(run.launches, run.plan),
        *start_up_estimates(run.launches, run.plan),
        *cold_estimates(run.cold, dict(run.not_measured).get("cold_start_ns", "not_asked")),
        *sustained_estimates(run.sustained),
        *_memory(run),
        *_power(run),
        *_accuracy(run),
    )
    return tuple(
        estimate if estimate.better else replace(estimate, better=_better(estimate.name)) for estimate in found
    )


def _power(run: RunResult) -> Iterable[Estimate]:
    if not run.energy_turns:
        return power_estimates(run.power, dict(run.not_measured).get(METRICS[0], "not_reached"))
    windows = [power_estimates(trace) for trace in run.energy_turns]
    return [_over_windows([window[place] for window in windows]) for place in range(len(METRICS))]


def _over_windows(found: list[Estimate]) -> Estimate:
    points = [one.point for one in found if one.point is not None]
    return over_launches(found[0].name, found[0].statistic, points) if points else found[0]


def _better(name: str) -> str | None:
    if name in _NEITHER:
        return None
    return HIGHER if name.endswith(_HIGHER) or name in _LATER else LOWER


def headline(run: RunResult) -> tuple[str, str]:
    """Return name and statistic of the figure that stands for a run's accuracy; without labels, agreement."""
    if not run.evaluations:
        return "top1_ratio", "share"
    first = run.evaluations[0]
    if first.scores:
        return first.scores[0].name, first.scores[0].statistic
    if any(one.n_agreed is not None for one in first.agreements):
        return f"{first.agreements[0].against}_agreement_ratio", "share"
    against = first.agreements[0].against if first.agreements else "float_model"
    return f"{against}_sqnr_db", "value"


def _accuracy(run: RunResult) -> Iterable[Estimate]:
    """Return the figures of the first evaluation set; `RunResult.evaluations` has those of every set."""
    if not run.evaluations:
        return _stored_accuracy(run)
    found = accuracy_estimates(run.evaluations[0])
    if any(estimate.name == "top1_ratio" for estimate in found):
        return found
    reason = "another_metric" if run.evaluations[0].scores else "no_labels"
    return [*found, Estimate("top1_ratio", "share", None, not_measured=reason)]


def _stored_accuracy(run: RunResult) -> Iterable[Estimate]:
    reasons = dict(run.not_measured)
    reason = reasons.get("top1_ratio", "not_reached")
    got = run.accuracy
    if got is None:
        return [Estimate("top1_ratio", "share", None, not_measured=reason)]
    low, high = wilson(got.top1_ratio * got.n_samples, got.n_samples)
    found = [Estimate("top1_ratio", "share", got.top1_ratio, low, high, CONFIDENCE, 1, got.n_samples)]
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
        return [Estimate(name, "median", None, not_measured=reason) for name in (*names, "agent_bytes")]
    found = [over_launches(name, "median", [getattr(repeat, name) for repeat in run.memory]) for name in names]
    agent = [repeat.agent_bytes for repeat in run.memory if repeat.agent_bytes is not None]
    if len(agent) < len(run.memory):
        return [*found, Estimate("agent_bytes", "median", None, not_measured="older_version")]
    return [*found, over_launches("agent_bytes", "median", agent)]
