"""Low rank: what the factors give back, what layers they make, and which layers stay."""

import numpy as np
import pytest

from edgeprof.compress.techniques.coupling import couple, macs
from edgeprof.compress.techniques.factors import decompose, ranks_for, recomposed
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.lowrank import lower
from edgeprof.errors import ModelError
from tests.compress.techniques import models
from tests.compress.techniques.conftest import randomise, run

pytestmark = pytest.mark.tensorflow


def cost(model):
    coupling = couple(copy(model))
    return macs(coupling, coupling.all_kept())


def of_rank(rng, rows, columns, rank):
    return (rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))).astype(np.float32)


def test_a_matrix_of_rank_three_is_found_to_have_rank_three(rng):
    kernel = of_rank(rng, 20, 30, 3)

    factors = decompose(kernel)

    assert ranks_for(factors, 0.999999) == (3,)
    np.testing.assert_allclose(recomposed(factors, (3,)), kernel, atol=1e-5)


def test_a_convolutions_two_ranks_are_found(rng):
    core = rng.normal(size=(3, 3, 2, 4))
    kernel = np.einsum("hwab,ia,ob->hwio", core, rng.normal(size=(10, 2)), rng.normal(size=(12, 4))).astype(np.float32)

    factors = decompose(kernel)

    assert ranks_for(factors, 0.999999) == (2, 4)
    np.testing.assert_allclose(recomposed(factors, (2, 4)), kernel, atol=1e-4)


def test_the_energy_lost_is_the_error_and_no_rank_below_keeps_as_much(rng):
    kernel = rng.normal(size=(16, 24)).astype(np.float32)
    factors = decompose(kernel)

    (rank,) = ranks_for(factors, 0.8)

    def kept(rank):
        return 1 - np.linalg.norm(recomposed(factors, (rank,)) - kernel) ** 2 / np.linalg.norm(kernel) ** 2

    assert kept(rank) >= 0.8 > kept(rank - 1)


def test_at_full_rank_nothing_is_lost(rng):
    kernel = rng.normal(size=(3, 5, 6, 7)).astype(np.float32)

    np.testing.assert_allclose(recomposed(decompose(kernel), (6, 7)), kernel, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(("size", "padding"), [(3, "same"), (3, "valid"), (1, "same")])
def test_lowered_layers_compute_what_the_layer_did_where_its_rank_is_low(size, padding, strides, tk, rng):
    inputs = tk.Input((9, 9, 16))
    layer = tk.layers.Conv2D(24, size, strides=strides, padding=padding, activation="tanh", name="conv")
    model = tk.Model(inputs, layer(inputs))
    kernel = np.einsum(
        "hwab,ia,ob->hwio", rng.normal(size=(size, size, 3, 3)), *(rng.normal(size=(n, 3)) for n in (16, 24))
    )
    layer.set_weights([kernel.astype(np.float32) / 50, rng.normal(size=24)])
    x = rng.normal(size=(2, 9, 9, 16)).astype(np.float32)

    lowered, (about,) = lower(model, energy=0.9999, share=None)

    np.testing.assert_allclose(run(lowered, x), run(model, x), atol=1e-4)
    assert about.ranks == ((3, 3) if size > 1 else (3,))
    assert (about.macs_before, about.macs) == (cost(model), cost(lowered))
    assert about.macs < about.macs_before / 2
    assert about.error < 0.01
    assert [layer.name for layer in lowered.layers][-1] == "conv"


def test_a_dense_layer_becomes_two(tk, rng):
    inputs = tk.Input((40,))
    model = tk.Model(inputs, tk.layers.Dense(30, activation="relu", name="wide")(inputs))
    model.set_weights([of_rank(rng, 40, 30, 4), rng.normal(size=30)])

    lowered, _ = lower(model, energy=0.9999, share=None)

    assert [(layer.name, layer.units) for layer in lowered.layers[1:]] == [("wide_in", 4), ("wide", 30)]
    x = rng.normal(size=(5, 40)).astype(np.float32)
    np.testing.assert_allclose(run(lowered, x), run(model, x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_budget_is_kept_and_used(share, tk, rng):
    model = randomise(models.wide(tk), rng)

    lowered, about = lower(model, energy=None, share=share)

    left = sum(one.macs for one in about) / sum(one.macs_before for one in about)
    assert share - 0.06 < left <= share
    assert cost(lowered) == sum(one.macs for one in about)


def test_layers_that_would_cost_more_stay_and_say_so(tk, rng):
    inputs = tk.Input((60,))
    x = tk.layers.Dense(40, name="full")(tk.layers.Dense(60, name="poor")(inputs))
    model = tk.Model(inputs, tk.layers.Dense(1, name="last")(x))
    model.get_layer("poor").set_weights([of_rank(rng, 60, 60, 2), np.zeros(60)])
    model.get_layer("full").set_weights([rng.normal(size=(60, 40)), np.zeros(40)])

    _, about = lower(model, energy=0.99, share=None)

    reasons = {one.layer: one.reason for one in about}
    assert reasons["poor"] == ""
    assert "costs" in reasons["full"]
    assert "instead of 2,400" in reasons["full"]
    assert reasons["last"] == "it has rank 1 already"


def test_layers_left_out_stay(tk, rng):
    model = randomise(models.wide(tk), rng)
    name = next(layer.name for layer in model.layers if hasattr(layer, "filters"))

    lowered, about = lower(model, energy=0.5, share=None, leave=(name,))

    assert next(one for one in about if one.layer == name).reason == "you said so"
    assert name + "_in" not in [layer.name for layer in lowered.layers]


def test_where_no_layer_pays_the_error_says_why(tk, rng):
    inputs = tk.Input((6,))
    model = tk.Model(inputs, tk.layers.Dense(6, name="small")(inputs))

    with pytest.raises(ModelError, match=r"with 99.0% of the energy kept no layer of `\w+` becomes cheaper") as caught:
        lower(model, energy=0.99, share=None)

    assert "`small`: rank" in caught.value.hint


def test_a_budget_that_no_rank_meets_says_what_can_be(tk, rng):
    with pytest.raises(ModelError, match=r"low rank leaves at least \d+% of the multiply-accumulates") as caught:
        lower(randomise(models.wide(tk), rng), energy=None, share=0.001)

    assert "ask for `budget = 0." in caught.value.hint
