"""Unstructured and 2:4 magnitude pruning. Child only.

With training data by TFMOT, on a polynomial schedule; without, at once. By gradients, or over all kernels: `masking`.
"""

from typing import Any

import numpy as np

from edgeprof.compress.bridge import clone
from edgeprof.compress.masking import masked, masks, span
from edgeprof.compress.steps import Prune
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData
from edgeprof.compress.wrapping import kernel, kernel_variable, pick, wrap
from edgeprof.errors import ModelError

# TFMOT keeps round(n * (1 - sparsity)) weights of a kernel, in float32.
_ROUNDING = 2


def apply(model: Any, step: Prune, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Raises:
        ModelError: No layer can be pruned, or zeros were lost.
    """
    picked = pick(model, step.leave, teller, "pruning")
    if step.pattern == "2:4":
        picked -= _odd(model, picked, teller)
    if not picked:
        raise ModelError("no layer of the model can be pruned", "it takes Dense and Conv layers; use another recipe")
    if step.importance != "l1" or step.scope == "global":
        made = masked(model, step, picked, training, teller)
    elif training is None or step.epochs == 0:
        made = clone(model)
        variables = {name: kernel_variable(made.get_layer(name)) for name in picked}
        for name, mask in masks({name: np.abs(one.numpy()) for name, one in variables.items()}, step).items():
            variables[name].assign(variables[name].numpy() * mask)
        teller.warn("not_fine_tuned", "pruned at once, without `--train`: expect more loss than with fine-tuning")
    else:
        made = _scheduled(model, step, picked, training, teller)
    if step.scope == "layer":
        _check(made, step, picked)
    return made


def _scheduled(model: Any, step: Prune, picked: set[str], training: TrainingData, teller: Teller) -> Any:  # noqa: ANN401
    from tensorflow_model_optimization.sparsity import keras as sparsity

    begin, end, complete = span(step, training)
    schedule = sparsity.PolynomialDecay(
        0.0 if step.pattern == "any" else step.sparsity,
        step.sparsity,
        begin_step=begin,
        end_step=end,
        frequency=max(1, min(100, end // 10)),
    )
    pattern = {"sparsity_m_by_n": (2, 4)} if step.pattern == "2:4" else {}
    wrapped = wrap(model, picked, lambda layer: sparsity.prune_low_magnitude(layer, schedule, **pattern))
    fine_tune(wrapped, training, step, teller, callbacks=[sparsity.UpdatePruningStep()], choose_from=complete)
    return clone(sparsity.strip_pruning(wrapped))


def _odd(model: Any, picked: set[str], teller: Teller) -> set[str]:  # noqa: ANN401
    """Return the layers whose input channels do not divide into fours: that is where the groups lie."""
    odd = {name for name in picked if kernel(model.get_layer(name)).shape[-2] % 4}
    if odd:
        names = ", ".join(sorted(odd))
        teller.warn("left_dense", f"2:4 needs input channels that divide into fours; left as they are: {names}")
    return odd


def _check(model: Any, step: Prune, picked: set[str]) -> None:  # noqa: ANN401
    """Refuse a model with fewer zeros than were asked for.

    Raises:
        ModelError: Names the layer.
    """
    for name in picked:
        weights = kernel(model.get_layer(name))
        kept = int((weights != 0).sum())
        allowed = weights.size // 2 if step.pattern == "2:4" else round(weights.size * (1 - step.sparsity)) + _ROUNDING
        if kept > allowed:
            raise ModelError(
                f"layer `{name}` keeps {kept} of {weights.size} weights, {allowed} were asked for",
                "raise `epochs` or lower `end`, so that the schedule is run to its end",
            )
