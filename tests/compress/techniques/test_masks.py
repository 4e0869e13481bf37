"""Masks by importance."""

import numpy as np
import pytest

from edgeprof.compress.techniques.masks import two_of_four, unstructured


def test_each_kernel_loses_exactly_the_share_asked_for(rng):
    scores = {"a": rng.random((3, 3, 4, 8)), "b": 100 * rng.random((10, 7))}

    found = unstructured(scores, 0.3, everywhere=False)

    assert {name: int((~mask).sum()) for name, mask in found.items()} == {"a": 86, "b": 21}
    for name, mask in found.items():
        assert scores[name][mask].min() > scores[name][~mask].max()


def test_everywhere_the_least_important_of_all_go(rng):
    scores = {"a": rng.random((3, 3, 4, 8)), "b": 100 + rng.random((10, 7))}

    found = unstructured(scores, 0.5, everywhere=True)

    assert found["b"].all()
    assert int((~found["a"]).sum()) == round(0.5 * (288 + 70))


def test_equal_scores_lose_the_share_too():
    assert int((~unstructured({"a": np.zeros((5, 5))}, 0.4, everywhere=False)["a"]).sum()) == 10


@pytest.mark.parametrize("shape", [(8, 3), (3, 3, 16, 5)])
def test_two_of_each_four_input_channels_stay_and_they_matter_most(shape, rng):
    scores = rng.random(shape)

    mask = two_of_four(scores)

    assert mask.shape == shape
    groups, masks = (np.moveaxis(a, -2, -1).reshape(-1, 4) for a in (scores, mask))
    assert (masks.sum(axis=1) == 2).all()
    assert all(row[keep].min() > row[~keep].max() for row, keep in zip(groups, masks, strict=True))


def test_channels_beyond_the_last_four_stay(rng):
    mask = two_of_four(rng.random((7, 3)))

    assert mask[4:].all()
    assert (mask[:4].sum(axis=0) == 2).all()
