"""Which runs of a device are worth having: those that no other beats in one figure without being worse in any."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.compare.energy import energy_refusal
from edgeprof.metrics import estimates, headline
from edgeprof.records import Estimate, RunResult
from edgeprof.scores import LOWER, Score
from edgeprof.stats import CONFIDENCE, compare
from edgeprof.stats.paired import loss_against

# A cost within this share of another is the same: the default margin of a verdict. Of accuracies none is.
_SAME = 1.02
_ENERGY = "energy_per_inference_uj"
# Figures that count, besides the headline of accuracy; a metric that a run has not is no figure of it.
_FIGURES = (
    ("latency_ns", "median"),
    ("guest_instructions", "median"),
    (_ENERGY, "mean"),
    ("peak_rss_bytes", "median"),
)


@dataclass(frozen=True, slots=True)
class Range:
    """Where a figure lies; both ends are the same where it is exact.

    Attributes:
        low: The least it may be; below everything where that is not known.
        high: The most; above everything where that is not known.
        less_is_better: Which way is good.
        point: Where it most likely is.
        score: What it was on each sample, where two runs on the same samples are told apart by pairs; or `None`.
        launches: The run whose launches it comes from: two that took turns are told apart by pairs; or `None`.
    """

    low: float
    high: float
    less_is_better: bool
    point: float
    score: Score | None = None
    launches: RunResult | None = None

    def beats(self, other: "Range") -> bool:
        """Return whether this is better whatever the two are, within their ranges."""
        if self.score is not None and other.score is not None:
            return loss_against(self.score, other.score).worse.low > 0
        if self.launches and other.launches and self.launches.group and self.launches.group == other.launches.group:
            return _is_faster(self.launches, other.launches)
        return self.high < other.low if self.less_is_better else self.low > other.high

    def clearly_beats(self, other: "Range") -> bool:
        """Return whether this is surely better, and a cost by more than counts as the same."""
        is_cost = self.less_is_better and self.score is None
        return self.beats(other) and (not is_cost or self.point * _SAME < other.point)

    def may_be_worse(self, other: "Range") -> bool:
        """Return whether it looks worse, by more than counts as the same, unless it is known to be better."""
        if self.beats(other):
            return False
        if self.score is not None:
            return self.point < other.point if not self.less_is_better else self.point > other.point
        return self.point > other.point * _SAME if self.less_is_better else self.point * _SAME < other.point


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run on its device's front, or the runs that push it off.

    Attributes:
        run: The run.
        figures: Names of the figures that it was ranked by.
        dominated_by: Runs that are better in at least one figure, as sure as intervals are and by more than counts as
            the same, and look worse in none.
    """

    run: RunResult
    figures: tuple[str, ...]
    dominated_by: tuple[RunResult, ...]


def fronts(runs: Sequence[RunResult]) -> tuple[Ranked, ...]:
    """Return every run with those that dominate it, among the runs of its device in the same metric.

    A run dominates another only in figures that were measured for both, and only if it has all that the other has:
    what was not measured, or was measured elsewhere (another rail or supply), is never taken for good.
    """
    ranges = {run.run_id: figures(run) for run in runs if run.launches}
    shown = [run for run in runs if run.launches]
    return tuple(
        Ranked(
            run,
            tuple(name for name, _ in ranges[run.run_id]),
            tuple(
                other for other in shown
                if other.device == run.device
                and other.plan.metric == run.plan.metric
                and not ((_ENERGY, "") in ranges[run.run_id] and energy_refusal(run, other))
                and _dominates(ranges[other.run_id], ranges[run.run_id])
            ),
        )
        for run in shown
    )  # fmt: skip


def figures(run: RunResult) -> dict[tuple[str, str], Range]:
    """Return the figures a run is ranked by, each by its name and what it was measured on.

    Accuracies on other samples are other figures: they say nothing of one another.
    """
    by_name = {(e.name, e.statistic): e for e in estimates(run)}
    size = run.artifact.size_bytes
    found = {("size_bytes", ""): Range(size, size, less_is_better=True, point=size)}
    packed = run.facts and run.facts.gzip_bytes
    if packed:  # zeros and clusters are worth nothing else
        found["gzip_bytes", ""] = Range(packed, packed, less_is_better=True, point=packed)
    evaluation = next(iter(run.evaluations), None)
    score = evaluation.scores[0] if evaluation and evaluation.scores else None
    for key in (*_FIGURES, headline(run)):
        estimate = by_name.get(key)
        if estimate is not None and estimate.point is not None:
            samples = evaluation.pairing if evaluation and key == headline(run) else ""
            found[key[0], samples] = Range(
                *_ends(estimate, estimate.point),
                less_is_better=estimate.better == LOWER,
                point=estimate.point,
                score=score if key == headline(run) else None,
                launches=run if key[0] == run.plan.metric else None,
            )
    return found


def _is_faster(one: RunResult, other: RunResult) -> bool:
    """Return whether a run costs less than one it took turns with, as sure as the other intervals are."""
    looks = max(len(run.plan.looks) for run in (one, other))
    pair = compare(other.launches, one.launches, looks, margin_ratio=0.0)
    half = None if pair is None else pair.half(CONFIDENCE)
    return pair is not None and half is not None and pair.mean + half < 0


def _dominates(one: dict[tuple[str, str], Range], other: dict[tuple[str, str], Range]) -> bool:
    if not set(other) <= set(one):
        return False
    worse = any(other[name].clearly_beats(one[name]) or one[name].may_be_worse(other[name]) for name in other)
    return not worse and any(one[name].clearly_beats(other[name]) for name in other)


def _ends(estimate: Estimate, point: float) -> tuple[float, float]:
    if estimate.low is not None and estimate.high is not None:
        return estimate.low, estimate.high
    return (point, point) if estimate.n_launches != 1 else (-math.inf, math.inf)
