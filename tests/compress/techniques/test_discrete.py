"""Binary and ternary weights: values, packing, and training through the straight-through estimator."""

import numpy as np
import pytest

from edgeprof.compress.techniques.discrete import pack, packed_size, projection, projections, unpack
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.projected import settle, trainer
from edgeprof.errors import ModelError
from tests.compress.techniques import models
from tests.compress.techniques.conftest import randomise

pytestmark = pytest.mark.tensorflow


def test_binary_weights_are_a_sign_times_the_mean_magnitude_of_their_channel(tk):
    kernel = np.array([[[[1.0, -4.0], [-3.0, 2.0]]]], np.float32)

    found = np.asarray(projection("binary", "twn", per_channel=True)(kernel))

    np.testing.assert_allclose(found, [[[[2, -3], [-2, 3]]]])


def test_ternary_weights_lose_what_is_small_and_share_the_mean_of_the_rest(tk):
    kernel = np.array([[0.1], [-1.0], [3.0], [-0.2]], np.float32)  # mean 1.075, threshold 0.75

    found = np.asarray(projection("ternary", "twn", per_channel=True)(kernel))

    np.testing.assert_allclose(found, [[0], [-2], [2], [0]])


def test_the_other_threshold_is_a_share_of_the_largest(tk):
    kernel = np.array([[0.1], [-1.0], [3.0], [-0.2]], np.float32)  # threshold 0.15

    found = np.asarray(projection("ternary", "ttq", per_channel=False)(kernel))

    np.testing.assert_allclose(found, [[0], [-1.4], [1.4], [-1.4]], rtol=1e-6)


@pytest.mark.parametrize("levels", ["binary", "ternary"])
def test_packed_kernels_come_back_as_they_were(levels, tk, rng):
    kernel = np.asarray(projection(levels, "twn", per_channel=True)(rng.normal(size=(3, 3, 7, 5)).astype(np.float32)))

    packed, scales = pack(kernel)

    assert len(packed) == -(-315 // (8 if levels == "binary" else 5))
    np.testing.assert_allclose(unpack(packed, scales, kernel.shape, ternary=levels == "ternary"), kernel, rtol=1e-6)


def test_other_kernels_are_not_packed(rng):
    with pytest.raises(ValueError, match="neither binary nor ternary"):
        pack(rng.normal(size=(4, 4)).astype(np.float32))


def test_the_first_and_the_last_layer_stay_unless_told(tk):
    model = copy(models.wide(tk))
    names = [layer.name for layer in model.layers if hasattr(layer, "kernel")]

    assert list(projections(model, "binary", "twn", (), ends=False)) == names[1:-1]
    assert list(projections(model, "binary", "twn", (names[2],), ends=True)) == [*names[:2], *names[3:]]


def test_a_model_of_two_layers_has_none_to_project(tk):
    inputs = tk.Input((4,))
    model = tk.Model(inputs, tk.layers.Dense(2)(tk.layers.Dense(3)(inputs)))

    with pytest.raises(ModelError, match="has 2 Dense and Conv layers, and none is left to make binary") as caught:
        projections(model, "binary", "twn", (), ends=False)

    assert "`ends = true`" in caught.value.hint


@pytest.mark.parametrize(("levels", "values"), [("binary", 2), ("ternary", 3)])
def test_training_keeps_free_weights_and_ends_in_few_values(levels, values, tk, rng):
    tk.utils.set_random_seed(5)
    model = copy(models.wide(tk))
    chosen = projections(model, levels, "twn", (), ends=False)
    x, y = rng.normal(size=(64, 8, 8, 3)).astype(np.float32), rng.integers(0, 4, 64)
    training = trainer(model, chosen)
    training.compile(tk.optimizers.Adam(0.01), tk.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = training.evaluate(x, y, verbose=0)

    training.fit(x, y, epochs=8, batch_size=16, verbose=0)

    free = model.get_layer(next(iter(chosen))).kernel.numpy()
    assert len(np.unique(free)) > 1000
    assert training.evaluate(x, y, verbose=0) < 0.75 * before
    settle(model, chosen)
    model.compile(loss=training.loss)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(training.evaluate(x, y, verbose=0), rel=1e-4)
    kernel = model.get_layer(next(iter(chosen))).kernel.numpy()
    assert all(len(np.unique(kernel[..., i])) <= values for i in range(kernel.shape[-1]))


def test_the_packed_size_counts_what_is_packed_and_what_is_not(tk, rng):
    model = copy(randomise(models.wide(tk), rng))
    chosen = projections(model, "binary", "twn", (), ends=False)
    settle(model, chosen)

    found = packed_size(model, set(chosen))

    kernels = [model.get_layer(name).kernel for name in chosen]
    bits = sum(int(np.prod(kernel.shape)) for kernel in kernels)
    assert found.kernels == 3
    assert found.packed_bytes == pytest.approx(bits / 8 + 4 * (48 + 64 + 1), abs=3)
    assert found.float_bytes == 4 * model.count_params()
    assert found.rest_bytes == found.float_bytes - 4 * bits
