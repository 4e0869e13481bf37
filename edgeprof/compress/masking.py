"""Weights that become zero by their importance, at once, and fine-tuning that leaves them zero. Child only."""

from collections.abc import Mapping
from typing import Any

from edgeprof.compress.channel_pruning import probes
from edgeprof.compress.steps import Prune
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.importance import NEED_DATA, Scores, weight_scores
from edgeprof.compress.techniques.masks import Mask, two_of_four, unstructured
from edgeprof.compress.techniques.projected import Projection, settle, trainer
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import TrainingData, fine_tune
from edgeprof.errors import ModelError


def masked(
    model: Any,  # noqa: ANN401 - TensorFlow has no types
    step: Prune,
    picked: set[str],
    training: TrainingData | None,
    teller: Teller,
) -> Any:  # noqa: ANN401
    """Return a copy of `model` in which the least important weights of the layers `picked` are zero.

    Raises:
        UsageError: The importance needs samples and there are none.
        ModelError: Every weight matters as little as every other.
    """
    made = copy(model)
    teller.progress(f"prune: importance by {step.importance}", 0.0)
    data = probes(made, training, step.samples) if training and step.importance in NEED_DATA else None
    every = weight_scores(made, step.importance, data)
    scores = {name: every[name, "kernel"] for name in sorted(picked) if (name, "kernel") in every}
    if not any(values.any() for values in scores.values()):
        raise ModelError(
            f"importance `{step.importance}` is zero for every weight of `{model.name}`",
            "its outputs are saturated, or its weights zero: is it trained, and are its inputs scaled?",
        )
    projections = {name: _zeroing(mask) for name, mask in masks(scores, step).items()}
    if training is None or step.epochs == 0:
        teller.warn("not_fine_tuned", "pruned at once, without `--train`: expect more loss than with fine-tuning")
    else:
        fine_tune(trainer(made, projections), training, step, teller)
    settle(made, projections)
    return made


def masks(scores: Mapping[str, Scores], step: Prune) -> dict[str, Mask]:
    """Return which weights of each kernel stay, by their importance."""
    if step.pattern == "any":
        return unstructured(scores, step.sparsity, everywhere=step.scope == "global")
    return {name: two_of_four(values) for name, values in scores.items()}


def _zeroing(mask: Mask) -> Projection:
    kept = mask.astype("float32")
    return lambda values: values * kept
