"""`compress` and `references`: from a Keras model to artifacts, and to what they are compared with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.artifacts import copy_out, load_cached
from edgeprof.compress.cache import content_sha256, move, partial, place
from edgeprof.compress.calibration import check_calibration
from edgeprof.compress.child import WORKER, require_extra, run_child
from edgeprof.compress.inspection import check_model
from edgeprof.compress.jobs import Job
from edgeprof.compress.making import Progress, make
from edgeprof.compress.orders import Order, order, stem
from edgeprof.compress.recipes import Recipe, find_recipes
from edgeprof.compress.request import CompressRequest
from edgeprof.compress.training_files import check_training
from edgeprof.errors import ModelError, UsageError
from edgeprof.names import did_you_mean
from edgeprof.records import Artifact, Reference

_REFERENCE = "reference.npz"
_IO = ("int8", "float")
_FLOAT = Recipe("fp32")


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
    check_request(request, recipes)
    parent = content_sha256(request.model)
    # What the others are compared with, whether it is asked for or not.
    orders = [order(request, parent, recipe) for recipe in dict.fromkeys((*recipes, _FLOAT))]
    missing = [one for one in orders if load_cached(one.place) is None]
    failed: dict[str, ModelError] = {}
    try:
        if any(one.recipe in recipes for one in missing):
            failed = make(request, parent, missing, progress)
    except KeyboardInterrupt:
        _finished(request, recipes, orders)
        raise
    finished = _finished(request, recipes, orders)
    gone = [recipe.name for recipe in recipes if recipe.name not in finished and recipe.name not in failed]
    if gone:
        raise UsageError("the cache was emptied meanwhile", "run the command again")
    made = [finished[recipe.name] for recipe in recipes if recipe.name in finished]
    errors = [(recipe.name, failed[recipe.name]) for recipe in recipes if recipe.name in failed]
    if not made and len({str(error) for _, error in errors}) == 1:
        raise errors[0][1]  # it is the model, not the recipe
    return made, errors


def _finished(request: CompressRequest, recipes: Sequence[Recipe], orders: Sequence[Order]) -> dict[str, Artifact]:
    """Return by name what is ready of the recipes asked for, copied to where the user wants it."""
    found = {one.recipe.name: artifact for one in orders if (artifact := load_cached(one.place)) is not None}
    plain = found.get(_FLOAT.name)
    # What is the same file under another name was converted under that one.
    named = {
        recipe.name: replace(
            found[recipe.name], model=stem(request.model), float_bytes=plain.size_bytes if plain else None
        )
        for recipe in recipes
        if recipe.name in found
    }
    return {name: copy_out(one, request.out) for name, one in named.items()} if request.out else named


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


def check_request(request: CompressRequest, recipes: Sequence[Recipe]) -> None:
    """Refuse what can be seen to be impossible before anything runs.

    Raises:
        UsageError: A setting cannot be, or data that a recipe needs are missing.
        ModelError: The model or data are damaged.
    """
    check_model(request.model)
    if request.io not in _IO:
        hint = f"{did_you_mean(request.io, _IO)}known: {', '.join(_IO)}"
        raise UsageError(f"unknown kind of inputs and outputs: `{request.io}`", hint)
    if request.jobs is not None and request.jobs < 1:
        raise UsageError(f"{request.jobs} recipes at once are none", "use at least 1, or leave `--jobs` out")
    request.sampling.check()
    if request.calibration is None and request.sampling.chosen:
        raise UsageError("calibration samples are to be chosen, and there are none", "add `--calibration data.npz`")
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
        check_calibration(request.calibration, request.preprocessing, request.sampling)
