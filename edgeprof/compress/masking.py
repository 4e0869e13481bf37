"""Weights that become zero by their importance, more and more of them while the rest is fine-tuned. Child only."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edgeprof.compress.steps import Prune
from edgeprof.compress.techniques.graph import Model, copy
from edgeprof.compress.techniques.importance import NEED_DATA, Scores, weight_scores
from edgeprof.compress.techniques.masks import Mask, two_of_four, unstructured
from edgeprof.compress.techniques.projected import Projection, settle, trainer
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData, probes
from edgeprof.errors import ModelError

# How often the importance is computed anew: as often as TFMOT looks at magnitudes.
_UPDATES = 10


def masked(
    model: Any,  # noqa: ANN401 - TensorFlow has no types
    step: Prune,
    picked: set[str],
    training: TrainingData | None,
    teller: Teller,
) -> Any:  # noqa: ANN401
    """Return a copy of `model` in which the least important weights of the layers `picked` are zero.

    With training data they go on the schedule of magnitude pruning (`grown`), by an importance that is computed anew
    each time, of what is left: gradients of the whole model say little of one without most of its weights. Two of each
    four go at once, and so does everything where nothing is trained.

    Raises:
        UsageError: The importance needs samples and there are none.
        ModelError: Every weight matters as little as every other.
    """
    made = copy(model)
    teller.progress(f"prune: importance by {step.importance}", 0.0)
    data = probes(made, training, step.samples) if training and step.importance in NEED_DATA else None

    def chosen(sparsity: float) -> dict[str, Mask]:
        every = weight_scores(made, step.importance, data)
        scores = {name: every[name, "kernel"] for name in sorted(picked) if (name, "kernel") in every}
        if not any(values.any() for values in scores.values()):
            raise ModelError(
                f"importance `{step.importance}` is zero for every weight of `{model.name}`",
                "its outputs are saturated, or its weights zero: is it trained, and are its inputs scaled?",
            )
        return masks(scores, replace(step, sparsity=sparsity))

    if training is None or step.epochs == 0:
        settle(made, {name: _zeroing(mask) for name, mask in chosen(step.sparsity).items()})
        teller.warn("not_fine_tuned", "pruned at once, without `--train`: expect more loss than with fine-tuning")
    else:
        _tuned(made, step, chosen, training, teller)
    return made


def masks(scores: Mapping[str, Scores], step: Prune) -> dict[str, Mask]:
    """Return which weights of each kernel stay, by their importance."""
    if step.pattern == "any":
        return unstructured(scores, step.sparsity, everywhere=step.scope == "global")
    return {name: two_of_four(values) for name, values in scores.items()}


def span(step: Prune, training: TrainingData) -> tuple[int, int, int]:
    """Return the gradient steps at which pruning begins and is complete, and the epoch in which it is that."""
    batches = math.ceil(len(training.train.x[0]) / step.batch_size)
    end = max(1, round(step.end * batches * step.epochs))
    return round(step.begin * batches * step.epochs), end, min(step.epochs, math.ceil(end / batches))


def grown(sparsity: float, share: float) -> float:
    """Return the sparsity when a share of the schedule is over: it grows fast at first, then ever more slowly.

    Source: M. Zhu and S. Gupta (2017), "To prune, or not to prune", arXiv:1710.01878, equation 1, from 0.
    """
    return sparsity * (1 - (1 - min(1.0, max(0.0, share))) ** 3)


def _tuned(
    made: Model, step: Prune, chosen: Callable[[float], dict[str, Mask]], training: TrainingData, teller: Teller
) -> None:
    """Fine-tune a model whose weights go on a schedule, or, two of each four, before it."""
    import tensorflow as tf

    begin, end, complete = span(step, training)
    steps = {round(begin + (end - begin) * number / _UPDATES) for number in range(1, _UPDATES + 1)}
    if step.pattern == "2:4":
        steps, complete = set(), 0
    first = chosen(0.0 if steps else step.sparsity)
    kept = {name: tf.Variable(tf.cast(mask, tf.float32), trainable=False) for name, mask in first.items()}
    projections = {name: lambda values, mask=mask: values * mask for name, mask in kept.items()}

    def take(at: int) -> None:
        settle(made, projections)
        share = 1.0 if at >= end else (at - begin) / (end - begin)
        for name, mask in chosen(grown(step.sparsity, share)).items():
            kept[name].assign(tf.cast(mask, tf.float32))

    callbacks = [_after(sorted(steps), take)]
    fine_tune(trainer(made, projections), training, step, teller, callbacks=callbacks, choose_from=complete)
    settle(made, projections)


def _after(steps: list[int], do: Callable[[int], None]) -> Any:  # noqa: ANN401
    """Return a callback that does something after each of these gradient steps, counted from 1."""
    import tf_keras

    class After(tf_keras.callbacks.Callback):  # type: ignore[misc] # tf_keras has no types
        """Counts the steps."""

        def __init__(self) -> None:
            super().__init__()
            self._done = 0

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
            self._done += 1
            if self._done in steps:
                do(self._done)

    return After()


def _zeroing(mask: Mask) -> Projection:
    kept = mask.astype("float32")
    return lambda values: values * kept
