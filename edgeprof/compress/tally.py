"""How much of several recipes is done, and what that says of the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean

from edgeprof import units


@dataclass(slots=True)
class _Going:
    since_s: float
    share: float = 0.0


@dataclass(slots=True)
class Tally:
    """Recipes waiting, going on and ended; times in seconds of one clock.

    Attributes:
        trained: For each recipe, whether it has steps: those that have take longer, and say how far they are.
    """

    trained: Mapping[str, bool]
    _going: dict[str, _Going] = field(default_factory=dict)
    _took_s: dict[str, float] = field(default_factory=dict)

    def began(self, name: str, now_s: float) -> None:
        """Count a recipe as going on."""
        self._going[name] = _Going(now_s)

    def reached(self, name: str, share: float) -> None:
        """Note how far a recipe is, 0 to 1."""
        if name in self._going:
            self._going[name].share = max(share, self._going[name].share)

    def ended(self, name: str, now_s: float) -> None:
        """Count a recipe as made, or failed for good."""
        self._took_s[name] = now_s - self._going.pop(name, _Going(now_s)).since_s

    def again(self, name: str) -> None:
        """Count a recipe as waiting again."""
        self._going.pop(name, None)

    @property
    def share(self) -> float:
        """How far all of it is, 0 to 1."""
        return (len(self._took_s) + sum(one.share for one in self._going.values())) / len(self.trained)

    def words(self, now_s: float, at_once: int) -> str:
        """Return how many are done and how long the rest takes, in brackets; nothing where nothing is known."""
        left_s = self.left_s(now_s, at_once)
        done = f"{len(self._took_s)} of {len(self.trained)} done" if self._took_s else ""
        left = "" if left_s is None else f"about {units.clock(left_s)} left"
        said = ", ".join(part for part in (done, left) if part)
        return f" ({said})" if said else ""

    def left_s(self, now_s: float, at_once: int) -> float | None:
        """Return how long the rest takes, `at_once` of them at a time; `None` where finished work does not tell.

        What is going on and says how far it is goes on at its pace. What is not takes as long as those of its kind,
        with or without steps, took so far; where none has, nobody knows.
        """
        left = [self._one_left_s(name, now_s) for name in self.trained if name not in self._took_s]
        known = [one for one in left if one is not None]
        if not known or len(known) < len(left):
            return None
        return max(sum(known) / max(1, at_once), *known)

    def _one_left_s(self, name: str, now_s: float) -> float | None:
        going = self._going.get(name)
        spent_s = now_s - going.since_s if going else 0.0
        if going and going.share > 0:
            return spent_s * (1 - going.share) / going.share
        alike = [took for other, took in self._took_s.items() if self.trained[other] == self.trained[name]]
        return max(0.0, mean(alike) - spent_s) if alike else None
