"""Binary and ternary kernels by training. Child only."""

from typing import Any

from edgeprof.compress.steps import Discrete
from edgeprof.compress.techniques.discrete import packed_size, projections
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.projected import settle, trainer
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData


def apply(model: Any, step: Discrete, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Raises:
        ModelError: No layer is left to change.
    """
    made = copy(model)
    chosen = projections(made, step.levels, step.threshold, step.leave, step.ends)
    if training is not None and step.epochs:
        fine_tune(trainer(made, chosen), training, step, teller)
    settle(made, chosen)
    size = packed_size(made, set(chosen))
    packed = size.packed_bytes + size.rest_bytes
    teller.note(
        "packed_size",
        f"{size.kernels} kernels are {step.levels}: packed, all weights travel in {packed:,} bytes instead of "
        f"{size.float_bytes:,}; a .tflite holds them as int8, and no runtime here is faster by it",
    )
    return made
