"""Training weights that may only take certain values: the step forwards sees those, the step backwards passes through.

Between the steps each weight keeps a free value of its own; forwards it is replaced by its projection (a sign times a
scale, three values, zero where a mask says so), and the gradient there is applied to the free value: the
straight-through estimator.

Sources: Y. Bengio, N. Léonard and A. Courville (2013), "Estimating or Propagating Gradients Through Stochastic
Neurons", arXiv:1308.3432; M. Courbariaux, Y. Bengio and J.-P. David (2015), "BinaryConnect", NIPS.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edgeprof.compress.techniques.graph import Model

# From a weight's free values to what it stands for; tensors in TensorFlow, of the same shape.
Projection = Callable[[Any], Any]


def trainer(model: Model, projections: Mapping[str, Projection]) -> Model:
    """Return a model that shares `model`'s weights and trains and evaluates them through `projections`.

    Args:
        model: A functional `tf_keras` model; compile and fit what is returned instead of it.
        projections: By the name of a layer: what becomes of its `kernel`.
    """
    import tensorflow as tf
    import tf_keras

    pairs = [(model.get_layer(name).kernel, project) for name, project in projections.items()]

    class Projected(tf_keras.Model):  # type: ignore[misc] # tf_keras has no types
        """Steps in which the kernels are what their projections make of them."""

        def train_step(self, data: Any) -> dict[str, Any]:  # noqa: ANN401
            x, y, weight = tf_keras.utils.unpack_x_y_sample_weight(data)
            free = _enter(pairs)
            with tf.GradientTape() as tape:
                output = self(x, training=True)
                loss = self.compute_loss(x, y, output, weight)
            gradients = tape.gradient(loss, self.trainable_variables)
            _leave(pairs, free)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return dict(self.compute_metrics(x, y, output, weight))

        def test_step(self, data: Any) -> dict[str, Any]:  # noqa: ANN401
            free = _enter(pairs)
            results = super().test_step(data)
            _leave(pairs, free)
            return dict(results)

    return Projected(model.inputs, model.outputs)


def settle(model: Model, projections: Mapping[str, Projection]) -> None:
    """Give the kernels for good the values that they stand for."""
    for name, project in projections.items():
        kernel = model.get_layer(name).kernel
        kernel.assign(project(kernel))


def _enter(pairs: list[tuple[Any, Projection]]) -> list[Any]:
    import tensorflow as tf

    free = [tf.identity(kernel) for kernel, _ in pairs]
    for (kernel, project), value in zip(pairs, free, strict=True):
        kernel.assign(project(value))
    return free


def _leave(pairs: list[tuple[Any, Projection]], free: list[Any]) -> None:
    for (kernel, _), value in zip(pairs, free, strict=True):
        kernel.assign(value)
