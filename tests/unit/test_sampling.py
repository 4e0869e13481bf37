"""Which calibration samples are used."""

import numpy as np
import pytest

from edgeprof.compress.sampling import Sampling, pick
from edgeprof.errors import UsageError

CLASSES = np.repeat([0, 1, 2], [70, 25, 5])


def picked(n, **asked):
    return pick(n, Sampling(**asked), lambda: CLASSES).tolist()


def test_even_is_spaced_over_the_whole_set():
    assert picked(101, samples=5) == [0, 25, 50, 75, 100]


def test_first_is_the_beginning():
    assert picked(101, samples=5, choice="first") == [0, 1, 2, 3, 4]


def test_random_is_the_same_by_the_same_seed_only():
    once, again, other = (picked(1000, samples=50, choice="random", seed=seed) for seed in (1, 1, 2))

    assert once == again
    assert once != other
    assert len(set(once)) == 50
    assert once == sorted(once)


def test_balanced_takes_as_many_of_each_class_and_all_of_one_that_has_fewer():
    counts = np.bincount(CLASSES[picked(100, samples=30, choice="balanced")])

    assert counts.tolist() == [13, 12, 5]


def test_all_are_taken_where_there_are_fewer_than_two_hundred_and_no_number_is_given():
    assert picked(100, choice="balanced") == picked(100) == list(range(100))
    assert len(picked(5000)) == 200


def test_what_is_picked_depends_on_the_seed_only_where_it_is_random():
    assert Sampling(seed=1).key == Sampling(200, seed=2).key
    assert Sampling(choice="random", seed=1).key != Sampling(choice="random", seed=2).key


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        (Sampling(0), "0 calibration samples are none", "at least 1"),
        (Sampling(choice="balance"), "unknown choice of calibration samples: `balance`", "did you mean `balanced`?"),
    ],
)
def test_what_cannot_be_is_refused(asked, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        asked.check()

    assert hint in caught.value.hint


def test_more_than_there_are_is_refused_with_the_number_that_there_is():
    with pytest.raises(UsageError, match=r"65 calibration samples were asked for, and `c\.npz` has 64") as caught:
        Sampling(65).check_fits(64, "c.npz")

    assert "--calibration-samples 64" in caught.value.hint
