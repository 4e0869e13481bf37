"""The recipes: what each asks of the converter."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.errors import UsageError
from edgeprof.targets import did_you_mean


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to make a `.tflite` of a Keras model.

    Attributes:
        name: What the user types.
        optimise: The converter quantises weights.
        op_sets: Names of `tf.lite.OpsSet`, those it prefers first.
        weights: Names of `tf.lite` types that weights may take besides int8.
        calibrated: It needs representative data.
        integer_io: Inputs and outputs become int8 unless the user wants floats.
    """

    name: str
    optimise: bool = False
    op_sets: tuple[str, ...] = ("TFLITE_BUILTINS",)
    weights: tuple[str, ...] = ()
    calibrated: bool = False
    integer_io: bool = False


RECIPES = (
    Recipe("fp32"),
    Recipe("fp16", optimise=True, weights=("float16",)),
    Recipe("dynamic", optimise=True),
    Recipe(
        "int8",
        optimise=True,
        op_sets=("TFLITE_BUILTINS_INT8", "TFLITE_BUILTINS"),
        calibrated=True,
        integer_io=True,
    ),
    Recipe(
        "int16x8",
        optimise=True,
        op_sets=("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8", "TFLITE_BUILTINS"),
        calibrated=True,
    ),
)


def recipe_names() -> list[str]:
    """Return the names that `--recipe` takes."""
    return [recipe.name for recipe in RECIPES]


def find_recipes(names: Sequence[str]) -> tuple[Recipe, ...]:
    """Return the recipes so named, each once; `fp32` where none is named.

    Raises:
        UsageError: A name is unknown.
    """
    known = {recipe.name: recipe for recipe in RECIPES}
    for name in names:
        if name not in known:
            hint = f"{did_you_mean(name, known)}known recipes: {', '.join(known)}"
            raise UsageError(f"unknown recipe: `{name}`", hint)
    return tuple(known[name] for name in dict.fromkeys(names or ("fp32",)))
