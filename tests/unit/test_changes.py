"""Change points: few false ones, real ones at their place."""

import numpy as np
import pytest

from edgeprof.stats.changes import change_points


def series(seed: int, *levels: tuple[int, float], spread: float = 0.02) -> list[float]:
    chance = np.random.default_rng(seed)
    return [level * chance.lognormal(0, spread) for count, level in levels for _ in range(count)]


def test_a_series_without_a_change_seldom_shows_one():
    found = sum(bool(change_points(series(seed, (30, 5e6)))) for seed in range(200))

    assert found <= 6  # 2 are expected at 1 %; 7 or more would come once in 200 times


def test_a_step_of_ten_percent_is_found_at_its_place():
    found = [change_points(series(seed, (15, 5e6), (15, 5.5e6))) for seed in range(50)]

    assert sum(places == (15,) for places in found) >= 45


def test_two_steps_up_and_down_are_both_found():
    assert change_points(series(3, (12, 5e6), (12, 6e6), (12, 5e6))) == (12, 24)


def test_a_real_change_too_small_to_act_on_is_none():
    assert change_points(series(4, (40, 5e6), (40, 5.02e6), spread=0.0001)) == ()


@pytest.mark.parametrize("values", [[], [5.0], [5.0] * 11, [5.0] * 40])
def test_short_and_constant_series_have_none(values):
    assert change_points(values) == ()
