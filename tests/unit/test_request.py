"""What a plan may hold, and which cores a word names on which board."""

import pytest

from edgeprof.errors import UsageError
from edgeprof.profile.request import ProfileRequest, check, parse_cpus, plan_on, resolve_cpus
from edgeprof.records import Artifact, RunPlan

ALIKE = ((0, 1024), (1, 1024), (2, 1024), (3, 1024))
BIG_LITTLE = ((0, 446), (1, 446), (2, 1024), (3, 1024))


@pytest.mark.parametrize(("text", "cores"), [("0", (0,)), ("0-3", (0, 1, 2, 3)), ("2,0", (0, 2)), ("0-1,3", (0, 1, 3))])
def test_cores_are_named_like_a_cpuset(text, cores):
    assert parse_cpus(text) == cores


@pytest.mark.parametrize("text", ["", "x", "3-1", "1-", "-1", "0,,1", "99999"])
def test_what_names_no_cores_is_refused(text):
    with pytest.raises(UsageError, match="names no cores") as caught:
        parse_cpus(text)

    assert caught.value.hint == "write `all`, `big`, `little`, `0-3` or `0,2`"


def test_all_means_no_limit():
    assert resolve_cpus("all", ALIKE, "pi5") is None


def test_big_and_little_are_told_by_capacity():
    assert resolve_cpus("big", BIG_LITTLE, "rock") == (2, 3)
    assert resolve_cpus("little", BIG_LITTLE, "rock") == (0, 1)


def test_a_board_of_equal_cores_has_no_big_ones():
    with pytest.raises(UsageError, match="the cores of `pi5` are all alike") as caught:
        resolve_cpus("big", ALIKE[:2], "pi5")

    assert caught.value.hint == "write `all`, or cores by number: it has 0-1"


def test_a_core_that_the_board_lacks_is_named():
    with pytest.raises(UsageError, match="`pi5` has no core 4") as caught:
        resolve_cpus("2-5", ALIKE, "pi5")

    assert caught.value.hint == "it has cores 0-3"


def test_cells_hold_artifacts_next_to_one_another():
    a, b = (Artifact(None, name * 64, 1, "m", name, (), ()) for name in "ab")
    request = ProfileRequest((a, b), threads=(1, 4), cpus=("all",))

    cells = [(artifact.recipe, plan.threads) for artifact, plan in request.cells()]

    assert cells == [("a", 1), ("b", 1), ("a", 4), ("b", 4)]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ProfileRequest((), launches=0), "--launches 0 is out of range"),
        (ProfileRequest((), RunPlan(runs=0)), "--runs 0 is out of range"),
        (ProfileRequest((), RunPlan(precision_ratio=0)), "--precision 0 is out of range"),
        (ProfileRequest((), margin_ratio=1.5), "--margin 1.5 is out of range"),
        (ProfileRequest((), threads=(0,)), "--threads 0 is out of range"),
        (ProfileRequest((), threads=(100_000,)), "--threads 100000 is out of range"),
    ],
)
def test_numbers_out_of_range_are_refused(request_, words):
    with pytest.raises(UsageError, match=words):
        check(request_)


def test_few_runs_say_enough_where_the_clock_counts_instructions():
    plan = plan_on(ProfileRequest(()), RunPlan(), ns_per_instruction=2)

    assert (plan.clock, plan.ns_per_instruction) == ("instructions", 2)
    assert (plan.looks, plan.runs, plan.warmup_s) == ((4, 8), 16, 0.0)
    assert plan_on(ProfileRequest(()), RunPlan(), None) == RunPlan()


def test_what_the_user_asked_for_stands_on_every_clock():
    request = ProfileRequest((), RunPlan(runs=5), launches=2)

    for ns_per_instruction in (None, 2):
        plan = plan_on(request, request.plan, ns_per_instruction)
        assert (plan.looks, plan.runs) == ((2,), 5)


def test_a_pair_is_two_of_something():
    one, other = (Artifact(None, name * 64, 1, "m", name, (), ()) for name in "ab")

    check(ProfileRequest((one, other), verdict_only=True))
    check(ProfileRequest((one,), threads=(1, 4), verdict_only=True))
    check(ProfileRequest((one,), verdict_only=True, control=True))
    with pytest.raises(UsageError, match="a pair is two of something, and this makes 1"):
        check(ProfileRequest((one,), verdict_only=True))
    with pytest.raises(UsageError, match="this makes 4"):
        check(ProfileRequest((one, other), threads=(1, 4), verdict_only=True))
