"""Training data in a model's shape, and fine-tuning on them. Child only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.steps import Taught, Trained
from edgeprof.compress.techniques.distillation import end_of, taught_loss, with_labels
from edgeprof.compress.teller import Teller
from edgeprof.compress.training_files import Labelled, Samples, TrainingFile
from edgeprof.errors import ModelError

_SOFT = ("softmax", "sigmoid")
# Fewer gradient steps than this are few, whatever the model: a rule of thumb.
_ENOUGH_STEPS = 1_000


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


@dataclass(frozen=True, slots=True)
class Tuned:
    """How fine-tuning went.

    Attributes:
        epochs: Passes over the training split.
        best_epoch: The one whose weights were kept, from 1; 0 for those before.
        loss_before: Validation loss before, and `loss` after.
        loss: Validation loss of the weights that were kept.
    """

    epochs: int
    best_epoch: int
    loss_before: float
    loss: float


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
        own = [_own_outputs(model, x) for x in (train, validation)]
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


def set_seeds(seed: int) -> None:
    """Make what follows repeatable: Python's, numpy's and TensorFlow's generators."""
    import tf_keras

    tf_keras.utils.set_random_seed(seed)


def fine_tune(
    model: Any,  # noqa: ANN401
    training: TrainingData,
    step: Trained,
    teller: Teller,
    *,
    callbacks: Sequence[Any] = (),
    choose_from: int = 0,
) -> Tuned:
    """Train `model` in place with Adam; keep the weights of the best epoch by validation loss.

    The learning rate falls to nothing along half a cosine: at a constant one a trained model gets worse before it gets
    better. It stops early after `step.patience` epochs without a better one. A trainer of its own is compiled, so the
    model may come uncompiled. With a teacher the loss, of validation too, is that of `techniques.distillation`.

    Args:
        model: A tf_keras model; its weights change.
        training: What to learn from.
        step: Epochs, learning rate, batch size, patience.
        teller: Told each epoch.
        callbacks: tf_keras callbacks that the step needs, such as TFMOT's.
        choose_from: Weights after fewer epochs are never kept, as while pruning is not yet complete; 0 counts those
            before training too.

    Raises:
        ModelError: The loss is no finite number.
    """
    import tf_keras

    if isinstance(step, Taught) and step.teacher == "float":
        teller.progress(f"{step.kind}: asking the teacher", 0.0)
        training = _taught(training, step)
    set_seeds(training.seed)
    batches = math.ceil(len(training.train.x[0]) / step.batch_size)
    rate = tf_keras.optimizers.schedules.CosineDecay(step.learning_rate, max(1, batches * step.epochs))
    model.compile(optimizer=tf_keras.optimizers.Adam(rate), loss=training.loss, metrics=list(training.metrics))
    before = _loss(model, training.validation, step.batch_size)
    if step.epochs == 0:
        return Tuned(0, 0, before, before)
    best = _best(step, teller, choose_from, before, told=_names(training.metrics))
    model.fit(
        *_pair(training.train),
        validation_data=_pair(training.validation),
        epochs=step.epochs,
        batch_size=step.batch_size,
        verbose=0,
        callbacks=[*callbacks, best],
    )
    if not np.isfinite(best.loss):
        raise ModelError(
            f"training step `{step.kind}` gave a loss that is no finite number",
            "lower `learning_rate`, and check that samples are scaled as the model wants",
        )
    model.set_weights(best.weights)
    if best.epoch == step.epochs and batches * step.epochs < _ENOUGH_STEPS:
        teller.note("few_steps", _few(step, len(training.train.x[0]), batches * step.epochs))
    return Tuned(best.epochs, best.epoch, before, best.loss)


def _few(step: Trained, samples: int, steps: int) -> str:
    return (
        f"{step.kind}: the last of {step.epochs} epochs was the best, after {steps:,} gradient steps on {samples:,} "
        "samples; more `epochs` in a recipe of your own may bring back more"
    )


def evaluate_loss(model: Any, training: TrainingData, batch_size: int = 256) -> float:  # noqa: ANN401
    """Return the loss on the validation split, of a model that need not be compiled."""
    model.compile(loss=training.loss)
    return _loss(model, training.validation, batch_size)


def _taught(training: TrainingData, step: Taught) -> TrainingData:
    """Return the data with the teacher's outputs as targets, and the labels where there are any."""
    import tf_keras

    model, splits = training.teacher, []
    labels = training.train.y if training.labelled else None
    for split in (training.train, training.validation):
        own = _own_outputs(model, split.x)
        behind = split.y if labels is not None and split.y is not None else [None] * len(own)
        splits.append(Labelled(split.x, tuple(map(with_labels, own, behind))))
    losses = training.loss if isinstance(training.loss, list | tuple) else [training.loss] * len(model.outputs)
    made = [
        taught_loss(
            end_of(layer),
            step.temperature,
            step.soft,
            tf_keras.losses.get(hard) if labels is not None else None,
            labels[i] if labels is not None else None,
        )
        for i, (layer, hard) in enumerate(zip(_last_layers(model), losses, strict=True))
    ]
    return replace(training, train=splits[0], validation=splits[1], loss=made, metrics=())


def _names(metrics: Sequence[Any]) -> tuple[str, ...]:
    """Return what Keras calls metrics in its logs: names, functions or objects; not lists of them, one an output."""
    named = (one if isinstance(one, str) else getattr(one, "name", getattr(one, "__name__", None)) for one in metrics)
    return tuple(name for name in named if name)


def _best(step: Trained, teller: Teller, choose_from: int, before: float, *, told: Sequence[str]) -> Any:  # noqa: ANN401
    import tf_keras

    class Best(tf_keras.callbacks.Callback):  # type: ignore[misc] # tf_keras has no types
        """Keeps the best weights, tells progress, and stops when nothing gets better."""

        def __init__(self) -> None:
            super().__init__()
            self.loss, self.epoch, self.epochs, self.weights = float("inf"), 0, 0, None
            if choose_from == 0 and np.isfinite(before):
                self.loss = before

        def on_train_begin(self, logs: object = None) -> None:  # noqa: ARG002
            self.weights = self.model.get_weights()

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.epochs = epoch + 1
            measured = "".join(f", {name} {logs[f'val_{name}']:.4g}" for name in told if f"val_{name}" in logs)
            text = f"{step.kind}: epoch {epoch + 1} of {step.epochs}, validation loss {logs['val_loss']:.4g}{measured}"
            teller.progress(text, (epoch + 1) / step.epochs)
            if epoch + 1 < choose_from:
                return
            if logs["val_loss"] < self.loss:
                self.loss, self.epoch, self.weights = logs["val_loss"], epoch + 1, self.model.get_weights()
            elif epoch + 1 - max(self.epoch, choose_from) >= step.patience:
                self.model.stop_training = True

    return Best()


def _loss(model: Any, split: Labelled, batch_size: int) -> float:  # noqa: ANN401
    x, y = _pair(split)
    found = model.evaluate(x, y, batch_size=batch_size, verbose=0)
    return float(found[0] if isinstance(found, list | tuple) else found)


def _pair(split: Labelled) -> tuple[Any, Any]:
    y = split.y or ()
    return split.x if len(split.x) > 1 else split.x[0], y if len(y) > 1 else y[0]


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


def _own_outputs(model: Any, x: Samples) -> tuple[Array, ...]:  # noqa: ANN401
    found = model.predict(x if len(x) > 1 else x[0], batch_size=256, verbose=0)
    return tuple(found) if isinstance(found, list | tuple) else (found,)


def ends_in(layer: Any) -> str:  # noqa: ANN401
    """Return the name of the function that an output layer ends in: `softmax`, `sigmoid`, `linear`."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _last_layers(model: Any) -> list[Any]:  # noqa: ANN401
    return [model.get_layer(name) for name in model.output_names]


def _loss_of(model: Any, y: Samples) -> list[Any]:  # noqa: ANN401
    import tf_keras

    losses: list[Any] = []
    for layer, output, part in zip(_last_layers(model), model.outputs, y, strict=True):
        soft = ends_in(layer) in _SOFT
        if part.dtype.kind in "iub" and part.ndim <= 2 and part.size == len(part) and int(output.shape[-1]) > 1:
            losses.append(tf_keras.losses.SparseCategoricalCrossentropy(from_logits=not soft))
        elif part.dtype.kind in "iub" and part.size == len(part):
            losses.append(tf_keras.losses.BinaryCrossentropy(from_logits=not soft))
        elif part.ndim == 2 and part.shape[1] > 1 and np.isin(part, (0, 1)).all() and (part.sum(axis=1) == 1).all():
            losses.append(tf_keras.losses.CategoricalCrossentropy(from_logits=not soft))
        else:
            losses.append(tf_keras.losses.MeanSquaredError())
    return losses


def _loss_of_own(model: Any) -> list[Any]:  # noqa: ANN401
    import tf_keras

    ends = [ends_in(layer) for layer in _last_layers(model)]
    return [tf_keras.losses.KLDivergence() if end == "softmax" else tf_keras.losses.MeanSquaredError() for end in ends]
