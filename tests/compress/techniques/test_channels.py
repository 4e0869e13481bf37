"""Whole channels out of a model: what is left computes what the model computed without them."""

from itertools import product

import numpy as np
import pytest

from edgeprof.compress.techniques.coupling import couple, cut, hide, macs, parameters
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.importance import channel_scores
from edgeprof.compress.techniques.selection import Choice, choose, describe, gone
from edgeprof.errors import ModelError
from tests.compress.techniques import models
from tests.compress.techniques.conftest import randomise, run

pytestmark = pytest.mark.tensorflow


def prepared(make, tk, rng):
    """Return the model's coupling, half of its channels to keep, and inputs."""
    coupling = couple(copy(randomise(make(tk), rng)))
    kept = coupling.all_kept()
    for family in coupling.families:
        kept[rng.choice(family.classes, len(family.classes) // 2, replace=False)] = False
    x = [rng.uniform(-1, 1, (3, *tensor.shape[1:])).astype(np.float32) for tensor in coupling.model.inputs]
    return coupling, kept, x if len(x) > 1 else x[0]


@pytest.mark.parametrize("make", models.FOLLOWED, ids=lambda make: make.__name__)
def test_what_is_left_computes_the_same_as_the_model_with_nobody_reading_those_channels(make, tk, rng):
    coupling, kept, x = prepared(make, tk, rng)

    smaller = cut(coupling, kept)

    assert coupling.families
    hide(coupling, kept)
    expected = run(coupling.model, x)
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(run(smaller, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", models.FOLLOWED, ids=lambda make: make.__name__)
def test_what_is_counted_is_what_is_left(make, tk, rng):
    coupling, kept, _ = prepared(make, tk, rng)

    smaller = cut(coupling, kept)

    again = couple(smaller)
    assert smaller.count_params() < coupling.model.count_params()
    assert parameters(coupling, kept) == parameters(again, again.all_kept())
    assert macs(coupling, kept) == macs(again, again.all_kept()) < macs(coupling, coupling.all_kept())


def test_channels_that_were_zero_leave_the_outputs_as_they_were(tk, rng):
    """The plainest oracle: without `hide`, by weights set to zero layer by layer."""
    model = copy(randomise(models.residual(tk), rng))
    x = rng.uniform(-1, 1, (3, 8, 8, 3)).astype(np.float32)
    coupling = couple(model)
    (family,) = [family for family in coupling.families if "second" in family.layers]
    dead = family.classes[[1, 4, 6]]
    for layer in (model.get_layer(name) for name in family.layers):
        layer.set_weights([np.where(np.isin(np.arange(8), [1, 4, 6]), 0, w) for w in layer.get_weights()])
    first = model.layers[2]  # the batch normalisation after the first convolution
    first.set_weights(
        [np.where(np.isin(np.arange(8), [1, 4, 6]), 0, w) for w in first.get_weights()[:3]] + [first.get_weights()[3]]
    )
    kept = coupling.all_kept()
    kept[dead] = False

    smaller = cut(coupling, kept)

    assert [layer.filters for layer in smaller.layers if hasattr(layer, "filters")] == [5, 8, 5, 16, 16]
    np.testing.assert_allclose(run(smaller, x), run(model, x), rtol=1e-5, atol=1e-6)


def test_the_model_given_stays_as_it_was(tk, rng):
    model = randomise(models.branches(tk), rng)
    before = [w.copy() for w in model.get_weights()]
    coupling = couple(copy(model))

    cut(coupling, choose(coupling, rng.random(len(coupling.classes)), Choice(share=0.5)))

    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_layers_joined_by_addition_lose_the_same_channels(tk):
    coupling = couple(copy(models.residual(tk)))

    assert sorted(len(family.layers) for family in coupling.families) == [1, 2, 2]


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize(("by", "share"), [("macs", 0.3), ("macs", 0.7), ("channels", 0.5)])
def test_the_share_asked_for_goes_and_little_more(scope, by, share, tk, rng):
    coupling = couple(copy(models.wide(tk)))
    scores = rng.random(len(coupling.classes))

    kept = choose(coupling, scores, Choice(share=share, by=by, scope=scope))

    assert share <= gone(coupling, kept, by) <= share + 0.05


def test_the_least_important_channels_go(tk, rng):
    coupling = couple(copy(models.wide(tk)))
    scores = rng.random(len(coupling.classes))

    kept = choose(coupling, scores, Choice(share=0.5))

    for family in coupling.families:
        ours = family.classes
        assert scores[ours[kept[ours]]].min() > scores[ours[~kept[ours]]].max()


def test_a_global_choice_takes_more_where_less_matters(tk, rng):
    coupling = couple(copy(models.wide(tk)))
    scores = rng.random(len(coupling.classes))
    poor, rich = coupling.families[:2]
    scores[poor.classes] /= 10

    kept = choose(coupling, scores, Choice(share=0.3, by="channels", scope="global"))

    assert kept[poor.classes].mean() < 0.2
    assert kept[rich.classes].mean() > 0.7


def test_what_is_left_of_each_layer_is_a_multiple(tk, rng):
    coupling = couple(copy(models.wide(tk)))

    kept = choose(coupling, rng.random(len(coupling.classes)), Choice(share=0.4, multiple=8))

    left = [after for _, _, after in describe(coupling, kept)]
    assert left
    assert all(after % 8 == 0 for after in left)
    assert gone(coupling, kept, "macs") >= 0.4


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_multiples_take_no_more_than_they_must(scope, share, tk, rng):
    coupling = couple(copy(models.even(tk)))
    scores = rng.random(len(coupling.classes))

    kept = choose(coupling, scores, Choice(share=share, scope=scope, multiple=8))

    taken = gone(coupling, kept, "macs")
    assert share <= taken <= share + 0.08
    for family in coupling.families:
        lost = family.classes[~kept[family.classes]]
        more = kept.copy()
        more[lost[np.argsort(-scores[lost])][:8]] = True
        assert not len(lost) or gone(coupling, more, "macs") < share
        assert kept[family.classes].sum() % 8 == 0


def test_with_multiples_the_share_taken_is_the_nearest_that_there_is(tk, rng):
    coupling = couple(copy(models.even(tk)))
    scores = rng.random(len(coupling.classes))
    every = [_with_left(coupling, scores, left) for left in product((8, 16, 24, 32), repeat=len(coupling.families))]
    nearest = min(taken for kept in every if (taken := gone(coupling, kept, "macs")) >= 0.5)

    kept = choose(coupling, scores, Choice(share=0.5, multiple=8))

    assert gone(coupling, kept, "macs") - nearest < 0.03


def _with_left(coupling, scores, left):
    kept = coupling.all_kept()
    for family, count in zip(coupling.families, left, strict=True):
        ranked = family.classes[np.argsort(scores[family.classes])]
        kept[ranked[: len(ranked) - count]] = False
    return kept


def test_a_share_that_cannot_go_says_how_much_can(tk, rng):
    coupling = couple(copy(models.recurrent(tk)))

    with pytest.raises(
        ModelError, match=r"at most \d+% of the multiply-accumulates of `\w+` can go, and 99% were asked"
    ) as caught:
        choose(coupling, rng.random(len(coupling.classes)), Choice(share=0.99))

    assert "`held` stays whole: LSTM `memory` is not followed" in caught.value.message
    assert "ask for at most `share = 0." in caught.value.hint


def test_a_model_without_a_channel_to_spare_is_refused(tk, rng):
    inputs = tk.Input((4, 4, 6))
    coupling = couple(tk.Model(inputs, tk.layers.Conv2D(6, 3, groups=2, name="grouped")(inputs)))

    with pytest.raises(ModelError, match="no channel of `\\w+` can be removed"):
        choose(coupling, rng.random(len(coupling.classes)), Choice(share=0.1))


def test_a_softmax_within_keeps_its_channels(tk):
    inputs = tk.Input((6,))
    x = tk.layers.Dense(5, activation="softmax", name="attention")(inputs)

    coupling = couple(tk.Model(inputs, tk.layers.Dense(2)(x)))

    assert coupling.fixed["attention"] == "the softmax of `attention` mixes its channels"


def test_a_subclassed_model_is_refused_with_what_would_work(tk):
    class Own(tk.Model):
        def call(self, x):
            return x

    with pytest.raises(ModelError, match="subclassed") as caught:
        copy(Own())

    assert "functional or sequential" in caught.value.hint


@pytest.mark.parametrize("name", ["pretrainedResnet.h5", "kws_ref_model.h5", "vww_96.h5"])
def test_real_models_come_out_smaller_cheaper_and_right(name, tk, data, rng):
    check_halved(tk.models.load_model(data / "models" / "mlperf_tiny" / name, compile=False), rng)


def test_a_mobilenet_with_inverted_residuals_comes_out_smaller_cheaper_and_right(tk, rng):
    check_halved(tk.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=5), rng)


def check_halved(model, rng):
    """Half of the MACs go; what is left computes what the model computes with nobody reading the rest."""
    coupling = couple(copy(model))
    scores = channel_scores(coupling, "l2")

    kept = choose(coupling, scores, Choice(share=0.5, multiple=4))
    smaller = cut(coupling, kept)

    again = couple(smaller)
    assert 0.4 < macs(again, again.all_kept()) / macs(coupling, coupling.all_kept()) <= 0.5
    assert smaller.count_params() < 0.7 * model.count_params()
    assert smaller.output_shape == model.output_shape
    hide(coupling, kept)
    x = rng.uniform(0, 1, (4, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(run(smaller, x), run(coupling.model, x), rtol=1e-3, atol=1e-5)
