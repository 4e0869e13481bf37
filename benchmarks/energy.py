"""How often the interval of mean power holds the truth, on loads of several shapes and beats: 10 s of readings at random instants.

`python -m benchmarks.energy [TRIALS]` prints a table; tests/unit/test_energy.py runs a small one.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edgeprof.power.energy import CONFIDENCE, Trace, mean_power

WINDOW_S = 10.0
BEATS_HZ = (0.1, 0.3, 1, 3, 10, 25, 50)
SHAPES = ("square", "bursts", "ramps", "telegraph", "noise")
RATES_HZ = (10, 20, 50, 100)
IDLE_W, SPAN_W = 2.5, 1.2
# One step of the sensor, and as much noise, as INA sensors have.
_STEP_W = 0.005
_FINE = 100_000

Load = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Case:
    """How a shape at a beat came out: share of intervals that held the truth, and the 95th percentile of the error."""

    rate_hz: int
    shape: str
    beat_hz: float
    trials: int
    covered: int
    error_ratio: float

    def holds(self) -> bool:
        """Return whether so few misses are no surprise at the nominal level (two-sided would be 1 in 2,000)."""
        return float(stats.binom.cdf(self.covered, self.trials, CONFIDENCE - 0.015)) > 0.0005


def simulate(rate_hz: int, trials: int) -> Iterator[Case]:
    """Yield every shape at every beat, read so often; the same each time."""
    for shape in SHAPES:
        for beat_hz in BEATS_HZ:
            yield _case(rate_hz, shape, beat_hz, trials)


def _case(rate_hz: int, shape: str, beat_hz: float, trials: int) -> Case:
    chance = np.random.default_rng([rate_hz, SHAPES.index(shape), BEATS_HZ.index(beat_hz)])
    fine = (np.arange(_FINE) + 0.5) * WINDOW_S / _FINE
    count = round(WINDOW_S * rate_hz)
    covered, errors = 0, []
    for _ in range(trials):
        load = _load(shape, beat_hz * chance.uniform(0.9, 1.1), chance)
        truth = float(load(fine).mean())
        at = (np.arange(count) + chance.uniform(size=count)) / rate_hz
        read = np.round((load(at) + chance.normal(0, _STEP_W, count)) / _STEP_W) * _STEP_W
        mean = mean_power(Trace(at, read, 1 / rate_hz), 0, WINDOW_S)
        low, high = mean.interval()
        covered += low <= truth <= high
        errors.append(abs(mean.mean_w - truth) / truth)
    return Case(rate_hz, shape, beat_hz, trials, covered, float(np.quantile(errors, 0.95)))


def _load(shape: str, beat_hz: float, chance: np.random.Generator) -> Load:
    """Return a load with a random phase: power in watts at times in seconds."""
    phase, share = chance.uniform(0, 1 / beat_hz), chance.uniform(0.2, 0.8)
    if shape == "square":
        return lambda t: IDLE_W + SPAN_W * (((t + phase) * beat_hz) % 1 < share)
    if shape == "bursts":
        return lambda t: IDLE_W + SPAN_W * (((t + phase) * beat_hz) % 1 < 0.1)
    if shape == "ramps":
        return lambda t: IDLE_W + SPAN_W * (((t + phase) * beat_hz) % 1)
    if shape == "telegraph":
        edges = np.cumsum(chance.exponential(0.5 / beat_hz, size=round(4 * WINDOW_S * beat_hz) + 60))
        return lambda t: IDLE_W + SPAN_W * (np.searchsorted(edges, t + phase) % 2)
    levels = chance.uniform(IDLE_W, IDLE_W + SPAN_W, size=round(3 * WINDOW_S * beat_hz) + 4)
    return lambda t: levels[((t + phase) * 2 * beat_hz).astype(int) % len(levels)]


def main() -> None:
    """Print coverage in percent and, in brackets, the 95th percentile of the error."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{trials} trials each; 95 % intervals; beat:", *(f"{beat:g} Hz" for beat in BEATS_HZ))
    for rate_hz in RATES_HZ:
        cases = list(simulate(rate_hz, trials))
        for shape in SHAPES:
            row = [case for case in cases if case.shape == shape]
            cells = (f"{100 * case.covered / trials:5.1f} ({100 * case.error_ratio:.1f} %)" for case in row)
            print(f"{rate_hz:4} Hz {shape:10}", *cells)


if __name__ == "__main__":
    main()
