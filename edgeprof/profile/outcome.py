"""What profiling tells while it runs, and what it gives back."""

from dataclasses import dataclass
from typing import Protocol

from edgeprof.errors import EdgeprofError
from edgeprof.records import Comparison, RunResult


class Watch(Protocol):
    """Somebody who watches: a terminal, a log, nobody. Several devices tell at once, each from a thread of its own."""

    def say(self, device: str, text: str) -> None:
        """Be told of a step that takes a while."""

    def progress(self, device: str, what: str, done: int, total: int) -> None:
        """Be told how far `what` is: bytes of a push, samples of an evaluation."""

    def launched(self, run: RunResult, done: int, total: int) -> None:
        """Be given a run with its launches so far, after launch `done` of `total` of the device's."""

    def ended(self, device: str, reason: str | None) -> None:
        """Be told that a device is through, or the reason for which nothing more comes from it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A device, or one artifact on it, that gave no complete result."""

    device: str
    what: str
    error: EdgeprofError


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a `profile` gave.

    Attributes:
        runs: The cells, complete or not; each is in the store.
        failures: What went wrong, on which device; empty when all is well.
        comparisons: How the runs of each device relate to its first.
        taken: Names of runs that were complete already in the session that was resumed.
    """

    runs: tuple[RunResult, ...]
    failures: tuple[Failure, ...]
    comparisons: tuple[Comparison, ...] = ()
    taken: tuple[str, ...] = ()
