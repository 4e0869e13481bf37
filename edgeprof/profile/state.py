"""How the board did while it ran: temperature, clocks and the load of others, sampled beside the launches."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any

from edgeprof.errors import DeviceError, TransportError
from edgeprof.records import CoreClock, State
from edgeprof.remote import Board

SAMPLE_HZ = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the agent's sampler.

    Attributes:
        monotonic_ns: When, by the board's monotonic clock.
        temp_mc: Each thermal zone, in thousandths of a degree Celsius.
        freq_khz: Each core's clock.
        busy_ratio: Share of all cores that worked since the sample before.
        throttled: The firmware's bits of throttling; `None` between the seconds at which it is asked.
        cpu_ns: What the sampler itself has used of a core so far.
    """

    monotonic_ns: int
    temp_mc: tuple[int | None, ...]
    freq_khz: tuple[int | None, ...]
    busy_ratio: float | None
    cpu_ns: int | None
    throttled: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A round of launches on the board's monotonic clock.

    Attributes:
        start_ns: When it began.
        end_ns: When it ended.
        own_cpu_ns: What our own processes took of the board's cores.
        thermal_status: Android's, once it had ended; `None` on anything else.
    """

    start_ns: int
    end_ns: int
    own_cpu_ns: int
    thermal_status: int | None = None


class Watcher:
    """Samples a board from `start` to `stop`; the rounds in between are marked. After a cut it starts anew.

    The samples of before a cut are lost, and its rounds are never matched with later ones: a board that was restarted
    counts its time from zero again.

    Attributes:
        cost_ratio: Share of a core that sampling took, once it was stopped; `None` where it is not known.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._sampler: int | None = None
        self._windows: dict[int, Window] = {}
        self._states: dict[int, State] = {}
        self.cost_ratio: float | None = None

    def start(self, board: Board) -> None:
        """Begin to sample; a board that cannot goes unwatched."""
        self._sampler = None
        self._settle([])
        with suppress(DeviceError):
            self._sampler = board.agent.sampler_start(SAMPLE_HZ)

    def mark(self, index: int, window: Window) -> None:
        """Remember when round `index` ran."""
        self._windows[index] = window

    def stop(self, board: Board) -> None:
        """End sampling and work out each round's state. A link that is lost loses them, and nothing else."""
        if self._sampler is None:
            return
        with suppress(DeviceError, TransportError):
            done = board.agent.sampler_stop(self._sampler)
            samples = parse_samples(board.pull(done.file, done.sha256))
            self.cost_ratio = cost_ratio(samples)
            self._settle(samples)
        self._sampler = None
        self._windows = {}

    def _settle(self, samples: Sequence[Sample]) -> None:
        """Work out the state of each marked round, which are over then."""
        for index, window in self._windows.items():
            self._states[index] = state_in(samples, window, self._cores)
        self._windows = {}

    def states(self, launches: int) -> tuple[State | None, ...]:
        """Return the state of each of so many rounds; `None` where it was not seen."""
        return tuple(self._states.get(index) for index in range(launches))


def sampler_lines(data: bytes) -> list[dict[str, Any]]:
    """Return the lines of a sampler's file; a last one that was cut is left out."""
    found = []
    for line in data.splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def parse_samples(data: bytes) -> list[Sample]:
    """Return the samples of the file of a sampler of the board's state."""
    samples = []
    for got in sampler_lines(data):
        with suppress(ValueError, KeyError, TypeError):
            samples.append(
                Sample(
                    int(got["monotonic_ns"]),
                    tuple(got["temp_mc"]),
                    tuple(got["freq_khz"]),
                    got["busy_ratio"],
                    got.get("cpu_ns"),
                    got.get("throttled"),
                )
            )
    return samples


def cost_ratio(samples: Sequence[Sample]) -> float | None:
    """Return what share of a core sampling took, or `None` where two samples do not say."""
    known = [(s.monotonic_ns, s.cpu_ns) for s in samples if s.cpu_ns is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    return (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])


def state_in(samples: Sequence[Sample], window: Window, cores: int) -> State:
    """Return how the board did in a window, of which it has `cores` cores.

    The load of others is what all cores did, less what our processes used; samples that begin before the window and
    end in it count in full, so that a window much shorter than the time between samples says `None`.
    """
    inside = [s for s in samples if window.start_ns <= s.monotonic_ns <= window.end_ns]
    temps = [value for s in inside for value in s.temp_mc if value is not None]
    clocks = [value for s in inside for value in s.freq_khz if value is not None]
    bits = [s.throttled for s in inside if s.throttled is not None]
    return State(
        temp_mc=max(temps, default=None),
        freq_khz_low=min(clocks, default=None),
        freq_khz_high=max(clocks, default=None),
        others_cores=_others(inside, window, cores),
        throttled=reduce(or_, bits) if bits else None,
        core_khz=_core_clocks(samples, inside, window),
        thermal_status=window.thermal_status,
    )


def _core_clocks(samples: Sequence[Sample], inside: Sequence[Sample], window: Window) -> tuple[CoreClock, ...]:
    """Return each core's clock around a window; nothing where no core says its own."""
    before = [s for s in samples if s.monotonic_ns < window.start_ns][-1:]
    after = [s for s in samples if s.monotonic_ns > window.end_ns][:1]
    found = []
    for core in range(max((len(s.freq_khz) for s in inside), default=0)):
        during = [value for value in _of_core(inside, core) if value is not None]
        around = [next(iter(_of_core(part, core)), None) for part in (before, after)]
        found.append(CoreClock(around[0], min(during, default=None), max(during, default=None), around[1]))
    return tuple(found) if any(clock.low is not None for clock in found) else ()


def _of_core(samples: Sequence[Sample], core: int) -> list[int | None]:
    return [s.freq_khz[core] for s in samples if core < len(s.freq_khz)]


def _others(inside: Sequence[Sample], window: Window, cores: int) -> float | None:
    pairs = list(pairwise(inside))
    covered_ns = sum(b.monotonic_ns - a.monotonic_ns for a, b in pairs)
    if not pairs or covered_ns < (window.end_ns - window.start_ns) / 2:
        return None
    busy_ns = sum((b.busy_ratio or 0.0) * cores * (b.monotonic_ns - a.monotonic_ns) for a, b in pairs)
    sampler_ns = (inside[-1].cpu_ns or 0) - (inside[0].cpu_ns or 0)
    own_ns = window.own_cpu_ns * covered_ns / (window.end_ns - window.start_ns) + sampler_ns
    return round(max(0.0, (busy_ns - own_ns) / covered_ns), 3)
