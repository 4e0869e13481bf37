"""Power and energy of a run, from what its rail was read to take; or why not."""

import numpy as np

from edgeprof.power.energy import MeanPower, Trace, fault, is_rough, mean_of_means, mean_power
from edgeprof.records import Estimate, PowerTrace
from edgeprof.units import MW_PER_W, NS_PER_S, UW_PER_W, ns_to_seconds

METRICS = ("energy_per_inference_uj", "dynamic_energy_per_inference_uj", "power_mw", "idle_power_mw")
# Shorter windows hold too few updates of slow sensors, and too much of the way in and out.
SHORTEST_S = 9.5
# Idle power that moves by more than this share of what the model adds is no level to subtract.
_IDLE_DRIFT_RATIO = 0.5
# A meter that averages for longer than this part of a window tells the window's neighbours more than the window.
_FEWEST_STRETCHES = 50
# Of the readings that a meter's rate promises, this share must be there.
_COVERED_RATIO = 0.8
# A supply may stand so far above its nominal voltage.
# Source: USB Type-C Specification, Release 2.0, section 4.4.2 (VBUS at the source: 4.75 to 5.5 V).
_ABOVE_RATIO = 1.1
# Idle power differs from board to board with what hangs on it and what runs; half or double is another unit or shunt.
_USUAL_RATIO = 0.6


def power_estimates(trace: PowerTrace | None, reason: str = "not_reached") -> tuple[Estimate, ...]:
    """Return energy per inference, in all and above idle, and both powers; each a mean, or the reason it has none.

    The interval holds what readings leave open about these minutes on this board: scatter, rate and resolution, and of
    what is above idle also how far idle moved. It does not hold the sensor's own calibration, which no reading shows.
    """
    if trace is None:
        return _nothing(*METRICS, reason=reason)
    if trace.run_ns[1] - trace.run_ns[0] < SHORTEST_S * NS_PER_S:
        return _nothing(*METRICS, reason="window_too_short")
    run = _mean(trace, trace.run_ns)
    if isinstance(run, str):
        return _nothing(*METRICS, reason=run)
    seconds = ns_to_seconds(trace.run_ns[1] - trace.run_ns[0]) / trace.runs
    whole = run.estimate(METRICS[0], UW_PER_W * seconds)
    waited = trace.idle_before_ns[1] > trace.idle_before_ns[0]
    idle = _idle(trace) if waited else "measured_in_turns"
    power = run.estimate(METRICS[2], MW_PER_W)
    if isinstance(idle, str):
        return (whole, *_nothing(METRICS[1], reason=idle), power, *_nothing(METRICS[3], reason=idle))
    return (whole, _dynamic(trace, run, idle, seconds), power, idle.estimate(METRICS[3], MW_PER_W))


def energy_per_inference(trace: PowerTrace) -> tuple[float, float, float] | str:
    """Return energy in µJ, its standard error as a share of it, and that error's degrees of freedom; or why not."""
    if trace.run_ns[1] - trace.run_ns[0] < SHORTEST_S * NS_PER_S:
        return "window_too_short"
    run = _mean(trace, trace.run_ns)
    if isinstance(run, str):
        return run
    seconds = ns_to_seconds(trace.run_ns[1] - trace.run_ns[0]) / trace.runs
    return UW_PER_W * seconds * run.mean_w, run.error_w / run.mean_w, run.freedom


def wants_longer(trace: PowerTrace) -> bool:
    """Return whether readings at random instants leave the run's mean too rough for how many they are: read longer."""
    if trace.wraps_at is not None or trace.averaging_ns is not None:
        return False
    run = _mean(trace, trace.run_ns)
    return not isinstance(run, str) and is_rough(run)


def unusual_idle(trace: PowerTrace) -> float | None:
    """Return idle power as a share of what such a board usually takes, where it is another; else `None`.

    Only of what covers the whole board, and where its target says what is usual.
    """
    if trace.usual_idle_uw is None or trace.covers != "board":
        return None
    idle = power_estimates(trace)[3].point
    share = None if idle is None else 1000 * idle / trace.usual_idle_uw
    return share if share is not None and not _USUAL_RATIO <= share <= 1 / _USUAL_RATIO else None


def idle_drift_w(trace: PowerTrace) -> float | None:
    """Return by how much idle power moved from before the runs to after them, or `None` where it is not known."""
    means = [_mean(trace, window) for window in (trace.idle_before_ns, trace.idle_after_ns)]
    before, after = means
    return None if isinstance(before, str) or isinstance(after, str) else after.mean_w - before.mean_w


def _idle(trace: PowerTrace) -> MeanPower | str:
    before, after = (_mean(trace, window) for window in (trace.idle_before_ns, trace.idle_after_ns))
    if isinstance(before, str) or isinstance(after, str):
        return before if isinstance(before, str) else str(after)
    drift = (after.mean_w - before.mean_w) / 2
    # Where idle was between its two levels while the model ran is unknown: evenly likely anywhere.
    error = float(np.sqrt((before.error_w**2 + after.error_w**2) / 4 + drift**2 / 3))
    freedom = min(before.freedom, after.freedom)
    return MeanPower((before.mean_w + after.mean_w) / 2, error, freedom, before.n_updates + after.n_updates)


def _dynamic(trace: PowerTrace, run: MeanPower, idle: MeanPower, seconds: float) -> Estimate:
    name = METRICS[1]
    above = MeanPower(
        run.mean_w - idle.mean_w,
        float(np.hypot(run.error_w, idle.error_w)),
        min(run.freedom, idle.freedom),
        run.n_updates,
    )
    if above.interval()[0] <= 0:
        return _nothing(name, reason="not_above_idle")[0]
    if abs(idle_drift_w(trace) or 0.0) > _IDLE_DRIFT_RATIO * above.mean_w:
        return _nothing(name, reason="idle_drifts")[0]
    return above.estimate(name, UW_PER_W * seconds)


def power_series(trace: PowerTrace) -> Trace:
    """Return power in watts over seconds since the first wait; of a counter, what it grew by from reading to reading.

    Source: Linux v6.1, Documentation/power/powercap/powercap.rst: `energy_uj` goes on at 0 after `max_energy_range_uj`.
    """
    times = (np.asarray(trace.time_ns, dtype=np.int64) - trace.idle_before_ns[0]) / NS_PER_S
    values = np.array([np.nan if value is None else value / UW_PER_W for value in trace.readings])
    period_s = ns_to_seconds(trace.period_ns)
    if trace.wraps_at is None:
        return Trace(times, values, period_s)
    growth = np.diff(values)
    growth = np.where(growth < 0, growth + trace.wraps_at / UW_PER_W, growth)
    return Trace(times[1:], growth / np.diff(times), period_s)


def _mean(trace: PowerTrace, window_ns: tuple[int, int]) -> MeanPower | str:
    """Return the mean power of a window in watts, or why there is none.

    `above_supply`: it is more than the board's supply gives, though less than some board takes.
    """
    found = _read(trace, window_ns)
    if not isinstance(found, str) and trace.most_uw is not None:
        return "above_supply" if found.mean_w * UW_PER_W > _ABOVE_RATIO * trace.most_uw else found
    return found


def _read(trace: PowerTrace, window_ns: tuple[int, int]) -> MeanPower | str:
    start_s, end_s = (ns_to_seconds(at - trace.idle_before_ns[0]) for at in window_ns)
    power = power_series(trace)
    if trace.averaging_ns is not None:
        return _metered(trace, power, (start_s, end_s), ns_to_seconds(trace.averaging_ns))
    counted = trace.wraps_at is not None
    reason = fault(power, start_s, end_s, counted=counted)
    if reason:
        return reason
    return _counted(power, start_s, end_s) if counted else mean_power(power, start_s, end_s)


def _metered(trace: PowerTrace, power: Trace, window_s: tuple[float, float], averaging_s: float) -> MeanPower | str:
    """Return the mean power of a window from a meter on the host, or why there is none.

    Only readings count whose whole stretch lies in the window, wherever the two clocks stand within their bound.
    `averaging_too_long`: too few of them fit. `meter_clipped`: it was at the end of its range.
    """
    bound_s = ns_to_seconds(trace.offset_bound_ns)
    start_s, end_s = window_s[0] + bound_s + averaging_s, window_s[1] - bound_s
    if (end_s - start_s) < _FEWEST_STRETCHES * averaging_s:
        return "averaging_too_long"
    places = np.asarray(trace.clipped, dtype=np.int64)
    if len(places) and np.any((power.time_s[places] >= start_s) & (power.time_s[places] < end_s)):
        return "meter_clipped"
    reason = fault(power, start_s, end_s)
    if reason:
        return reason
    seen = power.between(start_s, end_s)
    covered = len(seen.time_s) * ns_to_seconds(trace.period_ns) / (end_s - start_s)
    return mean_of_means(seen, window_s[1] - window_s[0], averaging_s) if covered >= _COVERED_RATIO else "sensor_failed"


def _counted(power: Trace, start_s: float, end_s: float) -> MeanPower:
    """Return what a counter grew by between the first and the last reading of a window, over the time between them."""
    seen = power.between(start_s, end_s)
    spans = np.diff(seen.time_s)
    mean_w = float(np.sum(seen.power_w[1:] * spans) / np.sum(spans))
    # Only the two ends, a period each at most, are not counted.
    ends_s = (end_s - start_s) - float(np.sum(spans))
    error_w = float(np.std(seen.power_w)) * max(0.0, ends_s) / (end_s - start_s)
    return MeanPower(mean_w, error_w, len(spans), len(seen.time_s))


def _nothing(*names: str, reason: str) -> tuple[Estimate, ...]:
    return tuple(Estimate(name, "mean", None, not_measured=reason) for name in names)
