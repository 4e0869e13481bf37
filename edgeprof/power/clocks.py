"""The board's clock against the host's: how far ahead it is, and within what bound that is known.

Source: F. Cristian (1989), "Probabilistic clock synchronization", Distributed Computing 3: a clock that was read
somewhere within a round trip is known to half of that round trip; the shortest of several knows it best.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

_TRIES = 12
# Two quartzes drift apart by less than this; more is a clock that was set.
_DRIFT_RATIO = 0.001


@dataclass(frozen=True, slots=True)
class Offset:
    """How far one clock was ahead of the other at a moment.

    Attributes:
        host_ns: That moment, by the host's clock.
        ahead_ns: The board's clock less the host's.
        bound_ns: It is no further off than this.
    """

    host_ns: int
    ahead_ns: int
    bound_ns: int


@dataclass(frozen=True, slots=True)
class ClockMap:
    """Host times as board times between two moments at which the offset was measured."""

    before: Offset
    after: Offset

    @property
    def bound_ns(self) -> int:
        """Return how far a mapped time may be off."""
        return max(self.before.bound_ns, self.after.bound_ns)

    @property
    def stepped(self) -> bool:
        """Return whether the offset moved further than clocks drift: somebody set one of them."""
        moved = abs(self.after.ahead_ns - self.before.ahead_ns)
        drift = _DRIFT_RATIO * (self.after.host_ns - self.before.host_ns)
        return moved > self.before.bound_ns + self.after.bound_ns + drift

    def to_board(self, host_ns: int) -> int:
        """Return the board's time at the host's `host_ns`."""
        span = max(1, self.after.host_ns - self.before.host_ns)
        share = (host_ns - self.before.host_ns) / span
        return host_ns + self.before.ahead_ns + round(share * (self.after.ahead_ns - self.before.ahead_ns))


def measure_offset(
    board_clock: Callable[[], int], host_clock: Callable[[], int] = time.monotonic_ns, tries: int = _TRIES
) -> Offset:
    """Return the offset from the shortest of several round trips."""
    found = []
    for _ in range(tries):
        sent = host_clock()
        board_ns = board_clock()
        round_trip = host_clock() - sent
        middle = sent + round_trip // 2
        found.append(Offset(middle, board_ns - middle, (round_trip + 1) // 2))
    return min(found, key=lambda offset: offset.bound_ns)
