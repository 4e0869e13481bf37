"""Training data in a model's shape, with targets and a loss that fit its outputs. Child only."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.steps import Taught
from edgeprof.compress.techniques.distillation import taught_loss, with_labels
from edgeprof.compress.techniques.ends import ends_of, outputs_of
from edgeprof.compress.techniques.gradients import Probes, own_targets
from edgeprof.compress.training_files import Labelled, Samples, TrainingFile
from edgeprof.errors import ModelError


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Samples to learn from, samples to choose by, and what to minimise. Evaluation sets never come here.

    Attributes:
        train: Samples that gradients see.
        validation: Samples that early stopping, sensitivity and every other choice sees; none of them is in `train`.
        loss: A tf_keras loss, or one for each output.
        metrics: tf_keras metrics, reported only.
        seed: Of shuffling, dropout and initial values.
        labelled: The targets are the user's labels; else they are the float model's own outputs.
        teacher: The model as it came, before any step.
    """

    train: Labelled
    validation: Labelled
    loss: Any
    metrics: tuple[Any, ...]
    seed: int
    labelled: bool
    teacher: Any = None


def prepare(file: TrainingFile, model: Any, seed: int) -> TrainingData:  # noqa: ANN401 - TensorFlow has no types
    """Return a file's data in the model's shape, with a loss that fits its outputs.

    Without labels the targets are the model's own outputs: fine-tuning then holds the compressed model to the float
    one, as distillation does.

    Raises:
        ModelError: They do not fit the model; says what was expected and what was got.
    """
    train = _fit_inputs(file.train.x, model)
    validation = _fit_inputs(file.validation.x, model)
    if file.train.y is None or file.validation.y is None:
        own = [outputs_of(model, x) for x in (train, validation)]
        loss = file.loss or _loss_of_own(model)
        train_data, validation_data = Labelled(train, own[0]), Labelled(validation, own[1])
        return TrainingData(train_data, validation_data, loss, (), seed, labelled=False, teacher=model)
    y, y_validation = file.train.y, file.validation.y
    for part, samples in ((y, train), (y_validation, validation)):
        _check_labels(part, samples, model)
    loss = file.loss or _loss_of(model, y)
    return TrainingData(
        Labelled(train, y), Labelled(validation, y_validation), loss, file.metrics, seed, labelled=True, teacher=model
    )


def taught(training: TrainingData, step: Taught) -> TrainingData:
    """Return the data with a teacher's outputs as targets, with the labels where there are any, and a loss for that."""
    import tf_keras

    model, splits = training.teacher, []
    labels = training.train.y if training.labelled else None
    for split in (training.train, training.validation):
        own = outputs_of(model, split.x)
        behind = split.y if labels is not None and split.y is not None else [None] * len(own)
        splits.append(Labelled(split.x, tuple(map(with_labels, own, behind))))
    losses = training.loss if isinstance(training.loss, list | tuple) else [training.loss] * len(model.outputs)
    made = [
        taught_loss(
            end,
            step.temperature,
            step.soft,
            tf_keras.losses.get(hard) if labels is not None else None,
            labels[i] if labels is not None else None,
        )
        for i, (end, hard) in enumerate(zip(ends_of(model), losses, strict=True))
    ]
    return replace(training, train=splits[0], validation=splits[1], loss=made, metrics=())


def probes(model: Any, training: TrainingData, count: int) -> Probes:  # noqa: ANN401
    """Return at most `count` training samples, evenly spaced, with their labels or with what the model draws."""
    import tf_keras

    x = training.train.x
    picked = slice(None, None, max(1, len(x[0]) // count))
    some = tuple(array[picked][:count] for array in x)
    if not training.labelled or training.train.y is None:
        return own_targets(model, some, training.seed)
    losses = training.loss if isinstance(training.loss, list | tuple) else [training.loss] * len(model.outputs)
    y = tuple(array[picked][:count] for array in training.train.y)
    return Probes(some, y, tuple(tf_keras.losses.get(loss) for loss in losses))


def _fit_inputs(samples: Samples, model: Any) -> tuple[Array, ...]:  # noqa: ANN401
    if len(samples) != len(model.inputs):
        raise ModelError(
            f"the training data have {len(samples)} inputs, the model {len(model.inputs)}",
            "save an array for each input, named as the inputs are",
        )
    return tuple(_fit(array, tensor) for array, tensor in zip(samples, model.inputs, strict=True))


def _fit(array: Array, tensor: Any) -> Array:  # noqa: ANN401
    wanted, got = tuple(tensor.shape[1:]), array.shape[1:]
    if [d for d in wanted if d != 1] != [d for d in got if d != 1] and got != (int(np.prod(wanted)),):
        raise ModelError(
            f"the training data do not fit the model: expected samples of shape {wanted}, got {got}",
            "the first dimension counts samples; the others must be the model's",
        )
    return array.reshape(len(array), *wanted).astype(tensor.dtype.as_numpy_dtype)


def _check_labels(y: Samples, x: Samples, model: Any) -> None:  # noqa: ANN401
    if len(y) != len(model.outputs):
        raise ModelError(
            f"the training data have labels for {len(y)} outputs, the model has {len(model.outputs)}",
            "return a list of labels, one for each output, from `dataset()`",
        )
    for part, output in zip(y, model.outputs, strict=True):
        if len(part) != len(x[0]):
            raise ModelError(f"the training data have {len(x[0])} samples but {len(part)} labels", "one label a sample")
        classes = int(output.shape[-1])
        if part.ndim == 1 and part.dtype.kind in "iu" and classes > 1 and int(part.max()) >= classes:
            raise ModelError(
                f"the training data have a label {int(part.max())}, but the model gives {classes} outputs",
                "labels count from 0; is it the right data set?",
            )


def _loss_of(model: Any, y: Samples) -> list[Any]:  # noqa: ANN401
    import tf_keras

    losses: list[Any] = []
    for end, output, part in zip(ends_of(model), model.outputs, y, strict=True):
        logits = end == "linear"
        if part.dtype.kind in "iub" and part.ndim <= 2 and part.size == len(part) and int(output.shape[-1]) > 1:
            losses.append(tf_keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
        elif part.dtype.kind in "iub" and part.size == len(part):
            losses.append(tf_keras.losses.BinaryCrossentropy(from_logits=logits))
        elif part.ndim == 2 and part.shape[1] > 1 and np.isin(part, (0, 1)).all() and (part.sum(axis=1) == 1).all():
            losses.append(tf_keras.losses.CategoricalCrossentropy(from_logits=logits))
        else:
            losses.append(tf_keras.losses.MeanSquaredError())
    return losses


def _loss_of_own(model: Any) -> list[Any]:  # noqa: ANN401
    import tf_keras

    losses = tf_keras.losses
    return [losses.KLDivergence() if end == "softmax" else losses.MeanSquaredError() for end in ends_of(model)]
