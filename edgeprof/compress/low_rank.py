"""Layers of lower rank. Child only."""

from collections.abc import Sequence
from typing import Any

from edgeprof.compress.steps import LowRank
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.lowrank import Lowered, lower
from edgeprof.compress.techniques.statistics import renew
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData

_NAMED = 6


def apply(model: Any, step: LowRank, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Raises:
        ModelError: No layer becomes cheaper, or not by so much.
    """
    energy = step.energy if step.budget is None else None
    teller.progress("low rank: decomposing kernels", 0.0)
    made, about = lower(copy(model), energy=energy, share=step.budget, leave=step.leave)
    teller.note("rank_lowered", _summary(about))
    left = [f"{one.layer}: {one.reason}" for one in about if one.reason]
    if left:
        more = f"; and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        teller.note("left_whole", f"low rank would save nothing in {'; '.join(left[:_NAMED])}{more}")
    if training is not None:
        renew(made, training.train.x)
    if training is None or step.epochs == 0:
        teller.warn("not_fine_tuned", "factorised at once, without `--train`: expect more loss than with it")
    else:
        fine_tune(made, training, step, teller)
    return made


def _summary(about: Sequence[Lowered]) -> str:
    before, after = sum(one.macs_before for one in about), sum(one.macs for one in about)
    rows = [f"{one.layer} {'×'.join(map(str, one.ranks))} ({one.error:.0%} off)" for one in about if one.ranks]
    more = f" and {len(rows) - _NAMED} layers more" if len(rows) > _NAMED else ""
    return f"MACs {before:,} to {after:,} ({after / before - 1:+.0%}); ranks: {', '.join(rows[:_NAMED])}{more}"
