"""Recipes: steps that change the Keras model, then what is asked of the converter."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof.compress.conversions import Conversion
from edgeprof.compress.steps import (
    Channels,
    Cluster,
    Discrete,
    Distill,
    LowRank,
    Prune,
    Qat,
    Step,
    check_order,
    parse_step,
)  # fmt: skip
from edgeprof.compress.tables import from_table
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

_KEYS = ("name", "step", "conversion")


_FLOAT = Conversion()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to make a `.tflite` of a Keras model.

    Attributes:
        name: What the user types; part of the artifact's file name.
        steps: Changes of the Keras model, in order.
        conversion: What is then asked of the converter.
    """

    name: str
    steps: tuple[Step, ...] = ()
    conversion: Conversion = _FLOAT

    @property
    def trains(self) -> bool:
        """It needs training data."""
        return any(step.trains for step in self.steps)

    def labels(self) -> tuple[str, ...]:
        """Return a line for each step: its kind and settings."""
        return tuple(
            " ".join(f"{key}={value}" if key != "kind" else str(value) for key, value in step.fields().items())
            for step in self.steps
        )

    def fields(self) -> dict[str, Any]:
        """Return it as JSON and TOML have it; `parse_recipe` reads that."""
        return {
            "name": self.name,
            "step": [step.fields() for step in self.steps],
            "conversion": self.conversion.fields(),
        }


_INT8 = Conversion(type="int8")
RECIPES = (
    Recipe("fp32"),
    Recipe("fp16", conversion=Conversion(type="fp16")),
    Recipe("dynamic", conversion=Conversion(type="dynamic")),
    Recipe("int8", conversion=_INT8),
    Recipe("int16x8", conversion=Conversion(type="int16x8")),
    Recipe("int8-tensor", conversion=Conversion(type="int8", per_channel=False)),
    Recipe("int8-p999", conversion=Conversion(type="int8", percentile=99.9)),
    Recipe("w4a8", conversion=Conversion(type="mixed", weights="int4")),
    Recipe("w8a16", conversion=Conversion(type="mixed", activations="int16")),
    Recipe("w4", conversion=Conversion(type="mixed", weights="int4", activations="float")),
    Recipe("int8-qat", (Qat(),), _INT8),
    Recipe("prune50-int8", (Prune(sparsity=0.5),), _INT8),
    Recipe("prune80-int8", (Prune(sparsity=0.8),), _INT8),
    Recipe("prune24-int8", (Prune(pattern="2:4"),), _INT8),
    Recipe("prune80-taylor-int8", (Prune(sparsity=0.8, importance="taylor", scope="global"),), _INT8),
    Recipe("prune80-fisher-int8", (Prune(sparsity=0.8, importance="fisher", scope="global"),), _INT8),
    Recipe("prune80-pqat", (Prune(sparsity=0.8), Qat(keep="zeros")), _INT8),
    Recipe("c16-int8", (Cluster(clusters=16),), _INT8),
    Recipe("c16-cqat", (Cluster(clusters=16), Qat(keep="clusters")), _INT8),
    Recipe("prune50-c16-int8", (Prune(sparsity=0.5), Cluster(clusters=16, keep="zeros")), _INT8),
    Recipe(
        "prune50-c16-pcqat",
        (Prune(sparsity=0.5), Cluster(clusters=16, keep="zeros"), Qat(keep="zeros+clusters")),
        _INT8,
    ),
    Recipe("channels30-int8", (Channels(share=0.3),), _INT8),
    Recipe("channels50-int8", (Channels(share=0.5),), _INT8),
    Recipe("channels70-int8", (Channels(share=0.7),), _INT8),
    Recipe("channels50-taylor-int8", (Channels(share=0.5, importance="taylor"),), _INT8),
    Recipe("lowrank-int8", (LowRank(),), _INT8),
    Recipe("distill-int8", (Distill(),), _INT8),
    Recipe("binary", (Discrete(levels="binary"),), _INT8),
    Recipe("ternary", (Discrete(levels="ternary"),), _INT8),
)


def recipe_names() -> list[str]:
    """Return the names that `--recipe` takes."""
    return [recipe.name for recipe in RECIPES]


def find_recipes(names: Sequence[str]) -> tuple[Recipe, ...]:
    """Return the recipes so named, or in the TOML files so named, each once; `fp32` where none is named.

    Raises:
        UsageError: A name is unknown, a file cannot be read or holds no recipe, or two recipes share a name.
    """
    found: dict[str, Recipe] = {}
    for name in dict.fromkeys(names or ("fp32",)):
        recipe = read_recipe(Path(name)) if name.endswith(".toml") else _named(name)
        if found.setdefault(recipe.name, recipe) != recipe:
            raise UsageError(f"two recipes are called `{recipe.name}`", f"change `name` in `{name}`")
    return tuple(found.values())


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file; see docs/compression.md.

    Raises:
        UsageError: It cannot be read, or holds what is no recipe.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as exc:
        raise UsageError(f"cannot read the recipe `{path}`: {exc.strerror}", "check the path") from exc
    except ValueError as exc:  # of TOML and of UTF-8
        raise UsageError(f"`{path}` is no TOML: {exc}", "see docs/compression.md for an example") from exc
    recipe = parse_recipe({"name": path.stem, **table})
    if not table.keys() & {"step", "conversion"}:
        hint = 'write conversion = "int8", and a [[step]] for each change before it; see docs/compression.md'
        raise UsageError(f"`{path}` asks for nothing: neither a step nor a conversion", hint)
    return recipe


def parse_recipe(table: Mapping[str, Any]) -> Recipe:
    """Return the recipe that a table describes.

    Raises:
        UsageError: A key or value is unknown, or steps stand in an order that undoes them.
    """
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"unknown key `{key}` of a recipe", f"{did_you_mean(key, _KEYS)}known: {', '.join(_KEYS)}")
    name = str(table["name"])
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise UsageError(f"a recipe cannot be called `{name}`", "use letters, digits, - and _")
    steps, conversion = table.get("step", []), table.get("conversion", {})
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise UsageError(f"recipe `{name}`: `step` is no list of tables", "begin each step with [[step]]")
    if isinstance(conversion, str):
        conversion = {"type": conversion}
    if not isinstance(conversion, dict):
        raise UsageError(f"recipe `{name}`: `conversion` is no table", 'write conversion = "int8" or [conversion]')
    asked = from_table(Conversion, conversion, "the conversion")
    asked.check()
    recipe = Recipe(name, tuple(parse_step(step) for step in steps), asked)
    check_recipe(recipe)
    return recipe


def check_recipe(recipe: Recipe) -> None:
    """Refuse steps that would undo one another, and a conversion that would undo the steps.

    Raises:
        UsageError: Says which.
    """
    check_order(recipe.name, recipe.steps)
    if any(isinstance(step, Qat) for step in recipe.steps) and recipe.conversion.type != "int8":
        raise UsageError(
            f"recipe `{recipe.name}`: step `qat` trains for int8, and the conversion is {recipe.conversion.type}",
            'set `conversion = "int8"`, or leave the step out',
        )


def _named(name: str) -> Recipe:
    known = {recipe.name: recipe for recipe in RECIPES}
    if name not in known:
        hint = f"{did_you_mean(name, known)}known recipes: {', '.join(known)}, or a .toml file of your own"
        raise UsageError(f"unknown recipe: `{name}`", hint)
    return known[name]
