"""`compress` and `references`: from a Keras model to artifacts, and to what they are compared with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.artifacts import copy_out, describe, keep, load_cached
from edgeprof.compress.cache import content_sha256, move, partial, place
from edgeprof.compress.calibration import check_calibration
from edgeprof.compress.child import WORKER, require_extra, run_child
from edgeprof.compress.inspection import check_model
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.recipes import Recipe, find_recipes
from edgeprof.compress.request import CompressRequest
from edgeprof.compress.training_files import check_training
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import Artifact, Reference
from edgeprof.targets import did_you_mean

Progress = Callable[[str, float | None], None]
_REFERENCE = "reference.npz"
_IO = ("int8", "float")
_FLOAT = Recipe("fp32")


@dataclass(frozen=True, slots=True)
class _Wanted:
    recipe: Recipe
    place: Path


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one child has said: recipes begun, errors by recipe; and whom to tell of its progress."""

    began: list[str]
    failed: dict[str, ModelError]
    progress: Progress


def compress(request: CompressRequest, progress: Progress) -> list[Artifact]:
    """Return an artifact for each recipe, out of the cache where nothing has changed.

    Args:
        request: What to make.
        progress: Told what goes on and how far it is, 0 to 1, or `None` where nobody knows.

    Raises:
        UsageError: A recipe is unknown, calibration or training data are missing, or the `compress` extra is not
            installed.
        ModelError: The model or its data are at fault, or the converter failed.
    """
    made, failed = compress_each(request, progress)
    if failed:
        raise failed[0][1]
    return made


def compress_each(request: CompressRequest, progress: Progress) -> tuple[list[Artifact], list[tuple[str, ModelError]]]:
    """Make what can be made: as `compress`, but a recipe that fails leaves the others alone.

    Returns:
        The artifacts, and pairs of a recipe that failed and why.

    Raises:
        UsageError: As `compress`.
        ModelError: No recipe gave anything.
    """
    recipes = find_recipes(request.recipes)
    _check(request, recipes)
    parent = content_sha256(request.model)
    # What the others are compared with, whether it is asked for or not.
    wanted = [_Wanted(recipe, _place(request, parent, recipe)) for recipe in dict.fromkeys((*recipes, _FLOAT))]
    missing = [one for one in wanted if load_cached(one.place) is None]
    failed = _make(request, parent, missing, progress) if any(one.recipe in recipes for one in missing) else {}
    found = {one.recipe.name: load_cached(one.place) for one in wanted}
    plain = found[_FLOAT.name]
    made = []
    for recipe in recipes:
        artifact = found[recipe.name]
        if artifact is not None:
            # What is the same file under another name was converted under that one.
            named = replace(artifact, model=_stem(request.model), float_bytes=plain.size_bytes if plain else None)
            made.append(copy_out(named, request.out) if request.out else named)
        elif recipe.name not in failed:
            raise UsageError("the cache was emptied meanwhile", "run the command again")
    errors = [(recipe.name, failed[recipe.name]) for recipe in recipes if recipe.name in failed]
    if not made and len({str(error) for _, error in errors}) == 1:
        raise errors[0][1]  # it is the model, not the recipe
    return made, errors


def references(request: CompressRequest, sets: Sequence[tuple[Array, str]], progress: Progress) -> list[Reference]:
    """Return the float Keras model's outputs on each of several sets: samples `(n, …)` and their hash.

    Raises:
        UsageError: The `compress` extra is not installed.
        ModelError: The model is at fault, or samples do not fit it.
    """
    check_model(request.model)
    parent = content_sha256(request.model)
    places = [place("references", parent, sha256, request.trust_model) for _, sha256 in sets]
    missing = {target: x for target, (x, _) in zip(places, sets, strict=True) if not (target / _REFERENCE).is_file()}
    if missing:
        require_extra()
        with partial(places[0]) as folder:
            _run_floats(request, folder, list(missing.values()), progress)
            for index, target in enumerate(missing):
                move(folder / str(index), target)
    return [Reference(target / _REFERENCE, parent) for target in places]


def _run_floats(request: CompressRequest, folder: Path, samples: Sequence[Array], progress: Progress) -> None:
    """Write the float model's outputs on each array of samples into a folder `0`, `1`, … of its own."""
    for index, x in enumerate(samples):
        (folder / str(index)).mkdir()
        np.save(folder / f"{index}.npy", x)
    model = str(request.model.absolute())
    job = Job("reference", model, str(folder), trust_model=request.trust_model, data=len(samples))
    run_child(WORKER, job, lambda line: progress(line.text, line.fraction))


def _check(request: CompressRequest, recipes: Sequence[Recipe]) -> None:
    check_model(request.model)
    if request.io not in _IO:
        hint = f"{did_you_mean(request.io, _IO)}known: {', '.join(_IO)}"
        raise UsageError(f"unknown kind of inputs and outputs: `{request.io}`", hint)
    if request.calibration_samples < 1:
        raise UsageError(f"{request.calibration_samples} calibration samples are none", "use at least 1")
    needy = [recipe.name for recipe in recipes if recipe.conversion.calibrated]
    if needy and request.calibration is None:
        raise UsageError(
            f"{' and '.join(needy)} of `{request.model}` needs representative data",
            "add `--calibration data.npz`: some 100 to 500 inputs as the model will see them",
        )
    for recipe in recipes:
        training = [step.kind for step in recipe.steps if step.trains]
        if training and request.train is None:
            raise UsageError(
                f"recipe `{recipe.name}` has the step `{training[0]}`, which needs training data",
                "add `--train data.npz` with `x` and `y`, or a .py file with `dataset()`; `x` alone will do",
            )
    if request.train is not None:
        check_training(request.train)
    if request.calibration is not None:
        check_calibration(request.calibration, request.preprocessing)


def _place(request: CompressRequest, parent: str, recipe: Recipe) -> Path:
    """Return where the artifact of a recipe is kept."""
    # Golden inputs come from the calibration data, so these count for every recipe.
    calibration = request.calibration and content_sha256(request.calibration)
    options = (request.preprocessing, request.calibration_samples, request.trust_model)
    io = request.io if recipe.conversion.integer_io else None
    return place("artifacts", parent, recipe.fields(), io, calibration, *_trained_on(request, recipe), *options)


def _stages(request: CompressRequest, parent: str, recipe: Recipe) -> tuple[str, ...]:
    """Return where the model after each step is kept; recipes that begin alike share those stages."""
    steps = [step.fields() for step in recipe.steps]
    data = _trained_on(request, recipe)
    return tuple(str(place("stages", parent, steps[: i + 1], *data, request.trust_model)) for i in range(len(steps)))


def _trained_on(request: CompressRequest, recipe: Recipe) -> tuple[object, ...]:
    if not recipe.steps:
        return ()
    files = [content_sha256(Path(path)) for step in recipe.steps for path in step.files()]
    return (request.train and content_sha256(request.train), request.seed, files)


def _make(
    request: CompressRequest, parent: str, wanted: Sequence["_Wanted"], progress: Progress
) -> dict[str, ModelError]:
    """Make every recipe wanted, keeping each as soon as it is ready; return the errors of those that failed.

    A child makes one after another. Where it crashes, the recipe it was at has failed, and another goes on.

    Raises:
        ModelError: The child failed before it began a recipe.
    """
    require_extra()
    failed: dict[str, ModelError] = {}
    left = list(wanted)
    while left:
        began: list[str] = []
        try:
            _run(request, parent, left, _Heard(began, failed, progress))
        except ModelError as exc:
            if not began:
                raise
            failed[began[-1]] = exc
        left = [one for one in left if one.recipe.name not in began]
    return failed


def _run(request: CompressRequest, parent: str, wanted: Sequence["_Wanted"], heard: "_Heard") -> None:
    heard.progress("starting TensorFlow", None)
    by_name = {one.recipe.name: one for one in wanted}
    with partial(wanted[0].place) as folder:

        def hear(line: Line) -> None:
            match line.kind:
                case "began":
                    heard.began.append(line.text)
                case "failed":
                    name, _, message = line.text.partition("\n")
                    heard.failed[name] = ModelError(message, line.hint)
                case "made":
                    one = by_name[line.text]
                    made = folder / line.text
                    keep(made, one.place, _described(request, parent, one.recipe, made, line.warnings))
                case _:
                    heard.progress(line.text, line.fraction)

        run_child(WORKER, _job(request, parent, folder, [one.recipe for one in wanted]), hear)


def _described(
    request: CompressRequest, parent: str, recipe: Recipe, made: Path, warnings: tuple[tuple[str, str], ...]
) -> Artifact:
    found = describe(made / "model.tflite", model=_stem(request.model), recipe=recipe.name, parent_sha256=parent)
    trained = request.train is not None and bool(recipe.steps)
    return replace(
        found,
        warnings=warnings,
        steps=recipe.labels(),
        seed=request.seed if recipe.steps else None,
        train_sha256=content_sha256(request.train) if trained and request.train else None,
    )


def _job(request: CompressRequest, parent: str, folder: Path, recipes: Sequence[Recipe]) -> Job:
    return Job(
        "convert",
        str(request.model.absolute()),
        str(folder),
        recipes=tuple(recipe.fields() for recipe in recipes),
        stages=tuple(_stages(request, parent, recipe) for recipe in recipes),
        train=str(request.train.absolute()) if request.train else None,
        seed=request.seed,
        calibration=str(request.calibration.absolute()) if request.calibration else None,
        preprocessing=request.preprocessing,
        calibration_samples=request.calibration_samples,
        io=request.io,
        trust_model=request.trust_model,
    )


def _stem(model: Path) -> str:
    path = model.absolute()
    return path.name if path.is_dir() else path.stem
