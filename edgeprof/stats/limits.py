"""Is a figure below a limit? The figure of a launch, of a run against an older one, or a share of samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.stats.comparisons import LESS, MORE, Compared, welch
from edgeprof.stats.proportions import Discordant

# What stands exactly at its limit keeps it.
_JUST_BELOW = -1e-12
_POINTS = 100.0


def against_limit(values: Sequence[float], limit: float, *, exact: bool = False) -> Compared:
    """Return where positive values, one a launch, lie in relation to a limit above 0: Student's t on their logarithms.

    Args:
        values: One a launch; one in all where `exact`.
        limit: What they are held against.
        exact: The value is known, not sampled: a file's size.

    Source: G. J. Hahn and W. Q. Meeker (1991), "Statistical Intervals", section 4.2, on log-transformed data.
    """
    logs = np.log(np.asarray(values, dtype=float) / limit)
    n = len(logs)
    error = 0.0 if exact else float(np.std(logs, ddof=1)) / math.sqrt(n) if n > 1 else None
    return _compared(float(logs.mean()), error, n, n - 1)


def against_base(values: Sequence[float], base: Sequence[float], allowed_ratio: float) -> Compared:
    """Return where the ratio of two runs' values lies in relation to `1 + allowed_ratio`: Welch's t on logarithms."""
    pair = welch(base, values, 1, 0.0)
    return _compared(pair.mean - math.log1p(allowed_ratio), pair.error, pair.n, pair.freedom)


def _compared(mean: float, error: float | None, n: int, freedom: float) -> Compared:
    return Compared(_JUST_BELOW if mean == 0 and error == 0 else mean, error, n, 1, 0.0, freedom)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of samples, held against a floor that it must reach: `less` is the good side, as everywhere.

    Attributes:
        hits: Samples that count.
        n: All samples.
        floor: From 0 to 1.
    """

    hits: int
    n: int
    floor: float

    def leaning(self) -> str:
        """Return `less` where the floor is reached."""
        return LESS if self.hits >= self.floor * self.n else MORE

    def risk(self) -> float:
        """Return the two-sided binomial chance of a share so far from the floor.

        Source: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, 404-413.
        """
        from scipy.special import bdtr, bdtrc  # noqa: PLC0415 - a quarter of a second that `--help` need not pay

        above = 1.0 if self.hits == 0 else float(bdtrc(self.hits - 1, self.n, self.floor))
        below = float(bdtr(self.hits, self.n, self.floor))
        return min(1.0, 2 * (above if self.leaning() == LESS else below))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the exact interval of the share, by the same source."""
        from scipy.special import betaincinv  # noqa: PLC0415

        tail = (1 - confidence) / 2
        low = 0.0 if self.hits == 0 else float(betaincinv(self.hits, self.n - self.hits + 1, tail))
        high = 1.0 if self.hits == self.n else float(betaincinv(self.hits + 1, self.n - self.hits, 1 - tail))
        return low, high


@dataclass(frozen=True, slots=True)
class Drop:
    """A loss of accuracy against the float model on the same samples, in points, held against the most allowed.

    Attributes:
        pairs: On how many samples only one of the two is right.
        most_points: The most that may be lost.
    """

    pairs: Discordant
    most_points: float

    @property
    def points(self) -> float:
        """Return the loss in percentage points."""
        return self.pairs.share * _POINTS

    def leaning(self) -> str:
        """Return `less` where no more is lost than allowed."""
        return LESS if self.points <= self.most_points else MORE

    def risk(self) -> float:
        """Return the two-sided chance, by the paired score test, of a loss so far from the limit."""
        return self.pairs.risk(min(self.most_points / _POINTS, 1.0))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the score interval of the loss, in points."""
        low, high = self.pairs.interval(confidence)
        return low * _POINTS, high * _POINTS


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A figure that is no share of samples, held against a limit by what it is on resamples of the set.

    Attributes:
        beyond: How far beyond the limit it is on the whole set, above 0 on the bad side.
        resampled: The same on each resample; NaN where it is not defined.
    """

    beyond: float
    resampled: NDArray[np.float64]

    def leaning(self) -> str:
        """Return `less` where the limit is kept."""
        return LESS if self.beyond <= 0 else MORE

    def risk(self) -> float:
        """Return the two-sided chance of a figure so far from the limit; 1 where resamples do not differ at all.

        It is the larger of what the resamples' spread says and of twice the share of them on the other side: a
        thousand resamples tell no chance below a thousandth by their number, and spread alone knows no skew.

        Source: B. Efron and R. Tibshirani (1993), "An Introduction to the Bootstrap", chapters 12 and 13.
        """
        from scipy.special import ndtr  # noqa: PLC0415 - a quarter of a second that `--help` need not pay

        known = self.resampled[~np.isnan(self.resampled)]
        error = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
        if error == 0:
            return 1.0
        across = float(np.mean(known > 0 if self.beyond <= 0 else known <= 0))
        return min(1.0, max(2 * float(ndtr(-abs(self.beyond) / error)), 2 * across))
