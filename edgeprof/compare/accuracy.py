"""Accuracies of two stored runs: paired where both saw the same samples, else not compared."""

from dataclasses import dataclass

from edgeprof.records import RunResult
from edgeprof.scores import Evaluation, Score
from edgeprof.stats.paired import Loss, loss_against


@dataclass(frozen=True, slots=True)
class AccuracyChange:
    """How much worse a run is than its base on one set.

    Attributes:
        data: The set's name, with the output's where there are several.
        base: The base's score, or `None` where `refused` says why.
        other: The run's.
        loss: How much worse, in the metric's own unit; paired.
        refused: Why it is not compared, or `None`.
    """

    data: str
    base: Score | None = None
    other: Score | None = None
    loss: Loss | None = None
    refused: str | None = None


def accuracy_changes(base: RunResult, other: RunResult) -> tuple[AccuracyChange, ...]:
    """Return how each set of `other` relates to the same one of `base`; nothing where neither has any labels."""
    theirs = {(e.sha256, e.output if len(base.artifact.outputs) > 1 else None): e for e in base.evaluations if e.scores}
    return tuple(
        _change(theirs.get((e.sha256, e.output if len(other.artifact.outputs) > 1 else None)), e)
        for e in other.evaluations
        if e.scores and theirs
    )


def _change(base: Evaluation | None, other: Evaluation) -> AccuracyChange:
    if base is None:
        return AccuracyChange(other.title, refused="the base was not run on these samples")
    by_name = {score.name: score for score in base.scores}
    mine = next((score for score in other.scores if score.name in by_name), None)
    if mine is None:
        return AccuracyChange(other.title, refused="the two were judged by other metrics")
    first = by_name[mine.name]
    return AccuracyChange(other.title, first, mine, loss_against(first, mine))
