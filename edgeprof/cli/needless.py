"""Options that were typed and nothing asked for would use: refused, for who types them expects something of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgeprof.errors import UsageError

if TYPE_CHECKING:
    from edgeprof.compress import CompressRequest

# Parameters of commands by what is typed, that only making a .tflite file reads.
_MAKING = {
    "--io": "io",
    "--preprocess": "preprocessing",
    "--calibration-samples": "calibration_samples",
    "--calibration-choice": "calibration_choice",
}


def refuse_needless(
    context: typer.Context, request: "CompressRequest", models: Sequence[Path], *, error_report: bool = False
) -> None:
    """Refuse options of compression that nothing uses; a default of `edgeprof.toml` is for where it applies.

    Args:
        context: Tells what was typed.
        request: What to make of models that are not `.tflite`.
        models: The model files.
        error_report: It is for a report on an int8 recipe, named or not.

    Raises:
        UsageError: Names the option and why nothing uses it, or a recipe is unknown.
        ModelError: There is no such model.
    """
    from edgeprof.compress import find_recipes, is_tflite

    typed = [option for option, name in _MAKING.items() if _came_from(context, name, "COMMANDLINE")]
    if typed and all(is_tflite(model) for model in models):
        hint = "give the Keras model, or leave it out to measure the file as it is"
        raise UsageError(f"`{typed[0]}` is for making a .tflite file, and every model is one already", hint)
    images = request.calibration is not None and not request.calibration.is_file()
    if "--preprocess" in typed and not images:
        hint = "add `--calibration FOLDER`, or leave it out: samples in a file are taken as they are"
        raise UsageError("`--preprocess` is for a folder of images, and none is given", hint)
    if "--io" in typed and not error_report and not any(r.conversion.integer_io for r in find_recipes(request.recipes)):
        hint = "leave it out: it goes with recipes such as `int8`"
        raise UsageError("`--io` is for recipes with int8 inputs and outputs, and none is asked for", hint)


def from_file(context: typer.Context, parameter: str) -> bool:
    """Return whether a parameter has its value from `edgeprof.toml`."""
    return _came_from(context, parameter, "DEFAULT_MAP")


def _came_from(context: typer.Context, parameter: str, source: str) -> bool:
    found = context.get_parameter_source(parameter)
    return found is not None and found.name == source
