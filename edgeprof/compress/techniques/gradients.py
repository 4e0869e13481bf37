"""Gradients of a model's loss for one sample after another, with labels or without.

Without labels each target is drawn from what the model itself predicts: a class from its probabilities, or its output
plus noise of unit variance. The squared gradients then average to the true Fisher information, which needs no data
but inputs.

Source: F. Kunstner, L. Balles and P. Hennig (2019), "Limitations of the empirical Fisher approximation", NeurIPS.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array
from edgeprof.compress.techniques.ends import ends_of, outputs_of
from edgeprof.compress.techniques.graph import Model, weight_name

SAMPLES = 128
# A trainable weight: its layer's name and its own.
Key = tuple[str, str]
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Probes:
    """Samples by which a model's weights are judged.

    Attributes:
        x: `(n, …)` for each input.
        y: `(n, …)` for each output.
        losses: From targets and outputs with batch 1 to a loss, for each output.
    """

    x: tuple[Array, ...]
    y: tuple[Array, ...]
    losses: tuple[Loss, ...]


def own_targets(model: Model, x: Sequence[Array], seed: int) -> Probes:
    """Return probes of samples without labels, with targets drawn from the model's own predictions."""
    rng = np.random.default_rng(seed)
    outputs = outputs_of(model, x, batch_size=32)
    pairs = [_drawn(output, end, rng) for output, end in zip(outputs, ends_of(model), strict=True)]
    return Probes(tuple(x), tuple(y for y, _ in pairs), tuple(loss for _, loss in pairs))


def per_sample(model: Model, probes: Probes) -> Iterator[dict[Key, NDArray[np.float32]]]:
    """Yield, for each sample, the gradient of the loss in inference mode with respect to each trainable weight."""
    import tensorflow as tf

    weights = trainable(model)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator] # TensorFlow has no types
    def gradient(x: list[Any], y: list[Any]) -> list[Any]:
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(model(x if len(x) > 1 else x[0], training=False))
            losses = [loss(part, output) for loss, part, output in zip(probes.losses, y, outputs, strict=True)]
            total = tf.add_n([tf.reduce_sum(loss) for loss in losses])
        found = tape.gradient(total, list(weights.values()), unconnected_gradients="zero")
        return [tf.convert_to_tensor(part) for part in found]

    for i in range(len(probes.x[0])):
        row = slice(i, i + 1)
        found = gradient([tf.constant(a[row]) for a in probes.x], [tf.constant(a[row]) for a in probes.y])
        yield {key: part.numpy() for key, part in zip(weights, found, strict=True)}


def trainable(model: Model) -> dict[Key, Any]:
    """Return the trainable weights of a flat model's layers."""
    return {(layer.name, weight_name(weight)): weight for layer in model.layers for weight in layer.trainable_weights}


def _drawn(output: Array, end: str, rng: np.random.Generator) -> tuple[Array, Loss]:
    import tf_keras

    if end == "softmax":
        total = np.cumsum(output.astype(np.float64), axis=-1)
        drawn = (rng.random((*output.shape[:-1], 1)) * total[..., -1:] > total).sum(axis=-1)
        return drawn.astype(np.int64), tf_keras.losses.sparse_categorical_crossentropy
    if end == "sigmoid":
        return (rng.random(output.shape) < output).astype(np.float32), _binary_cross_entropy
    return output + rng.standard_normal(output.shape).astype(np.float32), _half_squares


def _half_squares(y: Any, output: Any) -> Any:  # noqa: ANN401
    """Return minus the log-likelihood of a normal distribution of unit variance, without its constant."""
    import tensorflow as tf

    return tf.reduce_sum(tf.square(y - output)) / 2


def _binary_cross_entropy(y: Any, output: Any) -> Any:  # noqa: ANN401
    import tensorflow as tf
    import tf_keras

    return tf.reduce_sum(tf_keras.backend.binary_crossentropy(y, output))
