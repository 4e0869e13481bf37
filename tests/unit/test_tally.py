"""How far several recipes are, and what is said of the time left."""

import pytest

from edgeprof.compress.room import SPARE_BYTES, fits
from edgeprof.compress.tally import Tally

GIB = 2**30


def test_nothing_is_said_before_anything_is_finished():
    tally = Tally({"fp32": False, "int8": False})
    tally.began("fp32", 0)

    assert tally.left_s(5, 1) is None
    assert tally.words(5, 1) == ""
    assert tally.share == 0


def test_the_rest_takes_as_long_as_those_of_its_kind_took():
    tally = Tally({"fp32": False, "fp16": False, "int8": False})
    tally.began("fp32", 0)
    tally.ended("fp32", 4)
    tally.began("fp16", 4)

    assert tally.left_s(5, 1) == 3 + 4
    assert tally.words(5, 1) == " (1 of 3 done, about 0:07 left)"


def test_a_quick_conversion_says_nothing_of_how_long_training_takes():
    tally = Tally({"fp32": False, "prune": True, "qat": True})
    tally.began("fp32", 0)
    tally.ended("fp32", 1)
    tally.began("prune", 1)

    assert tally.left_s(2, 1) is None
    assert tally.words(2, 1) == " (1 of 3 done)"


def test_training_that_says_how_far_it_is_goes_on_at_its_pace():
    tally = Tally({"prune": True})
    tally.began("prune", 10)
    tally.reached("prune", 0.25)

    assert tally.left_s(30, 1) == 60
    assert tally.share == 0.25


def test_two_at_once_take_half_as_long_but_no_less_than_the_longest():
    tally = Tally({"a": False, "b": False, "c": False, "d": True})
    tally.began("a", 0)
    tally.ended("a", 10)
    tally.began("d", 10)
    tally.reached("d", 0.5)

    assert tally.left_s(20, 2) == pytest.approx((10 + 10 + 10) / 2)
    assert tally.left_s(110, 2) == 100


def test_a_recipe_that_is_begun_again_counts_as_waiting():
    tally = Tally({"a": False, "b": False})
    tally.began("a", 0)
    tally.ended("a", 4)
    tally.began("b", 4)
    tally.reached("b", 0.9)

    tally.again("b")

    assert tally.share == 0.5
    assert tally.left_s(100, 1) == 4


def test_there_is_room_for_another_only_if_those_that_run_can_still_grow():
    each, spare = GIB, SPARE_BYTES

    assert fits(each, [each], free=each + spare)
    assert not fits(each, [each], free=each + spare - 1)
    assert not fits(each, [0], free=each + spare)
    assert fits(each, [0], free=2 * each + spare)
