"""Comparisons of two runs: a ratio with its interval, and a verdict with a margin.

Runs that took turns: in each block every live process runs twice, once on the way there and once on the way back
(A B B A), so that what drifts cancels. A launch gives one observation: the median over its blocks of the logarithm of
the ratio of medians. What differs from process to process stays in the spread between launches, and so in the interval.

Runs that did not: the difference of the means of the logarithms of launch medians, by Welch. What differs from one
session to the next is the same for all launches of a run, and so in no interval: such a ratio says less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from edgeprof.records import Comparison, RawLaunch, RunResult

CONFIDENCE = 0.99
MARGIN_RATIO = 0.02
_POWER = 0.8

LESS, MORE, SAME, INCONCLUSIVE = "less", "more", "same", "inconclusive"


class Decidable(Protocol):
    """What a verdict can be given on."""

    def risk(self) -> float:
        """Return the chance of an error at which the verdict is just there."""

    def leaning(self) -> str:
        """Return the verdict that more certainty around the same figure would give."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a pair says before anybody asked how many other pairs there are.

    Attributes:
        mean: Mean over launches of the logarithm of the ratio.
        error: Its standard error; `None` for one launch.
        n: Launches that both have, or the fewer of the two where they did not take turns.
        looks: How often measuring could have ended.
        margin: Logarithm of one and the margin.
        freedom: Degrees of freedom of `error`.
    """

    mean: float
    error: float | None
    n: int
    looks: int
    margin: float
    freedom: float

    def half(self, confidence: float) -> float | None:
        """Return half the interval's length, in logarithms; the error is shared between the looks (Bonferroni).

        Source: as `edgeprof.stats.estimates.over_launches`.
        """
        if self.error is None:
            return None
        return self._quantile(1 - (1 - confidence) / self.looks / 2) * self.error

    def leaning(self) -> str:
        """Return the verdict that a narrower interval around the same mean would give."""
        if self.mean < -self.margin:
            return LESS
        return MORE if self.mean > self.margin else SAME

    def risk(self) -> float:
        """Return the chance of an error at which the interval is just wholly outside the margins, or inside.

        Source: D. J. Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach for
        assessing the equivalence of average bioavailability", J. Pharmacokinet. Biopharm. 15, 657-680: inside the
        margins is the same, decided by the interval.
        """
        distance = abs(abs(self.mean) - self.margin)
        if self.error is None:
            return 1.0
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        from scipy.special import stdtr  # noqa: PLC0415 - a quarter of a second that `--help` need not pay

        return float(min(1.0, 2 * stdtr(self.freedom, -distance / self.error) * self.looks))

    def detectable(self, confidence: float) -> float | None:
        """Return the smallest change beyond the margin that so many launches find with a chance of 80 %.

        The interval's half and the quantile of that chance are added, both of t: a t test's power, as it is
        usually approximated.

        Source: J. Cohen (1988), "Statistical Power Analysis for the Behavioral Sciences", 2nd ed., section 2.4, with t
        in the place of the normal quantiles.
        """
        half = self.half(confidence)
        if half is None or self.error is None:
            return None
        return math.expm1(self.margin + half + self._quantile(_POWER) * self.error)

    def _quantile(self, probability: float) -> float:
        from scipy.special import stdtrit  # noqa: PLC0415

        return float(stdtrit(self.freedom, probability))


def compare(
    base: Sequence[RawLaunch], other: Sequence[RawLaunch], looks: int = 1, margin_ratio: float = MARGIN_RATIO
) -> Compared | None:
    """Return what two runs' launches say of one another; `None` if no launch belongs to both.

    Source: G. J. Hahn and W. Q. Meeker (1991), "Statistical Intervals", section 4.2, on the logarithms of ratios.
    """
    bases = {launch.index: launch for launch in base}
    logs = [_log_ratio(bases[launch.index], launch) for launch in other if launch.index in bases]
    if not logs:
        return None
    return _compared(logs, looks, margin_ratio)


def compare_values(
    base: Sequence[float | None], other: Sequence[float | None], margin_ratio: float = MARGIN_RATIO
) -> Compared | None:
    """Return how positive values that were measured in turns relate, pair by pair; `None` without a whole pair.

    Source: as `compare`.
    """
    logs = [math.log(b / a) for a, b in zip(base, other, strict=False) if a and b]
    return _compared(logs, 1, margin_ratio) if logs else None


def _compared(logs: Sequence[float], looks: int, margin_ratio: float) -> Compared:
    n = len(logs)
    error = float(np.std(logs, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Compared(float(np.mean(logs)), error, n, looks, math.log1p(margin_ratio), n - 1)


def compare_separate(
    base: Sequence[RawLaunch], other: Sequence[RawLaunch], looks: int = 1, margin_ratio: float = MARGIN_RATIO
) -> Compared | None:
    """Return what two runs that did not take turns say of one another; `None` if one has no launches.

    Source: B. L. Welch (1947), "The generalization of Student's problem when several different population variances
    are involved", Biometrika 34, 28-35, on the logarithms of launch medians.
    """
    if not base or not other:
        return None
    medians = [[float(np.median(launch.latency_ns)) for launch in launches] for launches in (base, other)]
    return welch(medians[0], medians[1], looks, math.log1p(margin_ratio))


def welch(base: Sequence[float], other: Sequence[float], looks: int, margin: float) -> Compared:
    """Return how positive values of two independent samples relate, on their logarithms.

    Source: as `compare_separate`; degrees of freedom by F. E. Satterthwaite (1946), "An approximate distribution of
    estimates of variance components", Biometrics Bulletin 2, 110-114.
    """
    logs = [np.log(np.asarray(values, dtype=float)) for values in (base, other)]
    fewest, mean = min(map(len, logs)), float(logs[1].mean() - logs[0].mean())
    if fewest < 2:
        return Compared(mean, None, fewest, looks, margin, 1)
    parts = [float(values.var(ddof=1)) / len(values) for values in logs]
    whole = sum(parts)
    spread = sum(part**2 / (len(values) - 1) for part, values in zip(parts, logs, strict=True))
    return Compared(mean, math.sqrt(whole), fewest, looks, margin, whole**2 / spread if spread else fewest - 1)


def verdicts(
    runs: Sequence[RunResult], margin_ratio: float = MARGIN_RATIO, confidence: float = CONFIDENCE
) -> tuple[Comparison, ...]:
    """Return each run's relation to the first of those it took turns with.

    Several verdicts share one chance of error by Holm's procedure: the clearest is held against that chance divided by
    their number, the next by one less, until one fails; from there on they are inconclusive.

    Source: S. Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 65-70.

    Args:
        runs: In the order they were asked for; those without a group, and the first of each, give nothing.
        margin_ratio: A change within this share counts as the same.
        confidence: Of all verdicts together, and of each interval by itself.
    """
    pairs = in_turns([run for run in runs if run.launches])
    found = [compare(base.launches, run.launches, len(run.plan.looks), margin_ratio) for base, run in pairs]
    decided = decide(found, confidence)
    return tuple(
        comparison(base, run, pair, verdict, confidence)
        for (base, run), pair, verdict in zip(pairs, found, decided, strict=True)
    )


def decide(found: Sequence[Decidable | None], confidence: float = CONFIDENCE) -> list[str]:
    """Return a verdict for each pair; together they are wrong with a chance of one less `confidence` (Holm)."""
    known = [(index, pair) for index, pair in enumerate(found) if pair]
    decided = [INCONCLUSIVE] * len(found)
    ordered = sorted(known, key=lambda item: item[1].risk())
    for rank, (index, pair) in enumerate(ordered):
        if pair.risk() > (1 - confidence) / (len(ordered) - rank):
            break
        decided[index] = pair.leaning()
    return decided


def in_turns(runs: Sequence[RunResult]) -> list[tuple[RunResult, RunResult]]:
    """Return each run with the first of those it took turns with."""
    firsts: dict[str, RunResult] = {}
    pairs = []
    for run in runs:
        if run.group is None:
            continue
        first = firsts.setdefault(run.group, run)
        if first is not run and first.plan.metric == run.plan.metric:
            pairs.append((first, run))
    return pairs


def comparison(
    base: RunResult, run: RunResult, pair: Compared | None, verdict: str, confidence: float = CONFIDENCE
) -> Comparison:
    """Return a pair as a record: the ratio with its interval, or that nothing compares them."""
    empty = Comparison(
        base.run_id, run.run_id, run.plan.metric, None, None, None, confidence, 0, MARGIN_RATIO, None, INCONCLUSIVE,
        "no_common_launches",
    )  # fmt: skip
    if pair is None:
        return empty
    half = pair.half(confidence)
    return replace(
        empty,
        ratio=math.exp(pair.mean),
        low=None if half is None else math.exp(pair.mean - half),
        high=None if half is None else math.exp(pair.mean + half),
        n_launches=pair.n,
        margin_ratio=math.expm1(pair.margin),
        detectable_ratio=pair.detectable(confidence),
        verdict=verdict,
        not_measured=None,
    )


def _log_ratio(base: RawLaunch, other: RawLaunch) -> float:
    """Return the logarithm of the ratio of medians, as the median over blocks."""
    alike = len(base.blocks) == len(other.blocks)
    pairs = zip(_blocks(base, split=alike), _blocks(other, split=alike), strict=True)
    return float(np.median([math.log(np.median(b) / np.median(a)) for a, b in pairs]))


def _blocks(launch: RawLaunch, *, split: bool) -> list[np.ndarray]:
    samples = np.asarray(launch.latency_ns, dtype=float)
    return np.split(samples, np.cumsum(launch.blocks)[:-1]) if split and launch.blocks else [samples]
