"""A student that learns from the model given. Child only."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeprof.compress.bridge import to_tf_keras
from edgeprof.compress.program import load_program
from edgeprof.compress.steps import Distill
from edgeprof.compress.techniques.distillation import (
    Hint,
    Loss,
    logits,
    narrowed,
    soft_loss,
    weighted,
    with_ends,
)
from edgeprof.compress.techniques.ends import ends_of, outputs_of
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData
from edgeprof.compress.training_files import Labelled, Samples
from edgeprof.errors import ModelError, UsageError


def apply(model: Any, step: Distill, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Raises:
        ModelError: The student does not fit, or a hint's layers do not.
    """
    if training is None:
        raise UsageError("step `distill` needs samples to learn from", "add `--train data.npz`; labels are not needed")
    student = _student(model, step)
    ends = ends_of(student)
    masters, pupils = logits(model), logits(student)
    labelled = training.labelled and step.soft < 1
    trained = with_ends(pupils, ends if labelled else [], masters, _hints(step))
    teller.progress("distill: asking the teacher", 0.0)
    losses: list[Loss] = [soft_loss(end, step.temperature, step.soft if labelled else 1.0) for end in ends]
    if labelled:
        hard = training.loss if isinstance(training.loss, list | tuple) else [training.loss] * len(ends)
        losses += [weighted(loss, 1 - step.soft) for loss in hard]
    data = replace(
        training,
        train=_taught(masters, training.train, labelled=labelled),
        validation=_taught(masters, training.validation, labelled=labelled),
        loss=losses,
        metrics=(),
    )
    fine_tune(trained, data, step, teller)
    student.set_weights(pupils.get_weights())
    before, after = model.count_params(), student.count_params()
    teller.note("distilled", f"student of {after:,} parameters, teacher of {before:,} ({after / before - 1:+.0%})")
    return student


def _student(model: Any, step: Distill) -> Any:  # noqa: ANN401
    if not step.student:
        return copy(narrowed(model, step.width, multiple=step.multiple, fresh=step.start == "fresh"))
    student = copy(to_tf_keras(load_program(Path(step.student), trust=False).owner))
    for what, ours, theirs in (("inputs", student.inputs, model.inputs), ("outputs", student.outputs, model.outputs)):
        shapes = [[tuple(tensor.shape[1:]) for tensor in side] for side in (ours, theirs)]
        if shapes[0] != shapes[1]:
            raise ModelError(
                f"the student `{step.student}` has {what} of {shapes[0]}, the teacher of {shapes[1]}",
                "give a student with the teacher's inputs and outputs",
            )
    return student


def _hints(step: Distill) -> list[Hint]:
    pairs = [hint.partition(":") for hint in step.hints]
    return [Hint(teacher=a, student=b or a, weight=step.hint_weight) for a, _, b in pairs]


def _taught(teacher: Any, split: Labelled, *, labelled: bool) -> Labelled:  # noqa: ANN401
    """Return a split whose targets are the teacher's logits, then the labels."""
    labels: Samples = split.y or () if labelled else ()
    return Labelled(split.x, (*outputs_of(teacher, split.x), *labels))
