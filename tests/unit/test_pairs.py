"""Verdicts on pairs of which somebody asked for the energy too: windows in turns, one chance of error for all."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from edgeprof.compare.energy import relate_energy
from edgeprof.metrics import estimates
from edgeprof.pairs import ENERGY, ENERGY_TURNS, pair_verdicts, window_uj
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.rounds import is_enough
from edgeprof.report.verdicts import verdict
from edgeprof.stats import verdicts
from tests.unit.test_comparisons import series
from tests.unit.test_energy import WINDOWS, trace

NO_WAITS = {"idle_before_ns": (WINDOWS["run_ns"][0],) * 2, "idle_after_ns": (WINDOWS["run_ns"][1],) * 2}


def windows(watts, seed=0):
    """Return a window of each power, without waits."""
    return tuple(trace(run_w=w, seed=seed + i, **NO_WAITS) for i, w in enumerate(watts))


def pair(base_w, other_w, ratios=(1.0, 1.001, 0.999, 1.0)):
    base, other = series(ratios)
    return replace(base, energy_turns=windows(base_w)), replace(other, energy_turns=windows(other_w, 100))


def of_energy(runs):
    return next(found for found in pair_verdicts(runs) if found.name == ENERGY)


def test_a_window_is_an_observation_and_the_interval_students_t_on_logarithms_of_ratios():
    base, other = pair([3.0, 3.2, 2.9, 3.1], [3.6, 3.7, 3.5, 3.8])
    logs = np.log([window_uj(b) / window_uj(a) for a, b in zip(base.energy_turns, other.energy_turns, strict=True)])
    low, high = scipy_stats.t.interval(0.99, 3, logs.mean(), scipy_stats.sem(logs))

    found = of_energy((base, other))

    assert found.ratio == pytest.approx(np.exp(logs.mean()))
    assert (found.low, found.high) == (pytest.approx(np.exp(low)), pytest.approx(np.exp(high)))
    assert (found.verdict, found.n_launches) == ("more", 4)


# Just there at 99 %: the chance of error is 0.8 %, more than half of 1 %.
BARELY_SLOWER = (1.028, 1.05, 1.035, 1.04, 1.052, 1.027)


def test_both_verdicts_share_one_chance_of_error():
    base, other = pair([3.0] * 6, [2.8, 3.3] * 3, BARELY_SLOWER)
    alone = verdicts((base, other))
    together = pair_verdicts((base, other))

    clear = pair([3.0] * 6, [4.0, 4.01] * 3, BARELY_SLOWER)

    assert [found.name for found in together] == ["latency_ns", ENERGY]
    assert alone[0].verdict == "more"
    assert [found.verdict for found in together] == ["inconclusive", "inconclusive"]
    assert [found.verdict for found in pair_verdicts(clear)] == ["more", "more"]


def test_measuring_goes_on_until_the_verdict_on_latency_leaves_room_for_the_one_on_energy():
    runs = series(BARELY_SLOWER)

    assert is_enough(runs, ProfileRequest((), verdict_only=True, energy=False))
    assert not is_enough(runs, ProfileRequest((), verdict_only=True, energy=True))


def test_nobody_asked_is_no_news_and_a_missing_sensor_is_said():
    base, other = series([1.0, 1.001, 0.999, 1.0])
    without = tuple(replace(run, not_measured=((ENERGY_TURNS, "no_power_sensor"),)) for run in (base, other))

    found = of_energy(without)

    assert [one.name for one in pair_verdicts((base, other))] == ["latency_ns"]
    assert (found.ratio, found.verdict, found.not_measured) == (None, "inconclusive", "no_power_sensor")
    assert verdict(found, without).endswith("energy per inference not compared (no power sensor)")


def test_a_window_whose_sensor_failed_makes_no_pair_and_all_of_them_give_the_reason():
    base, other = pair([3.0, 3.0, 3.0], [3.3, 3.3, 3.3])
    broken = replace(other.energy_turns[0], readings=(None,) * len(other.energy_turns[0].readings))

    one = of_energy((base, replace(other, energy_turns=(broken, *other.energy_turns[1:]))))
    none = of_energy((base, replace(other, energy_turns=(broken,) * 3)))

    assert (one.n_launches, one.ratio) == (2, pytest.approx(1.1, rel=0.01))
    assert (none.ratio, none.not_measured) == (None, "sensor_failed")


def test_the_energy_of_a_run_is_over_its_windows_and_what_is_above_idle_is_not_known():
    run, _ = pair([3.0, 3.2, 2.9, 3.1], [3.0] * 4)

    found = {one.name: one for one in estimates(run)}

    assert found[ENERGY].point == pytest.approx(3.05e6 * 10 / 500, rel=0.01)
    assert (found[ENERGY].n_launches, found[ENERGY].low < found[ENERGY].point < found[ENERGY].high) == (4, True)
    assert found["dynamic_energy_per_inference_uj"].not_measured == "measured_in_turns"
    assert found["idle_power_mw"].not_measured == "measured_in_turns"


@pytest.mark.parametrize(
    ("other_w", "words"),
    [
        ([3.6, 3.61, 3.59, 3.6], "energy per inference 1.20 × more energy (+1"),
        ([3.0, 3.01, 2.99, 3.0], "energy per inference the same within 2.0 % ("),
        ([2.5, 3.5, 3.0, 3.2], "4 windows find changes from"),
        ([0.3, 30.0, 3.0, 1.0], "4 windows are too few to find even a doubling"),
    ],
)
def test_people_read_a_sentence(other_w, words):
    runs = pair([3.0, 3.0, 3.0, 3.0], other_w)

    assert words in verdict(of_energy(runs), runs)


def test_stored_runs_whose_windows_took_turns_are_related_by_them_and_by_nothing_else():
    base, other = pair([3.0, 3.2, 2.9, 3.1], [3.6, 3.84, 3.48, 3.72])

    found = relate_energy(base, other)
    apart = relate_energy(base, replace(other, group="another day"))

    assert found.ratio == pytest.approx(1.2, rel=0.005)
    assert found.low < found.ratio < found.high
    assert apart.refused == "one was measured in turns with another run, window by window"
    assert relate_energy(base, replace(other, energy_turns=other.energy_turns[:1])).refused
