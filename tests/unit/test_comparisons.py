"""Verdicts on runs that took turns: checked against scipy, by hand, and for false alarms by simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from edgeprof.records import Artifact, RawLaunch, RunPlan, RunResult, StartUp
from edgeprof.stats import compare, verdicts

START_UP = StartUp(1, 1, 1, 1, 1)


def launch(index, *blocks):
    samples = tuple(value for block in blocks for value in block)
    return RawLaunch(index, samples, (), START_UP, 1, 1, 1, tuple(len(block) for block in blocks))


def run(run_id, launches, group="g", looks=(8,)):
    artifact = Artifact(None, "00" * 32, 1, "m", run_id, (), ())
    return RunResult(
        run_id, 0.0, "complete", None, artifact, "pi5", None, None, RunPlan(looks=looks), None,
        launches=tuple(launches), group=group,
    )  # fmt: skip


def series(ratios, base_ns=1_000_000):
    """Return two runs whose launches lie by `ratios` apart."""
    base = [launch(i, [base_ns] * 4, [base_ns] * 4) for i in range(len(ratios))]
    other = [launch(i, [round(base_ns * r)] * 4, [round(base_ns * r)] * 4) for i, r in enumerate(ratios)]
    return run("base", base), run("other", other)


def test_the_interval_of_a_ratio_is_students_t_on_the_logarithms():
    ratios = [0.50, 0.51, 0.49, 0.52, 0.50, 0.505, 0.495, 0.51]
    logs = np.log(ratios)
    low, high = scipy_stats.t.interval(0.99, 7, logs.mean(), scipy_stats.sem(logs))

    found = verdicts(series(ratios))[0]

    assert found.ratio == pytest.approx(math.exp(logs.mean()), rel=1e-6)
    assert (found.low, found.high) == (pytest.approx(math.exp(low), rel=1e-5), pytest.approx(math.exp(high), rel=1e-5))
    assert (found.verdict, found.n_launches, found.confidence) == ("less", 8, 0.99)


def test_what_drifts_over_a_launch_cancels_block_by_block():
    base = [launch(i, [100] * 4, [200] * 4, [400] * 4) for i in range(3)]
    other = [launch(i, [110] * 4, [220] * 4, [440] * 4) for i in range(3)]

    found = compare(base, other)

    assert math.exp(found.mean) == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.10, 1.11, 1.09, 1.10], "more"),
        ([0.90, 0.91, 0.89, 0.90], "less"),
        ([1.001, 0.999, 1.000, 1.002], "same"),
        ([1.00, 1.05, 0.95, 1.02], "inconclusive"),
        ([1.02, 1.021, 1.019, 1.02], "inconclusive"),  # on the margin itself
        ([1.5], "inconclusive"),
    ],
)
def test_a_verdict_needs_its_interval_wholly_outside_the_margins_or_wholly_inside(ratios, verdict):
    assert verdicts(series(ratios))[0].verdict == verdict


def test_equal_counts_are_the_same_without_any_spread():
    found = verdicts(series([1.0, 1.0, 1.0, 1.0]))[0]

    assert (found.verdict, found.low, found.high) == ("same", 1.0, 1.0)


def test_a_change_is_found_from_the_margin_on_that_was_asked_for():
    ratios = [1.10, 1.11, 1.09, 1.10]

    assert verdicts(series(ratios), margin_ratio=0.2)[0].verdict == "same"
    assert verdicts(series(ratios), margin_ratio=0.1)[0].verdict == "inconclusive"


def test_several_looks_share_the_chance_of_error():
    ratios = [1.00, 1.04, 1.06, 1.05, 1.03, 1.08, 1.04, 1.06]
    base, other = series(ratios)
    one = verdicts((base, other))[0]
    three = verdicts(tuple(replace(r, plan=RunPlan(looks=(8, 16, 32))) for r in (base, other)))[0]

    assert three.low < one.low < one.high < three.high


def test_many_verdicts_share_it_too_by_holm():
    """The clearest pair is held against all of the others, and falls alone where the rest is unclear."""
    borderline = [1.03, 1.045, 1.035, 1.04, 1.05, 1.03]
    pairs = [run(f"r{k}", [launch(i, [round(1_000_000 * r)] * 8) for i, r in enumerate(borderline)]) for k in range(12)]
    base = run("base", [launch(i, [1_000_000] * 8) for i in range(6)])

    alone = verdicts((base, pairs[0]))
    together = verdicts((base, *pairs))

    assert alone[0].verdict == "more"
    assert {found.verdict for found in together} == {"inconclusive"}


def test_runs_that_took_no_turns_with_one_another_are_not_compared():
    base, other = series([1.1, 1.1, 1.1])

    assert verdicts((base, replace(other, group="another"))) == ()
    assert verdicts((replace(base, group=None), replace(other, group=None))) == ()


def test_a_failed_first_run_leaves_the_next_as_base():
    base, other = series([1.1, 1.1, 1.1])
    third = replace(other, run_id="third")

    found = verdicts((replace(base, launches=()), other, third))

    assert [(f.base, f.other, f.verdict) for f in found] == [("other", "third", "same")]


def test_only_launches_that_both_have_are_compared():
    base, other = series([1.1, 1.1, 1.1, 1.1])

    assert verdicts((base, replace(other, launches=other.launches[1:3])))[0].n_launches == 2
    assert verdicts((base, replace(other, launches=(replace(other.launches[0], index=9),))))[0].not_measured


def test_the_smallest_detectable_change_is_found_four_times_in_five():
    """Simulated: pairs that differ by just that much, with the spread that the first one had."""
    chance = np.random.default_rng(5)
    first = compare(*_noisy(chance, 1.0, 8))
    change = first.detectable(0.99)
    spread = first.error * math.sqrt(first.n)

    hits = 0
    for _ in range(400):
        logs = chance.normal(math.log1p(change), spread, 8)
        low = scipy_stats.t.interval(0.99, 7, logs.mean(), scipy_stats.sem(logs))[0]
        hits += low > math.log(1.02)

    assert 0.70 < hits / 400 < 0.90


def _noisy(chance, ratio, n):
    bases, others = [], []
    for index in range(n):
        effects = chance.normal(0, 0.02, 2)
        bases.append(launch(index, [round(1_000_000 * math.exp(effects[0]))] * 8))
        others.append(launch(index, [round(1_000_000 * ratio * math.exp(effects[1]))] * 8))
    return bases, others
