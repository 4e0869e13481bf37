"""Three digits and a unit; unknown stays unknown."""

import pytest

from edgeprof import units


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (999_600, "1.00 ms"),
        (1_234_567, "1.23 ms"),
        (123_456_789, "123 ms"),
        (2_500_000_000, "2.50 s"),
        (None, "not measured"),
    ],
)
def test_durations_have_three_digits(ns, text):
    assert units.duration(ns) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (98_496, "96.2 KiB"), (3 << 30, "3.00 GiB"), (None, "not measured")],
)
def test_sizes_have_three_digits(count, text):
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (512, "512"), (98_496, "98.496 k"), (4_718_211, "4.7182 M"), (123_456_789_000, "123.46 G")],
)
def test_instructions_have_the_five_digits_they_repeat_to(count, text):
    assert units.instructions(count) == text


def test_the_name_of_a_metric_says_its_unit():
    assert units.quantity("latency_ns", 1_230_000) == "1.23 ms"
    assert units.quantity("guest_instructions", 1_230_000) == "1.2300 M"
    assert units.quantity("peak_rss_bytes", 1024) == "1.00 KiB"


def test_an_interval_is_in_the_unit_of_its_point():
    assert units.interval("latency_ns", 990_000, 1_010_000, 1_100_000) == "0.99 … 1.10 ms"
    assert units.interval("guest_instructions", 3_187_000, 3_187_200, 3_187_900) == "3.1870 … 3.1879 M"


def test_an_interval_of_points_keeps_their_sign_and_digits():
    assert units.interval("drop_points", -0.878, -0.3, 0.0838) == "−0.9 … +0.1 pp"


def test_an_interval_that_is_not_there_yet_says_so():
    assert units.interval("latency_ns", None, 1_000, None) == "no interval yet"


def test_a_drop_carries_its_sign():
    assert units.points(-0.42) == "−0.4 pp"
    assert units.points(0.2) == "+0.2 pp"
    assert units.points(None) == "not measured"


def test_a_ratio_is_shown_as_the_change_it_is():
    assert units.change(1.312) == "+31.2 %"
    assert units.change(0.5) == "−50.0 %"


def test_a_rate_is_one_over_the_latency():
    assert units.rate(2_000_000) == "500 inf/s"


def test_time_left_reads_like_a_clock():
    assert units.clock(42.4) == "0:42"
    assert units.clock(3800) == "1:03:20"


def test_an_interval_whose_ends_coincide_is_not_written_as_one():
    assert units.interval("peak_rss_bytes", 20 << 20, 20 << 20, (20 << 20) + 1e-9) == "all alike"
    assert units.interval("peak_rss_bytes", 20 << 20, 20 << 20, (20 << 20) + 4096) == "20.0 … 20.0 MiB"
