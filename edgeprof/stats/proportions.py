"""Shares of samples, and differences of shares on the same samples."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edgeprof.stats.estimates import CONFIDENCE

_STEPS = 60


def wilson(hits: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of the share `hits / n`.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Am. Stat.
    Assoc. 22, 209-212.
    """
    z, share = _z(confidence), hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Discordant:
    """Two sets of right and wrong on the same samples: how many each alone got right.

    Attributes:
        lost: Samples that only the first has right.
        won: Samples that only the second has right.
        n: All samples.
    """

    lost: int
    won: int
    n: int

    @property
    def share(self) -> float:
        """Return the first's share of right samples less the second's."""
        return (self.lost - self.won) / self.n

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the score interval of `share`: all differences that a score test does not refuse.

        Source: T. Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design", Statistics in Medicine 17, 891-908.
        """
        z = _z(confidence)
        low = _root(lambda d: self.z(d) - z, -1.0, self.share)
        high = _root(lambda d: self.z(d) + z, self.share, 1.0)
        return low, high

    def z(self, difference: float) -> float:
        """Return the score statistic against a true `difference`, by the same source; it falls as that grows."""
        b, c, n = self.lost, self.won, self.n
        linear = -b - c + (2 * n - b + c) * difference
        root = math.sqrt(max(0.0, linear**2 + 8 * n * c * difference * (1 - difference)))
        won = (root - linear) / (4 * n)
        variance = n * (2 * won + difference * (1 - difference))
        gap = b - c - n * difference
        if variance <= 0:
            return 0.0 if gap == 0 else math.copysign(math.inf, gap)
        return gap / math.sqrt(variance)

    def risk(self, difference: float) -> float:
        """Return the two-sided chance of what was seen, or more, if `difference` were true."""
        return math.erfc(abs(self.z(difference)) / math.sqrt(2))

    def mcnemar(self) -> float:
        """Return the exact two-sided chance of so uneven a split between `lost` and `won` if neither were favoured.

        Source: Q. McNemar (1947), "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12, 153-157; with the binomial distribution in place of the normal one.
        """
        from scipy.special import bdtr  # noqa: PLC0415 - a quarter of a second that `--help` need not pay

        both = self.lost + self.won
        return 1.0 if both == 0 else min(1.0, 2 * float(bdtr(min(self.lost, self.won), both, 0.5)))


def discordant(first: NDArray[np.int64], second: NDArray[np.int64]) -> Discordant:
    """Return how two arrays of hits, 1 or 0 a sample, differ."""
    lost, won = int((first > second).sum()), int((second > first).sum())
    return Discordant(lost, won, len(first))


@dataclass(frozen=True, slots=True)
class Range:
    """A figure with its interval."""

    point: float
    low: float
    high: float


def mover(first: Range, second: Range, correlation: float = 0.0) -> Range:
    """Return the difference of two figures with its interval, made of their own intervals.

    Args:
        first: What is subtracted from.
        second: What is subtracted.
        correlation: Of the two estimates; 0 where they come from different samples.

    Source: G. Y. Zou and A. Donner (2008), "Construction of confidence limits about effect measures: a general
    approach", Statistics in Medicine 27, 1693-1702 (the square-and-add of R. G. Newcombe, 1998).
    """
    point = first.point - second.point
    down, up = first.point - first.low, first.high - first.point
    below, above = second.point - second.low, second.high - second.point
    low = math.sqrt(max(0.0, down**2 + above**2 - 2 * correlation * down * above))
    high = math.sqrt(max(0.0, up**2 + below**2 - 2 * correlation * up * below))
    return Range(point, point - low, point + high)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function is zero, or the end that is nearest to it."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(1 - (1 - confidence) / 2)
