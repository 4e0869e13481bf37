"""Mean power in a window from readings at random instants, and what a sensor's readings are too bad for.

The board's sampler takes one reading at a random instant of each period (stratified sampling): readings at a regular
beat would alias with a load that has a beat of its own, and nothing in them would tell.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.records import Estimate

CONFIDENCE = 0.95
# Fewer readings than this say too little of how far they scatter.
FEWEST_UPDATES = 50
# A board, or a rail of it, takes between 20 mW and 500 W; beyond, the unit, the shunt or the wiring is another.
PLAUSIBLE_W = (0.02, 500.0)
# Nothing seen for longer than this share of a window is a sensor that went away, not a sampler that was late.
_LONGEST_GAP = 0.1
# A sensor that shows the same value in so many of its readings does not follow a load.
_STALE_RUN = 3
# A reading at the top of its scale in more than this share of a window hides what was above.
_SATURATED_SHARE = 0.01
# Below so many different values, a load of two levels looks like a clipped one.
_MANY_VALUES = 20
# From so many differences on, their own scatter is known well enough to weigh them one by one.
_ENOUGH = 30.0
# The median of a normal quantity's distance from its mean, in standard deviations.
# Source: F. R. Hampel (1974), "The influence curve and its role in robust estimation", J. Am. Stat. Assoc. 69, 383-393.
_NORMAL_MEDIAN = 0.6745
# The reach of a normal error at `CONFIDENCE`, in standard deviations.
_NORMAL_REACH = 1.96
# Draws from the distribution of what the ends of a window add: its 95th percentile is good to some 2 %.
_DRAWS = 4000
# A load that passes its mean no more often than this in a window, as in two periods, does not show whether the
# window's two ends are alike.
_SLOW_TURNS = 4
# A taper smears the mean and the highest frequency over so many lines; fewer lines than this tell no quartile.
_TAPERED, _FEWEST_LINES = 3, 20
# From so many readings on, an error above this share ought to be rarer than that chance.
_MANY_READINGS, _PROMISED_RATIO, _ROUGH_CHANCE = 400, 0.02, 0.001
# Where more than this share of neighbours are equal, noise does not carry readings across the sensor's steps.
_STILL_SHARE = 0.5
# Readings closer together than this share of a period would weigh without bound.
_CLOSEST = 0.05


@dataclass(frozen=True, slots=True)
class Trace:
    """Readings of one rail, in time.

    Attributes:
        time_s: When, by the board's monotonic clock, ascending.
        power_w: What the rail took; NaN where a reading failed.
        period_s: The sampler takes one reading at a random instant of each so long.
    """

    time_s: NDArray[np.float64]
    power_w: NDArray[np.float64]
    period_s: float

    def between(self, start_s: float, end_s: float) -> "Trace":
        """Return the readings of a window."""
        inside = (self.time_s >= start_s) & (self.time_s < end_s)
        return Trace(self.time_s[inside], self.power_w[inside], self.period_s)


@dataclass(frozen=True, slots=True)
class MeanPower:
    """The mean power of a window, or a difference of two.

    Attributes:
        mean_w: The estimate.
        error_w: Its standard error, from the readings' scatter and their resolution.
        freedom: Differences behind that error, as degrees of freedom.
        n_updates: Readings that count.
    """

    mean_w: float
    error_w: float
    freedom: float
    n_updates: int

    def interval(self) -> tuple[float, float]:
        """Return both ends at `CONFIDENCE`."""
        from scipy.special import stdtrit  # noqa: PLC0415 - with `scipy.stats` most of a second of every command

        reach = float(stdtrit(max(1.0, self.freedom), (1 + CONFIDENCE) / 2)) * self.error_w
        return self.mean_w - reach, self.mean_w + reach

    def estimate(self, name: str, times: float) -> Estimate:
        """Return it as the metric `name`, `times` as much: 1,000 for milliwatts, seconds for an energy."""
        low, high = self.interval()
        return Estimate(
            name=name,
            statistic="mean",
            point=times * self.mean_w,
            low=times * low,
            high=times * high,
            confidence=CONFIDENCE,
            n_launches=1,
            n_samples=self.n_updates,
        )


def fault(trace: Trace, start_s: float, end_s: float, *, counted: bool = False) -> str | None:
    """Return the reason code why the readings of a window give no mean power, or `None`.

    `clock_stepped`: time runs backwards. `sensor_failed`: readings are missing: the sensor went away, or it refused.
    `too_few_updates`: fewer readings than an error can be told from. `sensor_stale`: the sensor shows new values too
    rarely. `power_not_plausible`: nothing, negative, or more or less than any board takes: sign, unit, shunt or wiring.
    `sensor_saturated`: readings at the top of the scale; what a counter grew by has none.

    Args:
        trace: The readings.
        start_s: Where the window begins.
        end_s: Where it ends.
        counted: They are what a counter grew by.
    """
    seen = trace.between(start_s, end_s)
    if np.any(np.diff(trace.time_s) <= 0):
        return "clock_stepped"
    if np.isnan(seen.power_w).any() or _longest_gap_s(seen, start_s, end_s) > _LONGEST_GAP * (end_s - start_s):
        return "sensor_failed"
    if len(seen.time_s) < FEWEST_UPDATES:
        return "too_few_updates"
    low, high = PLAUSIBLE_W
    if np.min(seen.power_w) <= 0 or not low <= np.mean(seen.power_w) <= high:
        return "power_not_plausible"
    if not counted and _is_saturated(seen.power_w):
        return "sensor_saturated"
    if len(_updates(seen).time_s) < FEWEST_UPDATES:
        return "sensor_stale"
    return None


def _longest_gap_s(seen: Trace, start_s: float, end_s: float) -> float:
    return float(np.max(np.diff(np.concatenate(([start_s], seen.time_s, [end_s])))))


def mean_power(trace: Trace, start_s: float, end_s: float) -> MeanPower:
    """Return the mean power of a window that has no `fault`.

    The mean of readings at one random instant a period is unbiased whatever the load does. Its variance is the mean
    of the load's variogram over two random instants of one period, divided by the number of readings; neighbouring
    readings show that variogram at lags from nothing to two periods, each as often as two strata give it, so that
    weights turn one into the other. Where few differences carry all of the scatter, as with a few steps of load, the
    weighted mean is too rough: then the variogram is taken as a line through its first two lags.

    Source: W. G. Cochran (1977), "Sampling Techniques", 3rd ed., section 8.3 (stratified systematic samples and the
    correlogram); G. Matheron (1963), "Principles of geostatistics", Economic Geology 58 (variogram and variance).
    """
    seen = _updates(trace.between(start_s, end_s))
    power = seen.power_w
    count = len(power)
    period = (end_s - start_s) / count
    gaps = np.diff(seen.time_s) / period
    squares = np.diff(power) ** 2 / 2
    weights = np.where(gaps < 1, 2 * (1 - gaps) / np.maximum(gaps, _CLOSEST), 0.0)
    shares = weights * squares
    freedom = min(_effective(shares), _effective(squares))
    if freedom >= _ENOUGH:
        variance = float(np.mean(shares)) / count
    else:
        rise = _rise(power)
        variance = float(np.mean(squares)) * (1 - 2 / 3 * rise) / count
        # A step of load can be misplaced by one period at most; a spike can be missed altogether.
        freedom = max(3.0, _effective(squares)) / (1 - rise) if rise < 1 else np.inf
    still = float(np.mean(squares == 0)) > _STILL_SHARE
    rounding = _resolution(power) ** 2 / 12 if still else 0.0
    return MeanPower(float(np.mean(power)), float(np.sqrt(variance + rounding)), freedom, count)


def is_rough(mean: MeanPower) -> bool:
    """Return whether a window of many readings leaves more than a chance in a thousand of an error above 2 %.

    A load that swings faster than it is read is seen at random phases: the error of their mean is chance, which no
    formula takes away, only more readings.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - with `scipy.stats` most of a second of every command

    reach = float(stdtrit(max(1.0, mean.freedom), 1 - _ROUGH_CHANCE / 2)) * mean.error_w
    return mean.n_updates >= _MANY_READINGS and reach > _PROMISED_RATIO * mean.mean_w


def mean_of_means(seen: Trace, window_s: float, averaging_s: float) -> MeanPower:
    """Return the mean power of a window from readings that are each the mean over a stretch, one after the other.

    What they cover is known but for the meter's own noise and steps. What of the window they do not cover lies at its
    two ends, shared out between them as the two clocks happen to stand: evenly likely anywhere. Each end differs from
    the mean as stretches of half that length do among themselves; the two know nothing of each other, unless the load
    is so slow that they may be alike. That error is bounded where the load is, and skewed where it is, so its reach is
    read off draws from its own distribution, not taken as a normal one's.

    Source: JCGM 101:2008, "Propagation of distributions using a Monte Carlo method", sections 5.9 and 7.7.

    Args:
        seen: Readings of which each stretch lies wholly in the window.
        window_s: How long the window is.
        averaging_s: How long a stretch is.
    """
    power = seen.power_w
    count = len(power)
    noise = _noise(power) / count if count > 2 else np.inf
    unseen_s = max(0.0, window_s - count * min(averaging_s, window_s / count))
    stretches = _stretches(power, max(1, round(unseen_s / 2 / averaging_s)))
    slow = np.count_nonzero(np.diff(_stretches(power, max(1, count // 100)) > np.mean(power))) <= _SLOW_TURNS
    ends = (unseen_s / window_s * _ends(stretches, alike=bool(slow))) ** 2
    rounding = _resolution(power) ** 2 / 12 if float(np.mean(np.diff(power) == 0)) > _STILL_SHARE else 0.0
    return MeanPower(float(np.mean(power)), float(np.sqrt(noise + ends + rounding)), float(count - 2), count)


def _stretches(power: NDArray[np.float64], each: int) -> NDArray[np.float64]:
    """Return means over so many readings each."""
    means: NDArray[np.float64] = power[: len(power) // each * each].reshape(-1, each).mean(axis=1)
    return means


def _ends(stretches: NDArray[np.float64], *, alike: bool) -> float:
    """Return how far two ends carry the mean away, as the standard error of a normal error that reaches as far."""
    chance = np.random.default_rng(0)
    share = chance.uniform(size=_DRAWS)
    one, other = chance.choice(stretches - np.mean(stretches), (2, _DRAWS))
    away = one if alike else share * one + (1 - share) * other
    return float(np.quantile(np.abs(away), CONFIDENCE)) / _NORMAL_REACH


def _noise(power: NDArray[np.float64]) -> float:
    """Return the variance of a meter's own noise: the lesser of two estimates, each too great by what the load does.

    Second differences hold no slow load but for few of them, so that their median is noise. Of a load that repeats
    fast, it is not: but such a load is in some lines of the spectrum, and between them lies the noise, whose powers are
    exponentially distributed.

    Source: B. Allen et al. (2012), "FINDCHIRP", Physical Review D 85, 122006, appendix B (noise by the median of a
    periodogram); here the lower quartile, because lines may be in up to half of it.
    """
    curved = (float(np.median(np.abs(np.diff(power, 2)))) / _NORMAL_MEDIAN) ** 2 / 6
    taper = np.hanning(len(power))
    lines = np.abs(np.fft.rfft((power - np.mean(power)) * taper))[_TAPERED:-_TAPERED] ** 2 / np.sum(taper**2)
    if len(lines) < _FEWEST_LINES:
        return curved
    return min(curved, float(np.quantile(lines, 0.25)) / -float(np.log(0.75)))


def _rise(power: NDArray[np.float64]) -> float:
    """Return how it goes on from one period to two: 1 where it doubles, as with steps; 0 where it is flat."""
    one = float(np.mean(np.diff(power) ** 2))
    two = float(np.mean((power[2:] - power[:-2]) ** 2))
    return min(1.0, max(0.0, two / one - 1)) if one > 0 else 0.0


def _effective(shares: NDArray[np.float64]) -> float:
    """Return how many equal terms would scatter as much as these do.

    Source: L. Kish (1965), "Survey Sampling", section 11.7 (the effective number of unequal weights).
    """
    squared = float(np.sum(shares**2))
    return float(np.sum(shares)) ** 2 / squared if squared > 0 else 0.0


def _updates(trace: Trace) -> Trace:
    """Return the readings without repetitions, where the sensor is clearly slower than the sampler."""
    if len(trace.power_w) < 2:
        return trace
    new = np.concatenate(([True], np.diff(trace.power_w) != 0))
    if np.median(np.diff(np.flatnonzero(new), append=len(new))) < _STALE_RUN:
        return trace
    return Trace(trace.time_s[new], trace.power_w[new], trace.period_s)


def _is_saturated(power: NDArray[np.float64]) -> bool:
    """Return whether the highest value is where a scale ends: it stands there often, and others come nowhere near."""
    top = np.max(power)
    at_top = np.mean(power == top)
    below = power[power < top]
    if at_top <= _SATURATED_SHARE or len(below) == 0:
        return False
    step = _resolution(power)
    near = np.mean((power < top) & (power >= top - 3 * step))
    often = float(at_top) > 5 * max(float(near), 1 / len(power))
    return step > 0 and often and len(np.unique(power)) > _MANY_VALUES


def _resolution(power: NDArray[np.float64]) -> float:
    steps = np.diff(np.unique(power))
    return float(np.min(steps)) if len(steps) else 0.0
