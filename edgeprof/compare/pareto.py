"""Which runs of a device are worth having: those that no other beats in one figure without being worse in any."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from edgeprof.metrics import estimates
from edgeprof.records import Estimate, RunResult

# Figures that count, with whether less is better; a metric that a run has not is no figure of it.
_FIGURES = (
    ("latency_ns", "median", True),
    ("guest_instructions", "median", True),
    ("energy_per_inference_uj", "mean", True),
    ("peak_rss_bytes", "median", True),
    ("top1_ratio", "share", False),
)
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Range:
    """Where a figure lies; both ends are the same where it is exact."""

    low: float
    high: float
    less_is_better: bool

    def beats(self, other: "Range") -> bool:
        """Return whether this is better whatever the two are, within their ranges."""
        return self.high < other.low if self.less_is_better else self.low > other.high


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run on its device's front, or the runs that push it off.

    Attributes:
        run: The run.
        figures: Names of the figures that it was ranked by.
        dominated_by: Runs that are better in at least one figure and, as far as their intervals tell, worse in none.
    """

    run: RunResult
    figures: tuple[str, ...]
    dominated_by: tuple[RunResult, ...]


def fronts(runs: Sequence[RunResult]) -> tuple[Ranked, ...]:
    """Return every run with those that dominate it, among the runs of its device in the same metric.

    A run dominates another only in figures that were measured for both, and only if it has all that the other has:
    what was not measured is never taken for good.
    """
    ranges = {run.run_id: figures(run) for run in runs if run.launches}
    shown = [run for run in runs if run.launches]
    return tuple(
        Ranked(
            run,
            tuple(ranges[run.run_id]),
            tuple(
                other for other in shown
                if other.device == run.device
                and other.plan.metric == run.plan.metric
                and _dominates(ranges[other.run_id], ranges[run.run_id])
            ),
        )
        for run in shown
    )  # fmt: skip


def figures(run: RunResult) -> dict[str, Range]:
    """Return the figures a run is ranked by."""
    by_name = {(e.name, e.statistic): e for e in estimates(run)}
    found = {"size_bytes": Range(run.artifact.size_bytes, run.artifact.size_bytes, less_is_better=True)}
    for name, statistic, less in _FIGURES:
        estimate = by_name.get((name, statistic))
        if estimate is not None and estimate.point is not None:
            found[name] = Range(*_ends(estimate, estimate.point), less_is_better=less)
    return found


def _dominates(one: dict[str, Range], other: dict[str, Range]) -> bool:
    if not set(other) <= set(one):
        return False
    worse = any(other[name].beats(one[name]) for name in other)
    return not worse and any(one[name].beats(other[name]) for name in other)


def _ends(estimate: Estimate, point: float) -> tuple[float, float]:
    if estimate.low is not None and estimate.high is not None:
        return estimate.low, estimate.high
    if estimate.name.endswith("_ratio") and estimate.n_samples:
        return wilson(point, estimate.n_samples)
    return point, point


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `n` samples.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Am. Stat.
    Assoc. 22, 209-212.
    """
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)
