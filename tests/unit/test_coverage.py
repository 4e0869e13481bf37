"""The interval holds what it promises, stop rule included; an interval from inside one process would not."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import CONFIDENCE, EFFECTS, RUNS, SHAPES, SPREAD, STATISTICS, simulate


def test_intervals_cover_at_the_nominal_level_in_every_case():
    cases = list(simulate(trials=150))

    assert [(case.shape, case.effect) for case in cases] == [(shape, effect) for shape in SHAPES for effect in EFFECTS]
    assert [case for case in cases if not case.holds()] == []


def test_percentiles_cover_too_up_to_the_99th():
    """Of launches long enough for it, ended where the median's interval was narrow."""
    cases = list(simulate(trials=25, statistics=tuple(STATISTICS)))

    assert len(cases) == len(SHAPES) * len(EFFECTS) * 4
    assert [case for case in cases if not case.holds()] == []


def test_more_launches_are_made_only_where_they_are_needed():
    launches = {(case.shape, case.effect): case.launches for case in simulate(trials=20)}

    assert launches["log-normal", 0] == 8
    assert launches["log-normal", 3] > 24


@pytest.mark.parametrize("effect", [1, 3])
def test_one_process_says_little_about_the_next(effect):
    """What the simulation can find: the usual interval, from one process, covers far less than it says."""
    chance = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        samples = SPREAD * (chance.normal(size=RUNS) + effect * chance.normal())
        low, high = stats.t.interval(CONFIDENCE, RUNS - 1, samples.mean(), stats.sem(samples))
        covered += low <= 0 <= high

    assert covered / 200 < 0.5
