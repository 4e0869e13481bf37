"""From files on the host to artifacts and data ready for boards: what has to be done before any board is touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy import EvalSet, check_fits, load_reference, plan_tasks, try_functions, try_metrics
from edgeprof.compress import CompressRequest, compress_each, find_recipes, host_outputs, is_tflite, load_artifact
from edgeprof.compress import references as float_outputs
from edgeprof.errors import ModelError, UsageError
from edgeprof.profile.data import data_warnings, load_sets
from edgeprof.profile.outcome import Failure
from edgeprof.profile.request import ProfileRequest, check_pair
from edgeprof.records import Artifact, Reference

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files a user named.

    Attributes:
        models: Model files.
        evaluations: Names and files of evaluation sets.
        corruptions: How to spoil the first of them for further sets, as `--corrupt` has it.
        compression: What to make of models that are not `.tflite`; its `model` is replaced by each.
    """

    models: tuple[Path, ...]
    evaluations: tuple[tuple[str, Path], ...]
    compression: CompressRequest
    corruptions: tuple[str, ...] = ()

    def asked(self) -> int:
        """Return how many artifacts are asked for: each recipe of each model, and `.tflite` files as they are."""
        recipes = len(find_recipes(self.compression.recipes))
        return sum(1 if is_tflite(model) else recipes for model in self.models)


def gather(inputs: Inputs, request: ProfileRequest, progress: Progress) -> ProfileRequest:
    """Return `request` with artifacts, evaluation data, references and the warnings they give.

    Raises:
        UsageError: Files and options do not go together.
        ModelError: A model cannot be loaded or converted, or data do not fit it.
    """
    check_pair(request, inputs.asked())
    try_metrics(request.metrics)
    if request.metrics and not inputs.evaluations:
        raise UsageError("`--metric` needs samples to judge", "add `--eval test.npz`")
    evaluations = load_sets(inputs.evaluations, inputs.corruptions)
    warnings = data_warnings(inputs.compression, evaluations)
    artifacts: list[Artifact] = []
    references: list[tuple[tuple[str, str], Reference]] = []
    failures: list[Failure] = []
    for model in inputs.models:
        made, failed = _artifacts(model, inputs, progress)
        artifacts += made
        failures += [Failure("this machine", f"{model.stem} {recipe}", error) for recipe, error in failed]
        for evaluation in evaluations:
            for artifact in made:
                check_fits(artifact, evaluation)
                plan_tasks(artifact, evaluation, request.metrics)
        if evaluations and not is_tflite(model):
            wanted = replace(inputs.compression, model=model)
            floats = float_outputs(wanted, [(one.x, one.sha256) for one in evaluations], progress)
            named = [(_text(made[0].model), one.name) for one in evaluations]
            references += zip(named, floats, strict=True)
            for one, reference in zip(evaluations, floats, strict=True):
                try_functions(made[0], one, load_reference(reference), request.metrics)
    return replace(
        request,
        artifacts=_distinct(artifacts),
        evaluations=evaluations,
        references=tuple(references),
        host=_on_this_machine(artifacts, evaluations),
        failures=tuple(failures),
        warnings=warnings,
    )


def _artifacts(model: Path, inputs: Inputs, progress: Progress) -> tuple[list[Artifact], list[tuple[str, ModelError]]]:
    if not is_tflite(model):
        return compress_each(replace(inputs.compression, model=model), progress)
    if inputs.compression.recipes:
        names = ", ".join(inputs.compression.recipes)
        raise UsageError(
            f"`{model}` is a .tflite file already: it cannot be made {names}",
            "give the Keras model for other recipes, or leave `--recipe` out to measure the file as it is",
        )
    return [load_artifact(model)], []


def _on_this_machine(
    artifacts: Sequence[Artifact], evaluations: Sequence[EvalSet]
) -> tuple[tuple[str, tuple[NDArray[np.float32], ...]], ...]:
    if not evaluations:
        return ()
    first = evaluations[0]
    made = ((artifact.sha256, host_outputs(artifact, first.x, first.sha256)) for artifact in artifacts)
    return tuple((sha256, outputs) for sha256, outputs in made if outputs is not None)


def _distinct(artifacts: list[Artifact]) -> tuple[Artifact, ...]:
    named = [replace(artifact, model=_text(artifact.model)) for artifact in artifacts]
    return tuple({(a.sha256, a.model, a.recipe): a for a in named}.values())


def _text(name: str) -> str:
    """Return a file's name as text that every database takes; bytes that the locale could not read become `?`."""
    return name.encode(errors="replace").decode()
