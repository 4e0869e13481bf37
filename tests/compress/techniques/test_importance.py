"""Importance by four criteria, each against what it stands for."""

import numpy as np
import pytest

from edgeprof.compress.techniques.coupling import couple
from edgeprof.compress.techniques.gradients import Probes, own_targets, per_sample
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.importance import channel_scores, normalised, weight_scores
from edgeprof.errors import UsageError
from tests.compress.techniques import models
from tests.compress.techniques.conftest import randomise, run

pytestmark = pytest.mark.tensorflow


def linear(tk, kernel):
    """Return y = x · kernel without offset."""
    inputs = tk.Input((len(kernel),))
    model = tk.Model(inputs, tk.layers.Dense(len(kernel[0]), use_bias=False, name="dense")(inputs))
    model.set_weights([np.array(kernel, np.float32)])
    return model


def half_squares(y, output):
    return (y - output) ** 2 / 2


def probes(rng, n=6, channels=3, classes=3):
    x = rng.uniform(-1, 1, (n, 8, 8, channels)).astype(np.float32)
    return x, rng.integers(0, classes, n)


def test_magnitudes_of_weights_are_what_they_say(tk):
    model = linear(tk, [[1.0, -2.0], [0.5, 0.0]])

    np.testing.assert_allclose(weight_scores(model, "l1")["dense", "kernel"], [[1, 2], [0.5, 0]])
    np.testing.assert_allclose(weight_scores(model, "l2")["dense", "kernel"], [[1, 4], [0.25, 0]])


def test_taylor_and_fisher_of_a_linear_model_are_what_the_formulas_give(tk, rng):
    model = linear(tk, [[1.0, -2.0], [0.5, 3.0]])
    x, y = rng.normal(size=(7, 2)).astype(np.float32), rng.normal(size=(7, 2)).astype(np.float32)
    kernel = model.get_weights()[0]
    gradients = np.einsum("ni,no->nio", x, x @ kernel - y)  # of half the squared error, by hand

    data = Probes((x,), (y,), (half_squares,))

    expected = np.abs(gradients * kernel).mean(axis=0)
    np.testing.assert_allclose(weight_scores(model, "taylor", data)["dense", "kernel"], expected, rtol=1e-4)
    expected = ((gradients * kernel) ** 2).mean(axis=0) / 2
    np.testing.assert_allclose(weight_scores(model, "fisher", data)["dense", "kernel"], expected, rtol=1e-4)


def test_optimal_brain_damage_is_exact_where_the_loss_is_a_parabola(tk, rng):
    """At the optimum of a linear model with noise of unit variance Fisher is the Hessian, and OBD the true change."""
    kernel = np.array([[1.0, -0.5], [0.2, 0.8], [-0.7, 0.1]], np.float32)
    model = linear(tk, kernel.tolist())
    x = rng.normal(size=(4000, 3)).astype(np.float32)
    x[:, 1] *= 3  # so that magnitude alone misleads

    found = weight_scores(model, "fisher", own_targets(model, [x[:1500]], seed=4))["dense", "kernel"]

    true = ((x[:, :, None] * kernel) ** 2).mean(axis=0) / 2  # how much half the squared error grows without a weight
    np.testing.assert_allclose(found, true, rtol=0.25)
    assert np.argmax(found) == np.argmax(true) != np.argmax(np.abs(kernel))


def test_taylor_of_a_channel_is_the_first_order_change_of_the_loss_without_it(tk, rng):
    """Shrinking a channel's gate by a hundredth changes the loss by a hundredth of its score."""
    model = copy(randomise(models.residual(tk), rng))
    coupling, (x, y) = couple(model), probes(rng, n=1)
    data = Probes((x,), (y,), (tk.losses.sparse_categorical_crossentropy,))
    (family,) = [family for family in coupling.families if "second" in family.layers]
    scores = channel_scores(coupling, "taylor", data)[family.classes]
    gates = [model.layers[2], model.get_layer("second")]  # the first's batch normalisation; the other has none
    before = float(tk.losses.sparse_categorical_crossentropy(y, run(model, x))[0])

    for channel in np.argsort(scores)[-2:]:
        kept = [layer.get_weights() for layer in gates]
        for layer in gates:
            for weight in layer.trainable_weights:
                weight.assign(weight.numpy() * np.where(np.arange(8) == channel, 0.99, 1))
        after = float(tk.losses.sparse_categorical_crossentropy(y, run(model, x))[0])
        for layer, weights in zip(gates, kept, strict=True):
            layer.set_weights(weights)

        assert scores[channel] > 1e-3  # far above rounding
        assert abs(after - before) * 100 == pytest.approx(scores[channel], rel=0.1)


@pytest.mark.parametrize("criterion", ["l1", "l2", "taylor", "fisher"])
@pytest.mark.parametrize("make", [models.residual, models.depthwise], ids=lambda make: make.__name__)
def test_a_dead_channel_matters_least(make, criterion, tk, rng):
    coupling = couple(copy(randomise(make(tk), rng)))
    model, (x, _) = coupling.model, probes(rng)
    family = coupling.families[0]
    for notes in coupling.slices.values():
        for weight in notes.layer.weights:
            axes = notes.axes[weight.name.rpartition("/")[2].partition(":")[0]]
            for axis, labels in enumerate(axes):
                if labels is not None and (notes.made is None or labels is notes.made):
                    keep = (coupling.classes[labels] != family.classes[3]).reshape(
                        [-1 if i == axis else 1 for i in range(len(axes))]
                    )
                    weight.assign(weight.numpy() * keep if "variance" not in weight.name else weight)

    scores = channel_scores(coupling, criterion, own_targets(model, [x], seed=1))

    assert np.argmin(scores[family.classes]) == 3
    assert scores[family.classes[3]] == pytest.approx(0, abs=1e-6)
    assert (np.delete(scores[family.classes], 3) > 1e-6).all()


def test_a_kernel_counts_as_its_batch_normalisation_scales_it(tk, rng):
    coupling = couple(copy(randomise(models.wide(tk), rng)))
    family, scale = coupling.families[0], coupling.model.layers[2].gamma
    before = channel_scores(coupling, "l1")[family.classes]

    scale.assign(scale * np.where(np.arange(32) == 4, 3.0, 1.0))

    np.testing.assert_allclose(
        channel_scores(coupling, "l1")[family.classes] / before, np.where(np.arange(32) == 4, 3, 1), rtol=1e-5
    )


def test_families_of_another_scale_can_be_compared_once_normalised(tk, rng):
    coupling = couple(copy(models.wide(tk)))
    scores = rng.random(len(coupling.classes))
    scores[coupling.families[0].classes] *= 1000

    for how in ("mean", "l2"):
        found = normalised(scores, coupling.families, how)

        means = [found[family.classes].mean() for family in coupling.families]
        assert max(means) < 1.3 * min(means)
    assert np.array_equal(normalised(scores, coupling.families, "none"), scores)


def test_gradients_come_one_sample_at_a_time(tk, rng):
    model = copy(randomise(models.branches(tk), rng))
    x, _ = probes(rng, n=3)

    first, *rest = per_sample(model, own_targets(model, [x], seed=2))

    assert len(rest) == 2
    assert set(first) == {
        (layer.name, w.name.rpartition("/")[2][:-2]) for layer in model.layers for w in layer.trainable_weights
    }


def test_without_samples_a_gradient_is_refused_with_what_would_work(tk):
    with pytest.raises(UsageError, match="importance `taylor` is computed from samples") as caught:
        weight_scores(linear(tk, [[1.0, 2.0]]), "taylor")

    assert "`l1` or `l2`" in caught.value.hint
