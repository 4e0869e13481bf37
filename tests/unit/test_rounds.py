"""Who is live with whom, in which order, and for how long."""

import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from edgeprof.boards import parse_facts
from edgeprof.profile.launch import turns
from edgeprof.profile.request import ProfileRequest
from edgeprof.profile.rounds import groups, is_enough, order
from edgeprof.records import RunPlan
from tests.unit.test_comparisons import run, series


def cells(count, size_bytes=1000):
    return [SimpleNamespace(run=SimpleNamespace(artifact=SimpleNamespace(size_bytes=size_bytes))) for _ in range(count)]


def test_blocks_go_there_and_back_in_random_order():
    seen = list(order("abc", 8, random.Random(1)))

    assert Counter(seen) == {"a": 8, "b": 8, "c": 8}
    blocks = [seen[start : start + 6] for start in range(0, 24, 6)]
    assert all(block == block[::-1] for block in blocks)
    assert len({tuple(block) for block in blocks}) > 1


def test_each_comes_first_about_as_often():
    first = Counter(next(order("ab", 2, random.Random(seed))) for seed in range(400))

    assert 150 < first["a"] < 250


def test_a_cell_alone_takes_one_turn_and_few_runs_few_turns():
    assert turns(RunPlan(), 1) == 1
    assert turns(RunPlan(), 2) == 8
    assert turns(RunPlan(runs=5), 2) == 4
    assert turns(RunPlan(runs=1), 2) == 1


def test_cells_are_live_together_as_far_as_the_boards_memory_goes():
    small, large = parse_facts({"memory_available_bytes": 200 << 20}), parse_facts({"memory_available_bytes": 8 << 30})

    assert [len(group) for group in groups(cells(10), large)] == [8, 2]
    assert [len(group) for group in groups(cells(3), small)] == [2, 1]
    assert [len(group) for group in groups(cells(3, 100 << 20), small)] == [1, 1, 1]
    assert [len(group) for group in groups(cells(3), parse_facts({}))] == [3]


@pytest.mark.parametrize(("spread", "enough"), [(0.001, True), (0.2, False)])
def test_measuring_ends_where_the_interval_is_narrow(spread, enough):
    _, other = series([1 + spread * (index % 3) for index in range(8)])

    assert is_enough([replace(other, plan=RunPlan())], ProfileRequest(())) == enough


@pytest.mark.parametrize(("ratios", "enough"), [((1.5, 1.51, 1.49), True), ((1.0, 1.04, 0.96), False)])
def test_a_pair_ends_where_the_verdict_is_there(ratios, enough):
    assert is_enough(series(ratios), ProfileRequest((), verdict_only=True)) == enough


def test_runs_without_launches_need_no_more():
    assert is_enough([], ProfileRequest(()))
    assert not is_enough([run("a", [])], ProfileRequest(()))
