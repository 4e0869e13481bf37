"""A long run: levels at first and at the end, and when it became slow."""

import pytest

from edgeprof.records import SustainedWindow
from edgeprof.report.summary import bars
from edgeprof.stats import sustained_estimates


def windows(*medians):
    return tuple(SustainedWindow(float(i), 10, value, value, None, None) for i, value in enumerate(medians))


def figures(*medians):
    return {e.name: (e.point, e.not_measured) for e in sustained_estimates(windows(*medians))}


def test_nobody_asked_and_nothing_is_said():
    assert sustained_estimates(()) == ()


def test_a_board_that_throttles_is_slow_from_the_first_of_five_slow_seconds_on():
    found = figures(*[100.0] * 40, *[150.0] * 20)

    assert found["sustained_first_ns"] == (100.0, None)
    assert found["sustained_last_ns"] == (150.0, None)
    assert found["slow_after_s"] == (40.0, None)


@pytest.mark.parametrize(
    "medians", [[100.0] * 60, [100.0] * 20 + [150.0] * 4 + [100.0] * 36, [100.0] * 30 + [109.0] * 30]
)
def test_a_hiccup_or_less_than_a_tenth_is_not_slow(medians):
    assert figures(*medians)["slow_after_s"] == (None, "not_seen")


def test_bars_show_the_course_in_at_most_so_many_steps():
    assert bars([1, 2, 4, 8], 4) == "▂▃▅█"
    assert len(bars(range(1000), 40)) == 40
    assert bars([], 40) == ""
