"""Recipes wanted of a model: where what comes of them is kept, what a child is told, what is known of the result."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from edgeprof.compress.artifacts import describe
from edgeprof.compress.cache import content_sha256, place
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.recipes import Recipe
from edgeprof.compress.request import CompressRequest
from edgeprof.records import Artifact, CalibrationUse


@dataclass(frozen=True, slots=True)
class Order:
    """A recipe, and where it leads to.

    Attributes:
        recipe: What to make.
        place: Where the artifact is kept.
        stages: Where the model after each step is kept; recipes that begin alike share those.
    """

    recipe: Recipe
    place: Path
    stages: tuple[str, ...]


def order(request: CompressRequest, parent: str, recipe: Recipe) -> Order:
    """Return the order for a recipe of the model whose hash is `parent`."""
    # Golden inputs come from the calibration data, so these count for every recipe.
    calibration = request.calibration and content_sha256(request.calibration)
    data = _trained_on(request, recipe)
    options = (request.preprocessing, request.sampling.key, request.trust_model)
    io = request.io if recipe.conversion.integer_io else None
    target = place("artifacts", parent, recipe.fields(), io, calibration, *data, *options)
    steps = [step.fields() for step in recipe.steps]
    stages = (str(place("stages", parent, steps[: i + 1], *data, request.trust_model)) for i in range(len(steps)))
    return Order(recipe, target, tuple(stages))


def job_for(request: CompressRequest, kind: str, folder: Path, orders: Sequence[Order]) -> Job:
    """Return what a child is told that loads the model and its data."""
    return Job(
        kind,
        str(request.model.absolute()),
        str(folder),
        recipes=tuple(one.recipe.fields() for one in orders),
        stages=tuple(one.stages for one in orders),
        train=str(request.train.absolute()) if request.train else None,
        seed=request.seed,
        calibration=str(request.calibration.absolute()) if request.calibration else None,
        preprocessing=request.preprocessing,
        sampling=astuple(request.sampling),
        io=request.io,
        trust_model=request.trust_model,
    )


def described(request: CompressRequest, parent: str, recipe: Recipe, made: Path, line: Line) -> Artifact:
    """Return what is known of an artifact that a child has put into the folder `made`, and said in `line`."""
    found = describe(made / "model.tflite", model=stem(request.model), recipe=recipe.name, parent_sha256=parent)
    trained = request.train if recipe.steps else None
    return replace(
        found,
        warnings=line.warnings,
        notes=line.notes,
        steps=recipe.labels(),
        seed=request.seed if recipe.steps else None,
        train_sha256=content_sha256(trained) if trained else None,
        calibration=_calibrated_on(request, line.samples),
    )


def stem(model: Path) -> str:
    """Return the name of a model."""
    path = model.absolute()
    return path.name if path.is_dir() else path.stem


def _trained_on(request: CompressRequest, recipe: Recipe) -> tuple[object, ...]:
    if not recipe.steps:
        return ()
    files = [content_sha256(Path(path)) for step in recipe.steps for path in step.files()]
    return (request.train and content_sha256(request.train), request.seed, files)


def _calibrated_on(request: CompressRequest, samples: int | None) -> CalibrationUse | None:
    if samples is None or request.calibration is None:
        return None
    sampling = request.sampling
    return CalibrationUse(content_sha256(request.calibration), samples, sampling.choice, sampling.used_seed)
