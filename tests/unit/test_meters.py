"""Meters on the host: what a TOML must say, what is refused, what lines mean, and on which clock."""

import time
from dataclasses import replace

import numpy as np
import pytest

from edgeprof.devices import Device
from edgeprof.errors import UsageError
from edgeprof.power import ClockMap, Offset, measure_offset, power_estimates
from edgeprof.power.meters import Recording, check_supply, find_meter
from edgeprof.power.meters.joulescope import parse_statistics
from edgeprof.power.meters.lines import parse_lines
from edgeprof.power.meters.spec import JOULESCOPE, PPK2
from edgeprof.power.source import find_source
from edgeprof.profile.metering import MeterFailed, check_recording, meter_trace
from edgeprof.profile.phases import Phases
from tests.meters import bench_toml

S = 1_000_000_000


@pytest.fixture
def bench(tmp_path):
    """A meter's TOML with some keys changed, or left out where they are `None`."""
    return lambda **changes: bench_toml(tmp_path, **changes)


def board(target: str | None) -> Device:
    return Device("board", "ssh://me@192.0.2.1", target=target)


def lines(*texts: str) -> list[tuple[int, bytes]]:
    return [(number * S // 100, text.encode()) for number, text in enumerate(texts)]


# What a TOML says


def test_a_meter_states_its_limits_and_how_it_prints(bench):
    meter = find_meter(bench())

    assert (meter.min_uv, meter.max_uv, meter.max_ua) == (3_000_000, 20_000_000, 4_000_000)
    assert (meter.period_ns, meter.averaging_ns, meter.covers) == (10_000_000, 10_000_000, "board")
    assert meter.says_voltage


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate_hz": None}, "`rate_hz`"),
        ({"averaging_ms": None}, "`averaging_ms`"),
        ({"max_current_a": 0}, "`max_current_a`"),
        ({"max_voltage_v": "lots"}, "`max_voltage_v`"),
        ({"units": {"voltage": "V"}}, "unit of `current`"),
        ({"units": {"voltage": "V", "current": "Ampere"}}, "unit of `current`"),
        ({"columns": ["time", "voltage"]}, "neither current nor power"),
        ({"line": "(?P<current>.*)"}, "either `line`, a pattern, or `columns`"),
        ({"columns": None, "line": "(?P<current>["}, "no regular expression"),
        ({"covers": "half"}, "`covers`"),
        ({"kind": "multimeter"}, "unknown kind of meter"),
        ({"averaging": 3}, "unknown key"),
        ({"averaging_ms": 1}, "covers 10.0 % of the time"),
    ],
)
def test_what_a_toml_does_not_say_rightly_is_named(bench, changes, said):
    with pytest.raises(UsageError, match=said) as raised:
        find_meter(bench(**changes))

    assert raised.value.hint


@pytest.mark.parametrize("argument", ["nothing.toml", "ppk3:/dev/x", "ppk2", "Joulescope"])
def test_a_meter_that_nobody_knows_is_refused_with_what_there_is(argument):
    with pytest.raises(UsageError, match="there is no meter") as raised:
        find_meter(argument)

    assert "joulescope" in raised.value.hint


def test_a_meter_that_looks_at_dense_instants_needs_no_averaging(bench):
    assert find_meter(bench(rate_hz=20_000, averaging_ms=0.001)).period_ns == 50_000


# Pairs that cannot be


def test_impossible_pairs_of_a_meter_and_a_supply_are_refused():
    with pytest.raises(UsageError, match=r"fed with 19.0 V, and PPK2 can take 0.8 V to 5.00 V"):
        check_supply(PPK2, 19_000_000, "board")
    with pytest.raises(UsageError, match="Joulescope can take"):
        check_supply(JOULESCOPE, 19_000_000, "board")


def test_trap_voltage_mismatch_between_a_meters_file_and_the_boards_target(bench):
    meter = find_meter(bench(supply_v=12.0))

    with pytest.raises(UsageError, match=r"says 12.0 V, and `board` is fed with 5.00 V"):
        check_supply(meter, 5_000_000, "board")


def test_a_meter_of_current_needs_somebody_to_say_the_voltage():
    assert check_supply(PPK2, 5_000_000, "board") == 5_000_000
    assert check_supply(JOULESCOPE, None, "board") is None
    with pytest.raises(UsageError, match="nobody says at which voltage") as raised:
        check_supply(PPK2, None, "board")
    assert "supply_v" in raised.value.hint


def test_a_meter_is_between_one_board_and_its_supply():
    pi = board("raspberry-pi-5")

    assert find_source(None, "ppk2:/dev/ttyACM0", [pi]).supply_uv == 5_000_000
    with pytest.raises(UsageError, match="2 devices"):
        find_source(None, "joulescope", [pi, board(None)])
    with pytest.raises(UsageError, match="--rail"):
        find_source("VDD_IN", "joulescope", [pi])


# Lines


def test_lines_are_volts_times_amperes_in_the_units_that_the_file_says(bench):
    seen = parse_lines(lines("cut 0.1", "1 5.00 700", "2 5.10 800"), find_meter(bench()), None)

    assert seen.power_uw == (3_500_000, 4_080_000)
    assert seen.voltage_uv == 5_050_000


def test_a_pattern_reads_power_alone_and_a_supply_stands_for_a_voltage(bench):
    power = find_meter(bench(columns=None, line=r"P=(?P<power>-?[\d.]+)W", units={"power": "W"}))
    current = find_meter(bench(columns=None, line=r"(?P<current>\S+) uA", units={"current": "µA"}, supply_v=5.0))

    assert parse_lines(lines("P=3.25W;", "P=-1W;"), power, None).power_uw == (3_250_000, -1_000_000)
    assert parse_lines(lines("700000 uA"), current, 5_000_000).power_uw == (3_500_000,)


def test_a_line_that_is_no_reading_is_a_missing_one_and_never_a_zero(bench):
    seen = parse_lines(
        lines("1 5.0 700", "garbage", "2 5.0 overload", "3 5.0 nan", "4 5.0 700"), find_meter(bench()), None
    )

    assert seen.power_uw == (3_500_000, None, None, None, 3_500_000)


def test_a_reading_at_the_end_of_the_range_is_marked(bench):
    seen = parse_lines(lines("1 5.0 700", "2 5.0 4000", "3 5.0 3900"), find_meter(bench()), None)

    assert seen.clipped == (1,)


def test_lines_that_came_in_one_piece_still_follow_one_another(bench):
    seen = parse_lines([(5, b"1 5.0 700"), (5, b"2 5.0 700"), (5, b"3 5.0 700")], find_meter(bench()), None)

    assert seen.time_ns == (5, 6, 7)


def test_a_joulescopes_statistics_are_read_as_its_library_gives_them():
    def statistics(volts, amperes, highest):
        value = lambda number: {"value": number}  # noqa: E731
        return {
            "signals": {
                "voltage": {"avg": value(volts)},
                "current": {"avg": value(amperes), "max": value(highest)},
                "power": {"avg": value(volts * amperes)},
            }
        }

    seen = parse_statistics([(1, statistics(5.0, 0.7, 0.9)), (2, statistics(5.1, 0.7, 10.1))], JOULESCOPE)

    assert seen.power_uw == (3_500_000, 3_570_000)
    assert (seen.voltage_uv, seen.clipped) == (5_050_000, (1,))


# Clocks


def test_an_offset_is_known_to_half_of_the_shortest_round_trip():
    waits = iter([0.030, 0.004, 0.020])

    def board_ns() -> int:
        time.sleep(next(waits))
        return time.monotonic_ns() + 7 * S

    offset = measure_offset(board_ns, tries=3)

    assert offset.bound_ns < 15_000_000
    assert abs(offset.ahead_ns - 7 * S) <= offset.bound_ns


def test_times_are_mapped_along_the_drift_and_a_step_is_noticed():
    drifting = ClockMap(Offset(0, 1000, 10), Offset(100 * S, 1000 + 5_000_000, 20))
    stepped = ClockMap(Offset(0, 0, 10), Offset(20 * S, 3 * S, 10))

    assert drifting.to_board(50 * S) == 50 * S + 1000 + 2_500_000
    assert drifting.bound_ns == 20
    assert (drifting.stepped, stepped.stepped) == (False, True)


# Energy of a meter's readings

PHASES = Phases((1 * S, 6 * S), (7 * S, 17 * S), (18 * S, 23 * S), 500)


def recorded_load(load, averaging_s: float = 0.01, late_s: float = 0.005, **changes):
    """Return a trace of a meter that averages a load without gaps and is `late_s` late, on a clock 5 s behind."""
    chance = np.random.default_rng(7)
    fine = np.arange(0, 24, 0.0005)
    power = load(fine) * (1 + 0 * fine)
    each = round(averaging_s / 0.0005)
    means = power[: len(power) // each * each].reshape(-1, each).mean(axis=1)
    means = np.round((means + chance.normal(0, 0.004, len(means))) / 0.001) * 1000
    ends = (np.arange(len(means)) + 1) * averaging_s + late_s - 5
    times, power_uw = tuple(int(at * S) for at in ends), tuple(map(int, means))
    meter = replace(JOULESCOPE, period_ns=round(averaging_s * S), averaging_ns=round(averaging_s * S))
    recording = replace(Recording(times, power_uw, (), 5_000_000), **changes)
    return meter_trace(recording, ClockMap(Offset(0, 5 * S, 1000), Offset(20 * S, 5 * S, 1000)), meter, PHASES)


def step(at):
    return np.where((at > 7) & (at < 17), 3.7, 2.5)


def test_energy_of_a_meter_lies_on_the_boards_clock():
    whole, above, power, idle = power_estimates(recorded_load(step))

    assert whole.low <= 3.7e6 * 10 / 500 <= whole.high
    assert above.low <= 1.2e6 * 10 / 500 <= above.high
    assert power.point == pytest.approx(3700, rel=0.001)
    assert idle.point == pytest.approx(2500, rel=0.001)


def test_the_interval_of_a_meter_covers_loads_of_every_beat():
    chance = np.random.default_rng(3)
    missed = 0
    for beat_hz in 10 ** chance.uniform(-1, np.log10(50), size=60):
        phase, share = chance.uniform(), chance.uniform(0.2, 0.8)
        load = lambda at, b=beat_hz, p=phase, s=share: 2.5 + 1.2 * ((at * b + p) % 1 < s)  # noqa: E731
        truth = float(np.mean(load(np.arange(7, 17, 0.0005))))
        power = power_estimates(recorded_load(load))[2]
        missed += not power.low <= 1000 * truth <= power.high

    assert missed <= 6


STEADY = ClockMap(Offset(0, 0, 1000), Offset(20 * S, 0, 1000))


@pytest.mark.parametrize(
    ("recording", "clocks", "reason"),
    [
        (Recording((1,), (1,), (), 12_000_000), STEADY, "voltage_mismatch"),
        (Recording((), (), (), None, "the meter is gone"), STEADY, "meter_failed"),
        (Recording((1,), (1,), (), 5_000_000), ClockMap(Offset(0, 0, 10), Offset(S, S, 10)), "clock_stepped"),
    ],
)
def test_trap_voltage_mismatch_silence_and_a_clock_that_was_set(recording, clocks, reason):
    with pytest.raises(MeterFailed) as raised:
        check_recording(recording, clocks, 5_000_000)

    assert raised.value.reason == reason


def test_a_supply_that_sags_is_still_the_boards():
    check_recording(Recording((1,), (1,), (), 4_800_000), STEADY, 5_000_000)


def test_trap_a_window_in_which_the_meter_was_at_the_end_of_its_range():
    first_of_run = round((8 - 0.005) * 100)

    assert power_estimates(recorded_load(step, clipped=(first_of_run,)))[0].not_measured == "meter_clipped"
    assert power_estimates(recorded_load(step, clipped=(5,)))[0].not_measured is None


def test_trap_a_meter_that_averages_for_longer_than_the_windows():
    assert power_estimates(recorded_load(step, averaging_s=1.0))[0].not_measured == "averaging_too_long"


def test_trap_a_meter_that_loses_every_third_line():
    trace = recorded_load(step)
    kept = [place for place in range(len(trace.time_ns)) if place % 3]
    gone = replace(
        trace, time_ns=tuple(trace.time_ns[i] for i in kept), readings=tuple(trace.readings[i] for i in kept)
    )

    assert power_estimates(gone)[0].not_measured == "sensor_failed"
