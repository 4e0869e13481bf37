"""Distillation: a smaller model learns what a larger one says, not only what the labels say.

The loss of a student with logits s, its teacher's logits t, the temperature T and labels y is

    soft · T² · KL(softmax(t / T) ‖ softmax(s / T)) + (1 − soft) · loss(y, softmax(s)) + hint · mean((P(fₛ) − fₜ)²)

where f are the outputs of two layers and P is a linear map on channels that is learned and thrown away. For a sigmoid
KL is that of each output by itself; for other ends it is the mean squared error, without temperature.

Sources: G. Hinton, O. Vinyals and J. Dean (2015), "Distilling the Knowledge in a Neural Network", arXiv:1503.02531;
hints: A. Romero et al. (2015), "FitNets: Hints for Thin Deep Nets", ICLR.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.techniques.coupling import couple, cut
from edgeprof.compress.techniques.ends import end_of
from edgeprof.compress.techniques.graph import Layer, Model, Part, copy, copy_layer, rebuild
from edgeprof.compress.techniques.importance import channel_scores
from edgeprof.errors import ModelError

Loss = Callable[[Any, Any], Any]
# Far from where float32 has no numbers left, for gradients divide by them.
_LEAST_SHARE, _FROM_ENDS = 1e-30, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Two layers whose outputs are to be alike.

    Attributes:
        teacher: Name of the teacher's layer.
        student: Name of the student's.
        weight: Of the mean squared difference in the loss.
    """

    teacher: str
    student: str
    weight: float


def narrowed(teacher: Model, width: float, *, multiple: int, fresh: bool) -> Model:
    """Return a student like the teacher with `width` times the channels.

    Args:
        teacher: A functional model.
        width: Share of the channels of each layer that may lose some.
        multiple: The channels left of each layer are a multiple of this, or all.
        fresh: It begins with random weights; else with those of the teacher's channels of the largest norm.

    Raises:
        ModelError: No layer of the teacher can be narrower.
    """
    coupling = couple(copy(teacher))
    if not coupling.families:
        reasons = "; ".join(f"`{name}`: {reason}" for name, reason in list(coupling.fixed.items())[:5])
        raise ModelError(f"no layer of `{teacher.name}` can be narrower: {reasons}", "give a `student` of your own")
    scores, kept = channel_scores(coupling, "l2"), coupling.all_kept()
    for family in coupling.families:
        size = len(family.classes)
        left = min(size, max(multiple, round(width * size / multiple) * multiple))
        kept[family.classes[np.argsort(scores[family.classes], kind="stable")[: size - left]]] = False
    return cut(coupling, kept, fresh=fresh)


def logits(model: Model) -> Model:
    """Return a copy of a model that ends in logits: each softmax or sigmoid at an output is left out."""
    ends = set(model.output_names)

    def change(layer: Layer) -> list[Part] | None:
        if layer.name not in ends or end_of(layer) == "linear":
            return None
        if type(layer).__name__ == "Softmax":
            return [Part(_linear(layer.name), None)]
        return [Part(copy_layer(layer, activation="linear"), layer.get_weights())]

    return rebuild(model, change)


def soft_loss(end: str, temperature: float, weight: float) -> Loss:
    """Return the loss between a teacher's logits and a student's, for an output with this end."""
    import tensorflow as tf

    def loss(teacher: Any, student: Any) -> Any:  # noqa: ANN401
        if end == "softmax":
            p = tf.nn.softmax(teacher / temperature)
            difference = tf.nn.log_softmax(teacher / temperature) - tf.nn.log_softmax(student / temperature)
            return weight * temperature**2 * tf.reduce_sum(p * difference, axis=-1)
        if end == "sigmoid":
            p = tf.nn.sigmoid(teacher / temperature)
            cross = tf.nn.sigmoid_cross_entropy_with_logits(p, student / temperature)
            own = tf.nn.sigmoid_cross_entropy_with_logits(p, teacher / temperature)
            return weight * temperature**2 * tf.reduce_mean(cross - own, axis=-1)
        return weight * tf.reduce_mean(tf.square(teacher - student), axis=-1)

    return loss


def weighted(loss: Any, weight: float) -> Loss:  # noqa: ANN401 - a name, a function or an object
    """Return a loss times a weight."""
    import tf_keras

    found = tf_keras.losses.get(loss)
    return lambda y, output: weight * found(y, output)


def with_labels(outputs: Array, labels: Array | None) -> Array:
    """Return a teacher's outputs and, behind them along the last axis, the labels: what `taught_loss` reads.

    Args:
        outputs: `(n, ..., values)`.
        labels: As long; `(n, ...)` or `(n, ..., any)`, or `None`.

    Raises:
        ModelError: The labels have another shape.
    """
    if labels is None:
        return outputs
    behind = labels[..., None] if labels.ndim == outputs.ndim - 1 else labels
    if behind.shape[:-1] != outputs.shape[:-1]:
        raise ModelError(
            f"labels of shape {labels.shape[1:]} do not lie beside the teacher's outputs of {outputs.shape[1:]}",
            'leave `teacher = "float"` out of the step, or the labels out of the training data',
        )
    return np.concatenate([outputs, behind.astype(outputs.dtype)], axis=-1)


def taught_loss(end: str, temperature: float, soft: float, hard: Loss | None, labels: Array | None) -> Loss:
    """Return the loss between what `with_labels` made and a student's own outputs.

    Args:
        end: What the outputs end in, as `end_of` says.
        temperature: By which logits are divided.
        soft: Share of the teacher's word.
        hard: The loss on labels, unless there are none.
        labels: As given to `with_labels`: their type and their rank count.
    """
    import tensorflow as tf

    by_teacher = soft_loss(end, temperature, soft if hard else 1.0)

    def loss(targets: Any, outputs: Any) -> Any:  # noqa: ANN401
        count = outputs.shape[-1]
        found = by_teacher(_logits(end, targets[..., :count]), _logits(end, outputs))
        if hard is None or labels is None:
            return found
        behind = targets[..., count:]
        own = behind[..., 0] if labels.ndim == len(outputs.shape) - 1 else behind
        return found + (1 - soft) * hard(tf.cast(own, labels.dtype), outputs)

    return loss


def _logits(end: str, outputs: Any) -> Any:  # noqa: ANN401
    """Return logits that give these outputs; those of a softmax up to a constant, which no loss here sees."""
    import tensorflow as tf

    if end == "softmax":
        return tf.math.log(tf.maximum(outputs, _LEAST_SHARE))
    if end == "sigmoid":
        inside = tf.clip_by_value(outputs, _FROM_ENDS, 1 - _FROM_ENDS)
        return tf.math.log(inside) - tf.math.log1p(-inside)
    return outputs


def with_ends(student: Model, ends: Sequence[str], teacher: Model, hints: Sequence[Hint]) -> Model:
    """Return a model to train: its outputs are the student's logits, then the student's own outputs.

    Args:
        student: Ends in logits; its weights are trained.
        ends: What each of its outputs really ends in, or nothing to have the logits alone.
        teacher: Ends in logits; it stays as it is.
        hints: Pairs of layers whose difference is added to the loss.

    Raises:
        ModelError: A layer of a hint does not exist, or the two maps have different sizes.
    """
    import tensorflow as tf
    import tf_keras

    outputs = [tf_keras.layers.Activation(end)(out) for end, out in zip(ends, student.outputs, strict=False)]
    made = tf_keras.Model(student.inputs, [*student.outputs, *outputs])
    for hint in hints:
        theirs, ours = _output(teacher, hint.teacher, "teacher"), _output(student, hint.student, "student")
        if theirs.shape[1:-1] != ours.shape[1:-1]:
            raise ModelError(
                f"the hint `{hint.teacher}` has a map of {tuple(theirs.shape[1:])}, `{hint.student}` one of "
                f"{tuple(ours.shape[1:])}: height and width must be the same",
                "choose layers at the same depth",
            )
        eyes = tf_keras.Model(teacher.inputs, theirs)
        eyes.trainable = False
        seen = eyes(student.inputs if len(student.inputs) > 1 else student.inputs[0], training=False)
        projected = tf_keras.layers.Dense(int(theirs.shape[-1]), use_bias=False)(ours)
        made.add_loss(hint.weight * tf.reduce_mean(tf.square(projected - seen)))
    return made


def _output(model: Model, name: str, whose: str) -> Any:  # noqa: ANN401
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise ModelError(f"the {whose} has no layer `{name}` for the hint", f"its layers: {', '.join(names[-30:])}")
    return model.get_layer(name).output


def _linear(name: str) -> Layer:
    import tf_keras

    return tf_keras.layers.Activation("linear", name=name)
