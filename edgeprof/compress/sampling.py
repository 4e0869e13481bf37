"""Which of a user's samples the ranges of integers are fitted to."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

EVEN, FIRST, RANDOM, BALANCED = CHOICES = ("even", "first", "random", "balanced")
# Some 100 to 500 are what the documentation of quantisers asks for.
DEFAULT_SAMPLES = 200
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """A choice of samples.

    Attributes:
        samples: How many, or `None` for 200, or all where there are fewer.
        choice: `even` (spaced over the whole set), `first`, `random`, or `balanced` (as many of each class).
        seed: Of `random`.
    """

    samples: int | None = None
    choice: str = EVEN
    seed: int = 0

    @property
    def key(self) -> tuple[int, str, int | None]:
        """All that which samples are taken depends on, besides the data."""
        return self.samples or DEFAULT_SAMPLES, self.choice, self.used_seed

    @property
    def used_seed(self) -> int | None:
        """The seed, where it makes a difference."""
        return self.seed if self.choice == RANDOM else None

    @property
    def chosen(self) -> bool:
        """The user has chosen something."""
        return self.samples is not None or self.choice != EVEN

    def check(self) -> None:
        """Refuse what no data could satisfy.

        Raises:
            UsageError: The number or the choice cannot be.
        """
        if self.choice not in CHOICES:
            hint = f"{did_you_mean(self.choice, CHOICES)}known: {', '.join(CHOICES)}"
            raise UsageError(f"unknown choice of calibration samples: `{self.choice}`", hint)
        if self.samples is not None and self.samples < 1:
            raise UsageError(f"{self.samples} calibration samples are none", "use at least 1")

    def check_fits(self, n: int, where: object) -> None:
        """Refuse a number that `n` samples do not give.

        Raises:
            UsageError: Says how many there are.
        """
        if self.samples is not None and self.samples > n:
            raise UsageError(
                f"{self.samples} calibration samples were asked for, and `{where}` has {n}",
                f"give `--calibration-samples {n}` at most, or leave it out",
            )


def pick(n: int, asked: Sampling, classes: Callable[[], Indices]) -> Indices:
    """Return which of `n` samples are used, in their order; all of them where there are no more than asked for.

    Args:
        n: How many there are.
        asked: The choice.
        classes: Gives the class of each; called for `balanced` only.
    """
    count = min(n, asked.samples or DEFAULT_SAMPLES)
    match asked.choice:
        case "first":
            return np.arange(count)
        case "random":
            return np.sort(np.random.default_rng(asked.seed).permutation(n)[:count])
        case "balanced":
            return _balanced(classes(), count)
        case _:
            return _even(n, count)


def _balanced(classes: Indices, count: int) -> Indices:
    """Return `count` samples: of each class as many as of any other, or all it has; evenly spaced within a class."""
    members = sorted((np.flatnonzero(classes == name) for name in np.unique(classes)), key=len)
    picked = []
    for i, rows in enumerate(members):
        share = min(len(rows), count // (len(members) - i))
        picked.append(rows[_even(len(rows), share)])
        count -= share
    return np.sort(np.concatenate(picked))


def _even(n: int, count: int) -> Indices:
    return np.linspace(0, n - 1, count).round().astype(np.int64)
