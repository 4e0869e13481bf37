"""A phone's battery as a meter: what it must say before it is believed, and what a step of load tells of its numbers.

The dumps are recorded (tests/data/recorded/); the readings of gauges are made up, as each test says.
"""

from itertools import pairwise

import pytest

from edgeprof.power import power_estimates
from edgeprof.power.battery import Gauge, calibrate, charge_energy, feeding_fault, updates_in
from edgeprof.records import PowerTrace
from edgeprof.remote.said import parse_pairs
from tests.recorded import recorded, synthetic

S = 1_000_000_000
VOLTS = 3_900_000


def says(dump: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """What `agent.sh battery` makes of a dump of the battery service; tests/contract runs the script itself on them."""
    found = []
    for line in map(str.strip, dump.splitlines()):
        if "UPDATES STOPPED" in line or line == "USE_FAKE_BATTERY: true":
            found.append(("stopped", "true"))
        elif " powered: " in line:
            found.append((f"powered.{line.split()[0]}", line.rpartition(" ")[2]))
        elif line.startswith(("status: ", "level: ")):
            found.append(tuple(line.split(": ")))
    return [*found, *more]


def level(start_s: int, number: int, *, update_s: float = 0.5, noise: int = 0, volts: int = VOLTS) -> list:
    """Six seconds of a gauge that is read ten times a second and shows a new value every `update_s`."""
    readings = []
    for i in range(60):
        turn = int(i / 10 / update_s)
        readings.append(
            (start_s * S + i * S // 10, (volts, number + (noise or max(1, abs(number) // 50)) * (turn % 3 - 1)))
        )
    return readings


@pytest.mark.parametrize("name", ["android-battery-oneplus7.txt", "android-battery-xiaomi.txt"])
def test_a_phone_off_its_charger_feeds_on_its_battery(name):
    assert feeding_fault(says(recorded(name))) is None


def test_a_phone_on_usb_is_refused():
    assert feeding_fault(says(recorded("android-battery-samsung.txt"))) == "on_charger"


def test_an_unplugging_that_was_only_told_to_the_service_is_refused():
    """The line of a synthetic dump, put into a recorded one."""
    stopped = synthetic("android-battery-faked.txt").splitlines()[1]
    dump = recorded("android-battery-oneplus7.txt").replace("  AC powered", f"{stopped}\n  AC powered", 1)

    assert feeding_fault(says(dump)) == "battery_faked"


def test_the_kernel_s_word_counts_against_the_service_s():
    off = says(recorded("android-battery-oneplus7.txt"))

    assert feeding_fault([*off, ("supply.usb.online", "1")]) == "on_charger"
    assert feeding_fault([*off, ("supply.battery.status", "Charging")]) == "not_discharging"
    assert feeding_fault([*off, ("supply.usb.online", "0"), ("supply.battery.status", "Discharging")]) is None


def test_what_says_nothing_is_not_believed():
    assert feeding_fault([]) == "battery_status_unknown"
    assert feeding_fault(parse_pairs("powered.USB=false\n")) == "battery_status_unknown"
    assert feeding_fault(parse_pairs("powered.USB=false\nstatus=5\n")) == "not_discharging"


@pytest.mark.parametrize(
    ("idle", "busy", "sign", "unit"),
    [
        (-200_000, -1_500_000, -1, 1),  # as the kernel's interface says
        (200_000, 1_500_000, 1, 1),  # the other way round
        (-200, -1500, -1, 1000),  # milliamperes
        (350, 2400, 1, 1000),
    ],
)
def test_a_step_of_load_tells_sign_and_unit(idle, busy, sign, unit):
    gauge = calibrate("battery", level(0, idle), level(6, busy))

    assert isinstance(gauge, Gauge)
    assert (gauge.sign, gauge.unit, gauge.volt_unit) == (sign, unit, 1)
    assert gauge.update_s == pytest.approx(0.5, rel=0.3)
    expected_w = abs(busy) * unit / 1e6 * 3.9
    assert gauge.power_uw((VOLTS, busy)) == pytest.approx(expected_w * 1e6)


def test_a_voltage_in_millivolts_is_known_by_its_size():
    gauge = calibrate("battery", level(0, -200_000, volts=3900), level(6, -1_500_000, volts=3900))

    assert gauge.volt_unit == 1000
    assert gauge.power_uw((3900, -1_000_000)) == 3_900_000


@pytest.mark.parametrize(
    ("idle", "busy", "reason"),
    [
        (-1_500_000, -200_000, "load_step_not_seen"),  # falls with load: no discharging current
        (-300_000, 900_000, "load_step_not_seen"),  # changes its sign
        (-300_000, -310_000, "load_step_not_seen"),  # hardly moves
        (0, 0, "load_step_not_seen"),
        (-3_000, -18_000, "gauge_unit_unknown"),  # 15 mA or 15 A
        (-4, -12, "gauge_unit_unknown"),
    ],
)
def test_where_the_step_says_nothing_sign_and_unit_are_unknown(idle, busy, reason):
    assert calibrate("battery", level(0, idle, noise=1), level(6, busy, noise=1)) == reason


def test_noise_as_large_as_the_step_hides_it():
    found = calibrate("battery", level(0, -500_000, noise=400_000), level(6, -800_000, noise=400_000))

    assert found == "load_step_not_seen"


def test_a_gauge_that_shows_nothing_or_one_value_is_silent():
    assert calibrate("battery", [], level(0, -1)) == "gauge_silent"
    assert calibrate("battery", level(0, -200_000), [(i * S, (VOLTS, -900_000)) for i in range(60)]) == "gauge_silent"
    assert calibrate("battery", [(i, (None, None)) for i in range(60)], level(0, -1)) == "gauge_silent"


def counter(start_s: int, begin: float, ua: float, seconds: int = 6) -> list:
    return [(start_s * S + i * S // 10, (VOLTS, int(begin - ua * i / 36_000))) for i in range(seconds * 10)]


def test_a_charge_counter_falls_faster_under_load_and_its_energy_is_summed():
    idle, busy = counter(0, 2_627_234, 200_000), counter(6, 2_626_900, 1_500_000)

    gauge = calibrate("charge", idle, busy)
    energy = charge_energy(gauge, busy)

    assert (gauge.sign, gauge.unit) == (-1, 1)
    seconds = (energy[-1][0] - energy[0][0]) / S
    assert (energy[-1][1] - energy[0][1]) / seconds == pytest.approx(1.5 * 3.9 * 1e6, rel=0.02)
    assert all(b > a for (_, a), (_, b) in pairwise(energy))


def test_new_values_are_counted_and_not_readings():
    assert updates_in(level(0, -200_000, update_s=0.5), (0, 6 * S)) == 12


def test_a_gauge_s_power_is_an_energy_like_any_other_sensor_s():
    gauge = Gauge("battery", -1, 1000, 1, 0.1)
    run = [(20 * S + i * S // 10, gauge.power_uw((VOLTS, -500 - i % 7))) for i in range(130)]
    idle = [(at - 20 * S, gauge.power_uw((VOLTS, -100 - i % 5))) for i, (at, _) in enumerate(run)]
    after = [(at + 40 * S, value) for at, value in idle]
    points = [*idle, *run, *after]
    trace = PowerTrace(
        rail="current_now (battery)", covers="part", wraps_at=None, period_ns=S // 10,
        time_ns=tuple(at for at, _ in points), readings=tuple(value for _, value in points),
        idle_before_ns=(0, 13 * S), run_ns=(20 * S, 33 * S), idle_after_ns=(40 * S, 53 * S), runs=130, sampler_ratio=0.0,
    )  # fmt: skip

    found = {e.name: e for e in power_estimates(trace)}

    assert found["power_mw"].point == pytest.approx(503 * 3.9, rel=0.01)
    assert found["energy_per_inference_uj"].point == pytest.approx(0.503 * 3.9 * 0.1 * 1e6, rel=0.01)
    assert found["idle_power_mw"].point == pytest.approx(102 * 3.9, rel=0.01)


def test_what_a_charge_counter_sums_is_an_energy_like_any_other_sensor_s():
    gauge = Gauge("charge", -1, 1, 1, 0.1)
    readings = [
        *counter(0, 2_627_234, 200_000, 13),
        *counter(20, 2_626_500, 1_500_000, 13),
        *counter(40, 2_621_000, 200_000, 13),
    ]
    points = charge_energy(gauge, readings)
    trace = PowerTrace(
        rail="charge_counter (battery)", covers="part", wraps_at=1 << 62, period_ns=S // 10,
        time_ns=tuple(at for at, _ in points), readings=tuple(value for _, value in points),
        idle_before_ns=(0, 13 * S), run_ns=(20 * S, 33 * S), idle_after_ns=(40 * S, 53 * S), runs=130, sampler_ratio=0.0,
    )  # fmt: skip

    found = {e.name: e for e in power_estimates(trace)}

    assert found["power_mw"].point == pytest.approx(1500 * 3.9, rel=0.02)
    assert found["idle_power_mw"].point == pytest.approx(200 * 3.9, rel=0.05)
