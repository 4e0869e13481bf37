"""The model that a recipe began with teaches what is left of it; `test_recipes_effect` has the steps by TFMOT."""

import numpy as np
import pytest

from edgeprof.compress.stages import apply_step
from edgeprof.compress.steps import Channels, Discrete, LowRank
from edgeprof.compress.techniques.distillation import soft_loss, taught_loss, with_labels
from edgeprof.compress.teller import Teller
from edgeprof.compress.training_data import prepare
from edgeprof.compress.training_files import Labelled, TrainingFile
from edgeprof.errors import ModelError
from tests.compress.conftest import silent
from tests.compress.techniques.conftest import run

pytestmark = pytest.mark.tensorflow


def known_and_noisy(tk, seed, samples=200):
    """Return a model of ten inputs that is always right, few samples with noisy labels, and a test set."""
    tk.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    inputs = tk.Input((10,))
    x = tk.layers.Dense(24, activation="tanh")(tk.layers.Dense(24, activation="tanh")(inputs))
    model = tk.Model(inputs, tk.layers.Dense(5, activation="softmax")(x))
    model.set_weights([rng.normal(size=w.shape) / (1 if w.ndim == 1 else 2) for w in model.get_weights()])
    x = rng.normal(size=(2 * samples + 1000, 10)).astype(np.float32)
    y = run(model, x).argmax(axis=1)
    noisy = np.where(rng.random(len(y)) < 0.4, rng.integers(0, 5, len(y)), y)
    parts = [Labelled((x[part],), (noisy[part],)) for part in (slice(samples), slice(samples, 2 * samples))]
    return model, TrainingFile(*parts), (x[2 * samples :], y[2 * samples :])


def test_channels_come_back_closer_with_the_float_model_as_teacher_on_average(tk):
    gains = []
    for seed in range(3):
        model, file, (x, y) = known_and_noisy(tk, seed)
        data, found = prepare(file, model, seed), {}
        for teacher in ("none", "float"):
            step = Channels(share=0.6, epochs=10, patience=10, learning_rate=0.02, batch_size=32, teacher=teacher)
            made = apply_step(model, step, data, Teller(silent))
            found[teacher] = float((run(made, x).argmax(axis=1) == y).mean())
        gains.append(found["float"] - found["none"])

    assert np.mean(gains) > 0.03
    assert min(gains) > -0.02


@pytest.mark.parametrize(("kind", "labels"), [(LowRank, False), (Discrete, True)])
def test_other_steps_take_a_teacher_with_labels_or_without(kind, labels, tk):
    model, file, _ = known_and_noisy(tk, 1, samples=64)
    if not labels:
        file = TrainingFile(Labelled(file.train.x, None), Labelled(file.validation.x, None))
    said = []
    teller = Teller(lambda text, _: said.append(text))

    apply_step(model, kind(epochs=1, batch_size=32, teacher="float"), prepare(file, model, 0), teller)

    assert any(text.endswith(": asking the teacher") for text in said)
    assert any("epoch 1 of 1, validation loss" in text for text in said)


@pytest.mark.parametrize("end", ["softmax", "sigmoid", "linear"])
def test_the_loss_of_outputs_is_that_of_their_logits(end, tk, rng):
    import tensorflow as tf

    theirs, ours = (tf.constant(rng.normal(size=(6, 4)) * 3, tf.float32) for _ in range(2))
    outputs = tk.activations.get(end)
    loss = taught_loss(end, 2.0, 0.9, None, None)

    found = loss(with_labels(outputs(theirs).numpy(), None), outputs(ours))

    np.testing.assert_allclose(found, soft_loss(end, 2.0, 1.0)(theirs, ours), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("one_hot", [False, True])
def test_labels_have_their_share_of_the_loss(one_hot, tk, rng):
    y = rng.integers(0, 4, 6)
    hard = tk.losses.CategoricalCrossentropy() if one_hot else tk.losses.SparseCategoricalCrossentropy()
    labels = np.eye(4, dtype=np.float32)[y] if one_hot else y
    outputs = tk.activations.softmax(tk.backend.constant(rng.normal(size=(6, 4))))

    found = taught_loss("softmax", 4.0, 0.75, hard, labels)(with_labels(outputs.numpy(), labels), outputs)

    np.testing.assert_allclose(found, 0.25 * hard(labels, outputs), rtol=1e-5)  # the teacher says the same


def test_labels_that_do_not_lie_beside_the_outputs_are_refused(rng):
    with pytest.raises(ModelError, match=r"labels of shape \(3, 2\) do not lie beside the teacher's outputs of \(4,\)"):
        with_labels(rng.normal(size=(6, 4)), rng.integers(0, 2, (6, 3, 2)))
