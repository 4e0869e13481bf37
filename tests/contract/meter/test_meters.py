"""Meters on real ptys: one that prints lines, and a PPK2's side of its protocol spoken to Nordic's formulas in `ppk2-api`."""

import time

import pytest

from edgeprof.errors import DeviceError
from edgeprof.power.meters import find_meter, open_meter, try_meter
from tests.meters import Ppk2, bench_toml, printer


@pytest.fixture
def bench(tmp_path):
    """A meter's TOML with some keys changed."""
    return lambda **changes: bench_toml(tmp_path, **changes)


def test_a_meter_on_a_pty_is_read_by_pyserial(bench):
    with printer(lambda _: "0 5.000 740.0\r\n") as far:
        meter = open_meter(find_meter(bench(port=far.port)), None)
        meter.start()
        time.sleep(0.5)
        seen = meter.stop()

    assert len(seen.power_uw) > 10
    assert set(seen.power_uw) == {3_700_000}
    assert seen.trouble is None
    assert list(seen.time_ns) == sorted(set(seen.time_ns))


def test_a_meter_that_is_unplugged_says_so_and_keeps_what_it_had(bench):
    with printer(lambda _: "0 5.000 740.0\r\n") as far:
        meter = open_meter(find_meter(bench(port=far.port)), None)
        meter.start()
        time.sleep(0.4)
        far.unplug()
        time.sleep(0.3)
        seen = meter.stop()

    assert seen.power_uw
    assert seen.trouble.startswith("the meter is gone")


def test_a_meter_is_tried_before_minutes_of_measuring(bench):
    with printer(lambda _: "something else\r\n") as far:
        with pytest.raises(DeviceError, match="none was understood"):
            try_meter(find_meter(bench(port=far.port)), None)
        with pytest.raises(DeviceError, match="cannot open the meter bench"):
            try_meter(find_meter(bench(port="/dev/not-there")), None)
    with printer(lambda _: "") as far, pytest.raises(DeviceError, match="says nothing"):
        try_meter(find_meter(bench(port=far.port)), None)


# A PPK2's protocol, by its real library


def ppk2_current_ua(adc: int, volts: float) -> float:
    """Return what Nordic's formula gives in range 4 with the recorded calibration, worked out by hand."""
    plain = (4 * adc - 87.2177) * (1.8 / 163840 / 0.0564)
    return 1e6 * (plain * (0.0729 * plain + 0.9582) + (0.002940743 * volts - 0.009388455))


def test_a_ppk2_is_an_ampere_meter_and_its_samples_become_power():
    pytest.importorskip("ppk2_api")
    with Ppk2(adc=700) as far:
        meter = open_meter(find_meter(f"ppk2:{far.port}"), 5_000_000)
        meter.start()
        time.sleep(0.5)
        seen = meter.stop()

    expected = 5 * ppk2_current_ua(700, 5.0)
    assert 2_000_000 < expected < 4_000_000
    assert len(seen.power_uw) >= 3
    assert all(value == pytest.approx(expected, rel=1e-6) for value in seen.power_uw)
    assert {b - a for a, b in zip(seen.time_ns, seen.time_ns[1:], strict=False)} == {10_000_000}
    assert (0x11, 1) in far.commands
    assert (0x11, 2) not in far.commands
    assert (0x0C, 0) not in far.commands
    assert far.commands[-1] == (0x07,)


def test_a_ppk2_that_was_left_sampling_is_stopped_and_asked_for_its_calibration():
    pytest.importorskip("ppk2_api")
    with Ppk2(adc=16383, left_on=True) as far:
        time.sleep(0.1)
        meter = open_meter(find_meter(f"ppk2:{far.port}"), 5_000_000)
        meter.start()
        time.sleep(0.2)
        seen = meter.stop()

    assert far.commands[0] == (0x07,)
    assert seen.power_uw


def test_samples_that_a_ppk2_lost_make_a_reading_missing():
    pytest.importorskip("ppk2_api")
    with Ppk2(adc=700, lose=5) as far:
        meter = open_meter(find_meter(f"ppk2:{far.port}"), 5_000_000)
        meter.start()
        time.sleep(0.5)
        seen = meter.stop()

    assert seen.power_uw.count(None) == 1


def test_a_ppk2_at_the_end_of_its_range_is_marked():
    pytest.importorskip("ppk2_api")
    with Ppk2(adc=1500) as far:
        meter = open_meter(find_meter(f"ppk2:{far.port}"), 5_000_000)
        meter.start()
        time.sleep(0.3)
        seen = meter.stop()

    assert ppk2_current_ua(1500, 5.0) > 1_000_000
    assert len(seen.clipped) == len(seen.power_uw)


def test_a_ppk2_that_is_unplugged_says_so_and_keeps_what_it_had():
    pytest.importorskip("ppk2_api")
    with Ppk2(adc=700) as far:
        meter = open_meter(find_meter(f"ppk2:{far.port}"), 5_000_000)
        meter.start()
        time.sleep(0.4)
        far.unplug()
        time.sleep(0.3)
        seen = meter.stop()

    assert seen.power_uw
    assert seen.trouble.startswith("the PPK2 is gone")


def test_what_is_no_ppk2_is_told_from_one():
    pytest.importorskip("ppk2_api")
    with printer(lambda _: "") as far, pytest.raises(DeviceError, match="does not answer as a PPK2"):
        open_meter(find_meter(f"ppk2:{far.port}"), 5_000_000).start()
