"""Energy from a trace: it covers the truth at its level whatever the load does, and every trap has its reason."""

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.energy import SHAPES, Case, simulate, simulate_meter
from edgeprof.boards import PowerSensor, Rail
from edgeprof.power import choose, microwatts, power_estimates, unusual_idle, wants_longer
from edgeprof.power.energy import Trace, mean_of_means
from edgeprof.profile.phases import idle_seconds
from edgeprof.records import PowerTrace
from edgeprof.targets import load_target

PERIOD_NS = 20_000_000
S = 1_000_000_000
WINDOWS = {"idle_before_ns": (0, 5 * S), "run_ns": (6 * S, 16 * S), "idle_after_ns": (17 * S, 22 * S)}


def trace(idle_w=2.5, run_w=3.7, *, noise_w=0.02, seed=1, **changes) -> PowerTrace:
    """Return readings of a board that takes `run_w` while it runs, 500 inferences in 10 s, in steps of 5 mW."""
    chance = np.random.default_rng(seed)
    count = 23 * S // PERIOD_NS
    time_ns = ((np.arange(count) + chance.uniform(size=count)) * PERIOD_NS).astype(np.int64)
    runs = (time_ns >= WINDOWS["run_ns"][0]) & (time_ns < WINDOWS["run_ns"][1])
    watts = np.where(runs, run_w, idle_w) + chance.normal(0, noise_w, count)
    readings = np.round(watts / 0.005) * 5000
    plain = PowerTrace(
        rail="VDD_IN (ina3221)", covers="board", wraps_at=None, period_ns=PERIOD_NS,
        time_ns=tuple(map(int, time_ns)), readings=tuple(map(int, readings)), runs=500, sampler_ratio=0.01, **WINDOWS,
    )  # fmt: skip
    return replace(plain, **changes)


def edited(edit, **changes) -> PowerTrace:
    """Return such a trace with its readings changed: `edit` is given them and their times in seconds."""
    plain = trace(**changes)
    readings = edit(np.array(plain.readings, dtype=object), np.array(plain.time_ns) / S)
    return replace(plain, readings=tuple(readings))


def reasons(seen: PowerTrace) -> list[str | None]:
    return [estimate.not_measured for estimate in power_estimates(seen)]


def test_energy_is_power_times_time_and_above_idle_what_the_model_adds():
    whole, above, power, idle = power_estimates(trace())

    assert whole.point == pytest.approx(3.7e6 * 10 / 500, rel=0.002)
    assert above.point == pytest.approx(1.2e6 * 10 / 500, rel=0.01)
    assert (power.point, idle.point) == (pytest.approx(3700, rel=0.002), pytest.approx(2500, rel=0.002))
    for estimate in (whole, above, power, idle):
        assert estimate.low < estimate.point < estimate.high


@functools.cache
def simulated(rate_hz: int) -> list[Case]:
    return list(simulate(rate_hz, trials=250))


@pytest.mark.parametrize("rate_hz", [10, 50])
def test_the_interval_covers_the_truth_on_loads_of_every_shape_whatever_their_beat(rate_hz):
    cases = simulated(rate_hz)

    assert [case.shape for case in cases] == list(SHAPES)
    assert [case for case in cases if not case.holds()] == []
    assert sum(case.not_measured for case in cases) <= 5


def test_from_four_hundred_readings_on_the_error_is_within_two_percent():
    """Whatever the load does: what swings faster than it is read is read again, four times as long."""
    errors = [max(case.errors) for case in simulated(50)]

    assert max(errors) <= 0.02


def test_a_meters_interval_covers_on_loads_of_every_shape():
    assert [case for case in simulate_meter(trials=60) if not case.holds()] == []


def swinging(hz: float, span_w: float) -> PowerTrace:
    """Return readings of a load that goes on and off so often, and is noisy."""
    return edited(lambda readings, at: [int(r) + int(5000 * round(200 * span_w * ((t * hz) % 1 < 0.5))) for r, t in zip(readings, at, strict=True)])  # fmt: skip


@pytest.mark.parametrize(("hz", "span_w", "longer"), [(33.3, 3.0, True), (33.3, 0.2, False), (0.3, 3.0, False)])
def test_only_a_load_that_swings_faster_and_further_than_readings_can_tell_is_read_longer(hz, span_w, longer):
    assert wants_longer(swinging(hz, span_w)) is longer


def test_what_a_meter_or_a_counter_says_is_never_too_rough():
    """They hold all that happened between two readings."""
    assert not wants_longer(replace(swinging(33.3, 3.0), averaging_ns=20_000_000))
    assert not wants_longer(counter(10**15))


def test_a_meters_own_noise_is_told_from_a_load_that_repeats_fast():
    """25 times a second, as a meter sees it that averages over 10 ms: the load is no noise, and widens nothing."""
    chance = np.random.default_rng(3)
    at = np.arange(1000) * 0.01
    load = 3 + 0.5 * np.sign(np.sin(2 * np.pi * 24.6 * at)) + chance.normal(0, 0.005, 1000)
    seen = mean_of_means(Trace(at, load, 0.01), 10.0, 0.01)

    assert seen.error_w < 0.002


def test_a_beat_that_would_alias_with_regular_readings_does_not():
    """50 Hz seen at 50 Hz: regular readings all fall on the same side of it."""
    case = next(simulate(50, 200, (50,)))

    assert (case.shape, case.beat_hz) == ("square", 50)
    assert case.holds()


def test_trap_sign():
    assert reasons(edited(lambda readings, _: -readings)) == ["power_not_plausible"] * 4


def test_trap_microamperes_for_milliamperes():
    assert reasons(edited(lambda readings, _: readings * 1000))[0] == "power_not_plausible"


def test_trap_microwatts_for_milliwatts():
    assert reasons(edited(lambda readings, _: readings // 1000))[0] == "power_not_plausible"


def test_trap_wrong_shunt():
    assert reasons(edited(lambda readings, _: readings * 200))[0] == "power_not_plausible"


PI4 = load_target("raspberry-pi-4-b")


@pytest.mark.parametrize(
    ("factor", "reason", "odd"),
    [(1, None, False), (10, "above_supply", False), (0.5, None, True), (2, None, True), (0.8, None, False)],
)
def test_trap_wrong_shunt_by_little_is_seen_where_the_target_says_what_a_board_takes(factor, reason, odd):
    """Ten times too much is more than the supply gives; half or double is no such board's idle power."""
    limits = {"most_uw": PI4.supply_most_uw, "usual_idle_uw": PI4.idle_uw}
    seen = replace(edited(lambda readings, _: [int(factor * r) for r in readings], idle_w=3.0, run_w=4.5), **limits)

    assert reasons(seen)[0] == reason
    assert (unusual_idle(seen) is not None) is odd
    assert unusual_idle(replace(seen, covers="part")) is None


def test_trap_back_feed_through_usb():
    """What another supply feeds, the sensor does not see: almost nothing flows through it."""
    assert reasons(edited(lambda readings, _: readings // 500))[0] == "power_not_plausible"


def test_trap_stale_duplicates():
    """A sensor that renews its value twice a second is no sensor for ten seconds."""
    stale = lambda readings, seconds: [readings[np.searchsorted(seconds, int(2 * at) / 2)] for at in seconds]  # noqa: E731

    assert reasons(edited(stale)) == ["sensor_stale"] * 4


def test_repetitions_of_a_slow_sensor_do_not_count_as_readings():
    slow = lambda readings, seconds: [readings[np.searchsorted(seconds, int(10 * at) / 10)] for at in seconds]  # noqa: E731
    fast, repeated = power_estimates(trace()), power_estimates(edited(slow))

    assert repeated[0].n_samples < fast[0].n_samples / 4
    assert repeated[0].high - repeated[0].low > fast[0].high - fast[0].low


def test_trap_rail_counted_twice():
    jetson = PowerSensor("ina3221", "/sys", tuple(map(Rail, ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"))), readable=True)
    others = PowerSensor("ina3221", "/sys", tuple(map(Rail, ("VDD_GPU_SOC", "VDD_CPU_CV"))), readable=True)

    assert choose([jetson]).name == "VDD_IN (ina3221)"
    assert choose([jetson]).covers == "board"
    assert choose([others]) == "several_rails"
    assert choose([others], "VDD_CPU_CV").covers == "part"


def test_trap_rail_counted_twice_in_a_pmics_sum():
    """Rails are paired by name, and each counts once: 5 V at 0.1 A and 1 V at 2 A."""
    assert microwatts("pmic", [5_000_000, 100_000, 1_000_000, 2_000_000]) == 2_500_000


def test_a_slow_sensor_is_waited_for_until_there_is_enough_of_it():
    pmic = choose([PowerSensor("pmic", None, (Rail(None, "pmic"),), readable=True)])

    assert pmic.hz * idle_seconds(pmic.hz) >= 60
    assert idle_seconds(50) == 5


def test_trap_unconnected_rail():
    assert reasons(edited(lambda readings, _: [None] * len(readings))) == ["sensor_failed"] * 4
    assert reasons(edited(lambda readings, _: [0] * len(readings))) == ["power_not_plausible"] * 4


def test_trap_window_with_the_model_load_in_it():
    """What happens between the waits and the runs belongs to neither."""
    loaded = lambda readings, at: np.where((at > 5.0) & (at < 6.0), 9_000_000, readings)  # noqa: E731

    assert power_estimates(edited(loaded))[0] == power_estimates(trace())[0]


def test_trap_idle_drift():
    warm = lambda readings, at: [int(value) + (900_000 if second > 16.5 else 0) for value, second in zip(readings, at)]  # noqa: B905, E731

    assert reasons(edited(warm)) == [None, "idle_drifts", None, None]


def test_a_small_drift_of_idle_widens_what_is_above_it():
    warm = lambda readings, at: [int(value) + (200_000 if second > 16.5 else 0) for value, second in zip(readings, at)]  # noqa: B905, E731
    still, moved = power_estimates(trace())[1], power_estimates(edited(warm))[1]

    assert moved.high - moved.low > 2 * (still.high - still.low)


def test_trap_dropped_samples_as_none():
    gone = lambda readings, _: [None if index % 7 == 0 else value for index, value in enumerate(readings)]  # noqa: E731

    assert reasons(edited(gone))[0] == "sensor_failed"


def test_trap_dropped_samples_as_nan():
    """What is no number never reaches a trace as one: the agent says null, a meter's line is no reading."""
    nan = json.loads('{"values": [5000, null]}')["values"]

    assert microwatts("product", nan) is None
    assert microwatts("pmic", [5_000_000, 700_000, None, 1]) is None
    assert microwatts("pmic", []) is None


def test_trap_dropped_samples_as_zero():
    zero = lambda readings, _: [0 if index % 7 == 0 else value for index, value in enumerate(readings)]  # noqa: E731

    assert reasons(edited(zero))[0] == "power_not_plausible"


def counter(wraps_at: int) -> PowerTrace:
    plain = trace()
    seconds = np.diff(np.array(plain.time_ns), prepend=0) / S
    microjoules = np.cumsum(np.array(plain.readings) * seconds).astype(np.int64)
    return replace(plain, readings=tuple(int(value) % wraps_at for value in microjoules), wraps_at=wraps_at)


def test_trap_counter_wrap():
    straight, wrapped = power_estimates(counter(10**15)), power_estimates(counter(11_000_000))

    assert straight[0].point == pytest.approx(3.7e6 * 10 / 500, rel=0.005)
    assert [e.point for e in wrapped] == [pytest.approx(e.point, rel=1e-6) for e in straight]


def test_trap_averaging_longer_than_the_window():
    """A sensor that averages over longer than a window hardly moves in it."""
    average = lambda _, at: [3_000_000 + 5_000 * int(second / 2.5) for second in at]  # noqa: E731

    assert reasons(edited(average))[0] == "sensor_stale"


def test_trap_saturation():
    clipped = lambda readings, _: np.minimum(readings, 3_705_000)  # noqa: E731

    assert reasons(edited(clipped, noise_w=0.15))[0] == "sensor_saturated"


def test_what_a_counter_grew_by_stands_at_no_top_of_a_scale():
    """It often grew by as much and never by more, as a rail does that takes a constant power."""
    chance = np.random.default_rng(1)
    time_ns = range(0, 23 * S, S // 64)  # with whole watts, what it grew by is exact
    watts = np.where(chance.uniform(size=len(time_ns)) < 0.7, 100, chance.integers(1, 60, len(time_ns)))
    readings = np.cumsum(watts) * 1_000_000 // 64
    seen = replace(trace(), time_ns=tuple(time_ns), readings=tuple(map(int, readings)), wraps_at=10**15)

    assert reasons(seen)[0] is None


def test_trap_clock_step():
    plain = trace()
    stepped = (*plain.time_ns[:600], *(at - 3 * S for at in plain.time_ns[600:]))

    assert reasons(replace(plain, time_ns=stepped)) == ["clock_stepped"] * 4


def test_trap_permission_denied_is_not_no_sensor():
    rapl = PowerSensor("rapl", "/sys", (Rail("package-0", "energy", 262143328850),), readable=False)

    assert choose([rapl]) == "permission_denied"
    assert choose([]) == "no_power_sensor"


def test_trap_sensor_gone_half_way():
    plain = trace()
    half = len([at for at in plain.time_ns if at < 11 * S])

    assert reasons(replace(plain, time_ns=plain.time_ns[:half], readings=plain.readings[:half]))[0] == "sensor_failed"


def test_trap_negative_energy():
    """A board that takes less while it runs than while it waits was not idle: there is nothing above idle."""
    assert reasons(trace(idle_w=3.7, run_w=3.6)) == [None, "not_above_idle", None, None]


def test_trap_too_few_updates():
    plain = trace()

    assert reasons(replace(plain, time_ns=plain.time_ns[::20], readings=plain.readings[::20]))[0] == "too_few_updates"


def test_trap_window_too_short():
    assert reasons(replace(trace(), run_ns=(6 * S, 9 * S))) == ["window_too_short"] * 4


def test_a_constant_reading_says_nothing_of_what_it_follows():
    assert reasons(edited(lambda readings, _: [3_000_000] * len(readings)))[0] == "sensor_stale"


def test_a_rail_that_nobody_named_is_asked_for():
    one = PowerSensor("ina219", "/sys", (Rail(),), readable=True)
    two = PowerSensor("ina226", "/sys", (Rail(),), readable=True)

    assert choose([one]).name == "ina219"
    assert choose([one, two]) == "several_rails"
    assert choose([one, two], "ina226").index == 1
    assert choose([one, two], "ina260") == "no_such_rail"
