"""Whole channels removed from a model. Child only."""

from typing import Any

from edgeprof.compress.steps import Channels
from edgeprof.compress.techniques.coupling import Coupling, Kept, couple, cut, macs
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.importance import NEED_DATA, Scores, channel_scores, normalised
from edgeprof.compress.techniques.selection import Choice, choose, describe
from edgeprof.compress.techniques.statistics import renew
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData, probes
from edgeprof.errors import ModelError


def apply(model: Any, step: Channels, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Raises:
        ModelError: So much cannot go, or nothing tells the channels apart.
    """
    coupling = couple(copy(model), step.leave)
    scores = _scores(coupling, step, training, teller)
    choice = Choice(share=step.share, by=step.by, scope=step.scope, multiple=step.multiple, least=step.least)
    kept = choose(coupling, scores, choice)
    teller.note("channels_removed", summary(coupling, kept))
    made = cut(coupling, kept)
    if training is not None:
        renew(made, training.train.x)
    if training is None or step.epochs == 0:
        teller.warn("not_fine_tuned", "channels removed at once, without `--train`: expect more loss than with it")
    else:
        fine_tune(made, training, step, teller)
    return made


def summary(coupling: Coupling, kept: Kept) -> str:
    """Return what went, as a sentence for the user."""
    before, after = macs(coupling, coupling.all_kept()), macs(coupling, kept)
    rows = [f"{name} {had} to {has}" for name, had, has in describe(coupling, kept)]
    more = f" and {len(rows) - 6} layers more" if len(rows) > 6 else ""
    return f"MACs {before:,} to {after:,} ({after / before - 1:+.0%}); channels: {', '.join(rows[:6])}{more}"


def _scores(coupling: Coupling, step: Channels, training: TrainingData | None, teller: Teller) -> Scores:
    teller.progress(f"channels: importance by {step.importance}", 0.0)
    data = None
    if step.importance in NEED_DATA and training is not None:
        data = probes(coupling.model, training, step.samples)
    scores = channel_scores(coupling, step.importance, data)
    if not scores.any():
        raise ModelError(
            f"importance `{step.importance}` is zero for every channel of `{coupling.model.name}`",
            "its outputs are saturated, or its weights zero: is it trained, and are its inputs scaled?",
        )
    return normalised(scores, coupling.families, step.normalise) if step.scope == "global" else scores
