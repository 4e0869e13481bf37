"""How often the interval of mean power holds the truth, and how far the mean lies from it: 10 s of readings at random instants.

Loads of five shapes, each trial with a beat of its own between 0.1 and 50 Hz (evenly on a logarithmic scale), phase and duty.
Each trial goes the product's way: what is a fault is not measured, what is too rough is read again for longer.
`python -m benchmarks.energy [TRIALS]` prints the table of docs/measurement.md, with `--beats` one by beat instead, and ends
with 1 where a row is outside what docs/measurement.md promises; tests/unit/test_energy.py runs a small one.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edgeprof.power import power_estimates
from edgeprof.power.energy import CONFIDENCE, MeanPower, Trace, fault, is_rough, mean_power
from edgeprof.profile.phases import LONG_RUN_S
from edgeprof.records import PowerTrace
from edgeprof.units import NS_PER_MS, NS_PER_S, seconds_to_ns

WINDOW_S = 10.0
BEATS_HZ = (0.1, 0.3, 1, 3, 10, 25, 50)
SHAPES = ("square", "bursts", "ramps", "telegraph", "noise")
RATES_HZ = (10, 20, 50, 100)
# What is promised: how often an interval holds the truth, and the error from so many readings on.
BAND, MANY_READINGS, ERROR_RATIO = (0.935, 0.99), 400, 0.02
FULL = 1000
IDLE_W, SPAN_W = 2.5, 1.2
# One step of the sensor, and as much noise, as INA sensors have.
_STEP_W = 0.005
_FINE = 20_000
_METER_HZ, _ALL_S, _RUN_S = 100, 23.0, (6.0, 16.0)

Load = Callable[[NDArray[np.float64]], NDArray[np.floating]]


@dataclass(frozen=True)
class Case:
    """How a shape came out.

    Attributes:
        rate_hz: Readings a second.
        shape: Of the load.
        beat_hz: Of the load, or `None` where each trial had its own.
        trials: All of them.
        not_measured: Those in which the product gave a reason instead of a figure.
        covered: Those whose interval held the truth.
        errors: Of each measured one, its distance from the truth as a share.
        reaches: And half of its interval, likewise.
        is_meter: A meter's means were read, not instants.
    """

    rate_hz: int
    shape: str
    beat_hz: float | None
    trials: int
    not_measured: int
    covered: int
    errors: tuple[float, ...]
    reaches: tuple[float, ...]
    is_meter: bool = False

    @property
    def source(self) -> str:
        return "a meter's means" if self.is_meter else f"{self.rate_hz} Hz"

    @property
    def measured(self) -> int:
        return self.trials - self.not_measured

    @property
    def coverage(self) -> float:
        return self.covered / self.measured

    def error_ratio(self, quantile: float = CONFIDENCE) -> float:
        """Return the error that so many of the trials stay within."""
        return float(np.quantile(self.errors, quantile))

    def promised(self) -> bool:
        """Return whether it is as docs/measurement.md says: coverage within `BAND`, errors where there are many readings.

        Of fewer trials than `FULL`, whose share moves by more than the band is wide, coverage has to be no surprise.
        """
        low, high = BAND
        covers = low <= self.coverage <= high if self.trials >= FULL else self.holds()
        enough = WINDOW_S * self.rate_hz >= MANY_READINGS
        return covers and not (enough and max(self.errors) > ERROR_RATIO)

    def holds(self) -> bool:
        """Return whether so few misses, and so many, are no surprise within `BAND` (two-sided would be 1 in 1,000)."""
        low, high = BAND
        too_few = float(stats.binom.cdf(self.covered, self.measured, low)) <= 0.0005
        too_many = float(stats.binom.sf(self.covered - 1, self.measured, high)) <= 0.0005
        return not too_few and not too_many


def simulate(rate_hz: int, trials: int, beats: tuple[float, ...] | None = None) -> Iterator[Case]:
    """Yield every shape, with beats of all kinds or at each of `beats`, read so often; the same each time."""
    for shape in SHAPES:
        for beat_hz in beats or (None,):
            yield _case(rate_hz, shape, beat_hz, trials)


def _case(rate_hz: int, shape: str, beat_hz: float | None, trials: int) -> Case:
    chance = np.random.default_rng([rate_hz, SHAPES.index(shape), round(1000 * (beat_hz or 0))])
    covered, errors, reaches = 0, [], []
    for _ in range(trials):
        beat = 10 ** chance.uniform(-1, np.log10(50)) if beat_hz is None else beat_hz * chance.uniform(0.9, 1.1)
        load = _load(shape, beat, chance)
        found = _read(load, rate_hz, WINDOW_S, chance)
        if found and is_rough(found[0]):
            found = _read(load, rate_hz, LONG_RUN_S, chance)
        if found is None:
            continue
        mean, truth = found
        low, high = mean.interval()
        covered += low <= truth <= high
        errors.append(abs(mean.mean_w - truth) / truth)
        reaches.append((high - low) / 2 / truth)
    return Case(rate_hz, shape, beat_hz, trials, trials - len(errors), covered, tuple(errors), tuple(reaches))


def _read(load: Load, rate_hz: int, window_s: float, chance: np.random.Generator) -> tuple[MeanPower, float] | None:
    """Return the mean as it is estimated and as it is, or nothing where the product refuses."""
    fine_count = round(_FINE * window_s / WINDOW_S)
    truth = float(load((np.arange(fine_count) + 0.5) * window_s / fine_count).mean())
    count = round(window_s * rate_hz)
    at = (np.arange(count) + chance.uniform(size=count)) / rate_hz
    read = np.round((load(at) + chance.normal(0, _STEP_W, count)) / _STEP_W) * _STEP_W
    trace = Trace(at, read, 1 / rate_hz)
    return None if fault(trace, 0, window_s) else (mean_power(trace, 0, window_s), truth)


def simulate_meter(trials: int) -> Iterator[Case]:
    """Yield every shape as a meter shows it that averages over 10 ms, up to 20 ms late, on a clock known to 1 ms."""
    for shape in SHAPES:
        chance = np.random.default_rng([10_000, SHAPES.index(shape)])
        covered, errors, reaches = 0, [], []
        for _ in range(trials):
            load = _load(shape, 10 ** chance.uniform(-1, np.log10(50)), chance)
            truth = float(load(_RUN_S[0] + (np.arange(_FINE) + 0.5) * WINDOW_S / _FINE).mean())
            power = power_estimates(_metered(load, chance))[2]
            if power.point is None or power.low is None or power.high is None:
                continue
            covered += power.low <= 1000 * truth <= power.high
            errors.append(abs(power.point / 1000 - truth) / truth)
            reaches.append((power.high - power.low) / 2000 / truth)
        missed = trials - len(errors)
        yield Case(_METER_HZ, shape, None, trials, missed, covered, tuple(errors), tuple(reaches), is_meter=True)


def _metered(load: Load, chance: np.random.Generator) -> PowerTrace:
    each, late_s = 20, chance.uniform(0, 0.02) + chance.uniform(-0.001, 0.001)
    fine = (np.arange(round(_ALL_S * _METER_HZ) * each) + 0.5) / (_METER_HZ * each)
    means = load(fine).reshape(-1, each).mean(axis=1) + chance.normal(0, _STEP_W, len(fine) // each)
    ends = (np.arange(len(means)) + 1) / _METER_HZ + late_s
    return PowerTrace(
        rail="meter",
        covers="board",
        wraps_at=None,
        period_ns=NS_PER_S // _METER_HZ,
        time_ns=tuple(seconds_to_ns(at) for at in ends),
        readings=tuple(round(round(mean / _STEP_W) * _STEP_W * 1e6) for mean in means),
        idle_before_ns=(0, 5 * NS_PER_S),
        run_ns=(seconds_to_ns(_RUN_S[0]), seconds_to_ns(_RUN_S[1])),
        idle_after_ns=(17 * NS_PER_S, 22 * NS_PER_S),
        runs=1,
        sampler_ratio=0.0,
        averaging_ns=NS_PER_S // _METER_HZ,
        offset_bound_ns=21 * NS_PER_MS,
    )


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
        edges = np.cumsum(chance.exponential(0.5 / beat_hz, size=round(12 * WINDOW_S * beat_hz) + 60))
        return lambda t: IDLE_W + SPAN_W * (np.searchsorted(edges, t + phase) % 2)
    levels = chance.uniform(IDLE_W, IDLE_W + SPAN_W, size=round(9 * WINDOW_S * beat_hz) + 4)
    return lambda t: levels[((t + phase) * 2 * beat_hz).astype(int) % len(levels)]


def main() -> None:
    """Print the table of docs/measurement.md, or coverage in percent and the error by beat; end with 1 if outside."""
    trials = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1000)
    print(f"{time.strftime('%Y-%m-%d')}: {trials} trials each, window {WINDOW_S:g} s\n")
    if "--beats" in sys.argv:
        _by_beat(trials)
        return
    print(
        "| readings | shape | interval held the truth | reach of the interval (median) | error: 95 % within | largest | not measured |"
    )
    print("|---|---|---|---|---|---|---|")
    cases = []
    for case in chain(*(simulate(rate_hz, trials) for rate_hz in RATES_HZ), simulate_meter(trials)):
        cases.append(case)
        print(_row(case), flush=True)
    outside = [case for case in cases if not case.promised()]
    if outside:
        sys.exit("outside what is promised: " + ", ".join(f"{case.source} {case.shape}" for case in outside))


def _by_beat(trials: int) -> None:
    print("| readings | shape |", " | ".join(f"{beat:g} Hz" for beat in BEATS_HZ), "|")
    print("|---|---|" + "---|" * len(BEATS_HZ))
    for rate_hz in RATES_HZ:
        cases = list(simulate(rate_hz, trials, BEATS_HZ))
        for shape in SHAPES:
            cells = (f"{_percent(c.coverage)} ({_percent(c.error_ratio())})" for c in cases if c.shape == shape)
            print(f"| {WINDOW_S * rate_hz:.0f} | {shape} |", " | ".join(cells), "|", flush=True)


def _row(case: Case) -> str:
    figures = (case.coverage, float(np.median(case.reaches)), case.error_ratio(), max(case.errors))
    cells = (*map(_percent, figures), str(case.not_measured))
    return f"| {WINDOW_S * case.rate_hz:.0f} ({case.source}) | {case.shape} | {' | '.join(cells)} |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
