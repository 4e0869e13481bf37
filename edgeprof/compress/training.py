"""Fine-tuning, as every step does it. Child only."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeprof.compress.steps import Taught, Trained
from edgeprof.compress.teller import Teller
from edgeprof.compress.training_data import TrainingData, taught
from edgeprof.compress.training_files import Labelled
from edgeprof.errors import ModelError

# Fewer gradient steps than this are few, whatever the model: a rule of thumb.
_ENOUGH_STEPS = 1_000


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
) -> None:
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
        training = taught(training, step)
    set_seeds(training.seed)
    batches = math.ceil(len(training.train.x[0]) / step.batch_size)
    rate = tf_keras.optimizers.schedules.CosineDecay(step.learning_rate, max(1, batches * step.epochs))
    model.compile(optimizer=tf_keras.optimizers.Adam(rate), loss=training.loss, metrics=list(training.metrics))
    if step.epochs == 0:
        return
    before = _loss(model, training.validation, step.batch_size)
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


def _few(step: Trained, samples: int, steps: int) -> str:
    return (
        f"{step.kind}: the last of {step.epochs} epochs was the best, after {steps:,} gradient steps on {samples:,} "
        "samples; more `epochs` in a recipe of your own may bring back more"
    )


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
            self.loss, self.epoch, self.weights = float("inf"), 0, None
            if choose_from == 0 and np.isfinite(before):
                self.loss = before

        def on_train_begin(self, logs: object = None) -> None:  # noqa: ARG002
            self.weights = self.model.get_weights()

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
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
