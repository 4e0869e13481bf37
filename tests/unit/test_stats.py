"""Estimates over launches, checked against values worked out by hand or by scipy itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from edgeprof.records import CLOCK_INSTRUCTIONS, Estimate, RawLaunch, RunPlan, StartUp
from edgeprof.stats import cpu_estimates, latency_estimates, over_launches, start_up_estimates
from edgeprof.stats.steady import drift_ratio, is_steady, step_ratio


def launch(index: int, latency_ns: list[int]) -> RawLaunch:
    return RawLaunch(index, tuple(latency_ns), (), StartUp(10 + index, 2, 3, 4, 5), 1, 1, 1)


def by_statistic(launches):
    return {estimate.statistic: estimate for estimate in latency_estimates(launches, RunPlan())}


def test_the_point_is_the_median_of_launch_medians_not_of_all_samples():
    launches = [launch(0, [100] * 1000), launch(1, [200] * 10), launch(2, [300] * 10)]

    found = by_statistic(launches)["median"]

    assert found.point == 200
    assert (found.n_launches, found.n_samples) == (3, 1020)


def test_the_interval_is_students_t_on_the_logarithms():
    values = [100.0, 110.0, 95.0, 130.0, 101.0, 99.0, 104.0, 108.0]
    logs = np.log(values)
    low, high = scipy_stats.t.interval(0.95, len(values) - 1, logs.mean(), scipy_stats.sem(logs))

    found = over_launches("latency_ns", "median", values)

    assert found.low == pytest.approx(math.exp(low))
    assert found.high == pytest.approx(math.exp(high))
    assert found.confidence == 0.95


def test_start_up_of_two_launches_has_points_and_no_interval_of_thirteen_standard_errors():
    two, three = (start_up_estimates([launch(index, [100]) for index in range(count)], RunPlan()) for count in (2, 3))

    assert [(one.point, one.low, one.high, one.confidence) for one in two if one.name == "process_start_ns"] == [
        (10.5, None, None, None)
    ]
    assert all(one.low <= one.point <= one.high for one in three)


def test_one_launch_has_a_point_and_no_interval():
    found = over_launches("latency_ns", "median", [100.0])

    assert (found.point, found.low, found.high, found.confidence) == (100.0, None, None, None)


def test_no_launch_has_no_point_and_says_why():
    found = over_launches("latency_ns", "median", [])

    assert (found.point, found.not_measured) == (None, "no_launches")


def test_the_interval_always_holds_the_point():
    found = over_launches("latency_ns", "median", [100.0, 100.0, 900.0])

    assert found.low <= found.point <= found.high


@pytest.mark.parametrize(("statistic", "needed"), [("p90", 64), ("p95", 130), ("p99", 662), ("p999", 6636)])
def test_a_percentile_needs_its_samples_in_every_launch(statistic, needed):
    enough, short = list(range(1, needed + 1)), list(range(1, needed))

    measured = by_statistic([launch(0, enough), launch(1, enough)])[statistic]
    missing = by_statistic([launch(0, enough * 50), launch(1, short)])[statistic]

    assert measured.not_measured is None
    assert (missing.point, missing.not_measured) == (None, "too_few_samples")


def test_outliers_are_kept():
    samples = [100] * 63 + [10**9]

    found = by_statistic([launch(0, samples), launch(1, samples)])

    assert found["median"].n_samples == 128
    assert found["p90"].point == 100


def test_start_up_stages_stand_apart():
    launches = [launch(0, [1]), launch(2, [1])]

    found = {estimate.name: estimate.point for estimate in start_up_estimates(launches, RunPlan())}

    assert found["process_start_ns"] == 11
    assert found["first_inference_ns"] == 5


def test_a_clock_that_counts_instructions_gives_instructions_and_no_time():
    plan = RunPlan(clock=CLOCK_INSTRUCTIONS, ns_per_instruction=2)
    launches = [launch(0, [2000, 2000]), launch(1, [2004, 2004])]

    median = latency_estimates(launches, plan)[0]
    start_up = start_up_estimates(launches, plan)

    assert (median.name, median.statistic, median.point) == ("guest_instructions", "median", 1001)
    assert {(e.point, e.not_measured) for e in start_up} == {(None, "clock_counts_instructions")}


def test_memory_that_did_not_grow_is_a_point_without_an_interval():
    found = over_launches("file_backed_growth_bytes", "median", [0, 0, 0])

    assert (found.point, found.low) == (0, None)


def test_warm_up_is_over_when_two_neighbouring_windows_agree():
    assert not is_steady([[100]])
    assert not is_steady([[200, 210], [100, 101]])
    assert is_steady([[200, 210], [100, 101], [101, 102]])


def test_a_launch_that_heats_up_drifts_and_noise_does_not():
    rising = [1000 + index for index in range(200)]
    chance = np.random.default_rng(2)
    noise = [round(value) for value in chance.normal(1000, 100, 2000)]

    assert drift_ratio(rising) == pytest.approx(0.17, abs=0.01)
    assert drift_ratio(rising[::-1]) < -0.1
    assert abs(drift_ratio(noise)) < 0.05
    assert drift_ratio([1, 2, 3]) == 0


def test_a_step_to_another_level_is_seen_where_noise_and_a_short_launch_are_none():
    level = [round(value) for value in np.random.default_rng(3).normal(1_000_000, 20_000, 400)]

    assert step_ratio(level[:250] + [value * 2 for value in level[250:]]) == pytest.approx(1.0, abs=0.05)
    assert step_ratio([value * 2 for value in level[:100]] + level[100:]) == pytest.approx(-0.5, abs=0.05)
    assert abs(step_ratio(level)) < 0.02
    assert step_ratio([value * 2 if 100 <= i < 150 else value for i, value in enumerate(level)]) == 0.0
    assert step_ratio([1, 2, 3]) == 0.0


def on_a_core(shares: list[float], looks: tuple[int, ...] = (8,)) -> Estimate:
    """Return the estimate of launches that had their core for these shares of the time."""
    launches = [replace(launch(i, [1]), cpu_time_ns=round(1e9 * s), wall_time_ns=10**9) for i, s in enumerate(shares)]
    (found,) = cpu_estimates(launches, RunPlan(looks=looks))
    return found


def test_processor_time_over_wall_time_is_a_figure_of_each_launch():
    found = on_a_core([0.5, 0.5])

    assert (found.point, found.n_launches) == (0.5, 2)
    assert (found.low, found.high, found.confidence) == (None, None, None)


def test_the_interval_of_processor_time_has_launches_as_its_ends_and_so_none_beyond_what_can_be():
    shares = [1.0, 0.999, 1.0, 0.998, 0.6, 1.0, 0.999, 1.0]

    log_t = over_launches("cpu_wall_ratio", "median", shares)
    found = on_a_core(shares, looks=(8, 16, 32))

    assert log_t.high > 1.05  # what a bounded quantity cannot be
    assert (found.low, found.point, found.high) == (0.6, 0.9995, 1.0)


def test_what_was_measured_above_a_bound_is_no_less_shown():
    """The runtime may have threads of its own beside the one that was asked for."""
    assert on_a_core([1.2, 1.3, 1.2, 1.1, 1.2, 1.4]).high == 1.4


@pytest.mark.parametrize(
    ("n", "looks", "ends"),
    [(5, (5,), None), (6, (6,), (1, 6)), (7, (8, 16, 32), (1, 7)), (8, (8, 16, 32), (1, 8)), (32, (32,), (10, 23))],
)
def test_the_ranks_of_the_interval_are_those_of_the_tables(n, looks, ends):
    """The sign test's: 6 values for 95 %, the 10th and the 23rd of 32."""
    found = on_a_core([rank / 100 for rank in range(1, n + 1)], looks)

    assert found.low == (ends and ends[0] / 100)
    assert found.high == (ends and ends[1] / 100)


def test_the_interval_of_processor_time_covers_the_median_of_skewed_shares():
    chance = np.random.default_rng(5)
    truth = 1 - 0.02 * math.log(2)  # the median of 1 less an exponential of mean 0.02

    found = [on_a_core(list(1 - chance.exponential(0.02, 12))) for _ in range(1000)]

    assert sum(one.low <= truth <= one.high for one in found) >= 940  # 961 are to be expected
