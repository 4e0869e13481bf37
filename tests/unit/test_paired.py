"""Shares and differences on the same samples: against published values and independent computations."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

from edgeprof.scores import HIGHER, LOWER, RESAMPLES, Score
from edgeprof.stats.accuracy import accuracy_estimates
from edgeprof.stats.packed import pack, unpack
from edgeprof.stats.paired import extra_loss, float_range, loss, loss_against, score_range, shift
from edgeprof.stats.per_class import class_scores, confusion
from edgeprof.stats.proportions import Discordant, Range, discordant, mover, wilson
from tests.unit.evaluations import evaluation, hits, top1


def test_wilson_gives_the_published_interval():
    # L. D. Brown, T. T. Cai and A. DasGupta (2001), Statistical Science 16: 0 of 10 reaches to 0.278.
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_the_paired_interval_and_test_are_the_published_ones():
    # M. W. Fagerland, S. Lydersen, P. Laake (2014), Statistics in Medicine 33, 2850-2875: airway data, 1 and 7 of 21.
    pairs = Discordant(1, 7, 21)

    assert pairs.interval() == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert pairs.mcnemar() == pytest.approx(0.0703, abs=5e-5)


def score_z(lost, won, n, difference):
    """Return the score statistic from the likelihood itself, maximised by a general minimiser."""
    same = n - lost - won

    def against(q):
        cells = ((lost, q + difference), (won, q), (same, 1 - 2 * q - difference))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells)

    low, high = max(0.0, -difference), (1 - difference) / 2
    q = minimize_scalar(against, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (lost - won - n * difference) / math.sqrt(n * (2 * q + difference * (1 - difference)))


@pytest.mark.parametrize(("lost", "won", "n"), [(12, 2, 50), (3, 40, 100), (5, 5, 500), (1, 0, 30)])
def test_the_ends_of_the_paired_interval_are_where_the_score_test_just_refuses(lost, won, n):
    low, high = Discordant(lost, won, n).interval()

    assert score_z(lost, won, n, low) == pytest.approx(1.959964, abs=2e-3)
    assert score_z(lost, won, n, high) == pytest.approx(-1.959964, abs=2e-3)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (7, 7), (3, 12), (400, 350)])
def test_mcnemars_test_is_the_exact_binomial_test(lost, won):
    expected = binomtest(lost, lost + won).pvalue if lost + won else 1.0

    assert Discordant(lost, won, 1000).mcnemar() == pytest.approx(expected, abs=1e-12)


def test_equal_answers_still_leave_a_difference_possible():
    low, high = Discordant(0, 0, 100).interval()

    assert low == pytest.approx(-high)
    assert 0.03 < high < 0.05


def test_the_paired_interval_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(3)
    cells = np.array([0.02, 0.05, 0.93])  # only the artifact right, only the float model right, alike
    drawn = random.multinomial(300, cells, 2000)

    held = [low <= 0.03 <= high for low, high in (Discordant(b, c, 300).interval() for c, b, _ in drawn.tolist())]

    assert 0.935 <= np.mean(held) <= 0.975


def test_pairs_tell_more_than_two_shares():
    base, other = hits(445, 500, 2), hits(442, 500, 5)

    paired = loss_against(top1(base), top1(other)).worse
    apart = mover(score_range(top1(base)), score_range(top1(other)))

    assert paired.high - paired.low < (apart.high - apart.low) / 2


def test_a_loss_is_the_float_models_share_less_ones_own():
    found = loss(top1(hits(442, 500, 5), hits(445, 500, 2)))

    assert found.worse.point == pytest.approx(0.006)
    assert discordant(hits(445, 500, 2), hits(442, 500, 5)) == Discordant(3, 0, 500)
    assert found.p_value == pytest.approx(0.25)
    assert loss(top1(hits(1, 2))) is None


def resampled(point, values, floats=None, better=LOWER):
    float_point = None if floats is None else float(np.mean(floats))
    packed = None if floats is None else pack(floats)
    return Score("mae", "mean", better, RESAMPLES, point, pack(values), float_point, packed)


def test_an_error_that_grows_is_a_loss_and_a_value_that_grows_is_none():
    values, floats = np.linspace(0.9, 1.1, 1000), np.linspace(0.4, 0.6, 1000)

    error, value = (loss(resampled(1.0, values, floats, better)).worse for better in (LOWER, HIGHER))

    assert (error.point, error.low, error.high) == pytest.approx((0.5, 0.5, 0.5), abs=1e-6)
    assert value.point == pytest.approx(-0.5)


def test_what_is_no_share_has_the_percentiles_of_its_resamples():
    score = resampled(1.0, np.linspace(0, 2, 1001), np.linspace(0, 1, 1001))

    assert score_range(score) == Range(1.0, pytest.approx(0.05), pytest.approx(1.95))
    assert float_range(score).high == pytest.approx(0.975)


def test_a_difference_of_two_figures_adds_their_intervals_by_squares():
    found = mover(Range(0.5, 0.4, 0.7), Range(0.2, 0.1, 0.3))

    assert (found.point, found.low, found.high) == pytest.approx(
        (0.3, 0.3 - math.hypot(0.1, 0.1), 0.3 + math.hypot(0.2, 0.1))
    )
    assert mover(Range(1, 0, 2), Range(1, 0, 2), correlation=1.0) == Range(0, 0, 0)


def test_a_shift_costs_both_models_and_the_difference_is_compressions():
    clean = top1(hits(450, 500, 0), hits(450, 500, 0))
    shifted = top1(hits(300, 500, 0), hits(400, 500, 0))

    own, floats, extra = (
        shift(clean, shifted, paired=True),
        shift(clean, shifted, paired=True, of_float=True),
        extra_loss(clean, shifted, paired=True),
    )

    assert (own.point, floats.point, extra.point) == pytest.approx((0.3, 0.1, 0.2))
    assert extra.low > 0.15
    assert extra_loss(top1(hits(1, 2)), top1(hits(1, 2)), paired=True) is None


def test_the_difference_of_differences_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(4)
    held = []
    for _ in range(300):
        clean = discordance(random, lost=0.03, won=0.01)
        shifted = discordance(random, lost=0.10, won=0.02)
        found = extra_loss(clean, shifted, paired=False)
        held.append(found.low <= 0.06 <= found.high)

    assert np.mean(held) >= 0.92


def discordance(random, lost, won, n=400):
    chance = random.random(n)
    floats = (chance < lost) | (chance > 0.3)
    own = ((chance >= lost) & (chance < lost + won)) | (chance > 0.3)
    return top1(own.astype(int), floats.astype(int))


@pytest.mark.parametrize("values", [np.array([0, 1, 1]), np.array([-1, 300]), np.array([]), np.array([70000, 2**40])])
def test_packed_integers_come_back_as_they_were(values):
    assert unpack(pack(values.astype(int))).tolist() == values.tolist()


def test_ten_thousand_hits_take_less_than_two_kilobytes():
    assert len(pack((np.random.default_rng(1).random(10_000) < 0.9).astype(int))) < 2000


@pytest.mark.parametrize("text", ["", "int8", "int8:!", "pickle:AAAA", "int8:AAAA"])
def test_what_was_not_packed_is_refused(text):
    with pytest.raises(ValueError, match="no packed array"):
        unpack(text)


def test_classes_have_their_recall_and_their_loss():
    labels, own, floats = (np.array(part) for part in ([0, 0, 0, 2, 2], [0, 0, 1, -1, 2], [0, 0, 0, 2, 2]))
    found = evaluation(
        (own == labels).astype(int), labels=pack(labels), predicted=pack(own), float_predicted=pack(floats), n_classes=3
    )

    first, second = class_scores(found)

    assert (first.label, first.n_samples, first.recall.point) == (0, 3, pytest.approx(2 / 3))
    assert (second.label, second.drop_points.point) == (2, pytest.approx(50))
    assert confusion(found).tolist() == [[2, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]
    assert (class_scores(evaluation(own == labels)), confusion(evaluation(own == labels))) == ((), None)


def test_resamples_that_do_not_differ_give_no_interval():
    same, varied = (
        Score("f1_ratio", "macro", HIGHER, RESAMPLES, 1.0, pack(values))
        for values in (np.ones(1000), np.linspace(0.8, 1.0, 1000))
    )

    alone, known = (
        next(e for e in accuracy_estimates(replace(evaluation(hits(9, 9)), scores=(score,))) if e.name == "f1_ratio")
        for score in (same, varied)
    )

    assert (alone.point, alone.low, alone.high, alone.n_samples) == (1.0, None, None, 9)
    assert known.low < known.high
