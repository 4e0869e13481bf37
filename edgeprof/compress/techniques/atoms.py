"""Channels that stand or fall together: equivalence classes of numbered channels, some of which must stay."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]


@dataclass(slots=True)
class Atoms:
    """Channels by number, joined into classes (a disjoint-set forest with path halving).

    Source: R. E. Tarjan and J. van Leeuwen (1984), "Worst-case analysis of set union algorithms", J. ACM 31(2).
    """

    _parents: list[int] = field(default_factory=list)
    _pins: dict[int, str] = field(default_factory=dict)

    def fresh(self, count: int) -> Labels:
        """Return `count` new channels, each alone in its class."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def join(self, one: Iterable[int], other: Iterable[int]) -> None:
        """Make each channel of `one` stand or fall with its partner in `other`, which is as long."""
        for a, b in zip(one, other, strict=True):
            low, high = sorted((self._find(int(a)), self._find(int(b))))
            self._parents[high] = low

    def pin(self, labels: Iterable[int], reason: str) -> None:
        """Say that channels must stay; the first reason given counts."""
        for label in labels:
            self._pins.setdefault(int(label), reason)

    def classes(self) -> Labels:
        """Return for each channel the number of its class, the lowest channel in it."""
        return np.array([self._find(label) for label in range(len(self._parents))], dtype=np.int64)

    def pinned(self) -> dict[int, str]:
        """Return the classes that must stay, with the first reason."""
        reasons: dict[int, str] = {}
        for label, reason in self._pins.items():
            reasons.setdefault(self._find(label), reason)
        return reasons

    def _find(self, label: int) -> int:
        parents = self._parents
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label
