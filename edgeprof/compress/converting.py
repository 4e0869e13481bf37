"""From a SavedModel to `.tflite` bytes, by TensorFlow's converter. Child only."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeprof.analysis.flatbuffer import ModelFile
from edgeprof.analysis.numbers import Array
from edgeprof.compress.conversions import Conversion
from edgeprof.compress.quantizing import quantise_mixed
from edgeprof.compress.ranges import PLAIN, Naming, clipped, named, op_outputs, quantise
from edgeprof.compress.recipes import Recipe
from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec

_OP_SETS = {
    "fp32": ("TFLITE_BUILTINS",),
    "int8": ("TFLITE_BUILTINS_INT8", "TFLITE_BUILTINS"),
    "int16x8": ("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8", "TFLITE_BUILTINS"),
}
_UNSUPPORTED = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")


def convert(
    saved: Path, recipe: Recipe, *, calibration: dict[str, Array] | None, integer_io: bool, naming: Naming = PLAIN
) -> bytes:
    """Return the `.tflite` that `recipe` makes of a SavedModel.

    Args:
        saved: Folder of the SavedModel, batch 1.
        recipe: What to make.
        calibration: For recipes that need it, samples `(n, *shape without batch)` by the input's name.
        integer_io: Inputs and outputs become int8, for recipes that can.
        naming: How the converter calls the layers.

    Raises:
        ModelError: The converter cannot; names the ops where it does.
    """
    with understood(recipe):
        return _convert(saved, recipe.conversion, calibration, integer_io=integer_io, naming=naming)


@contextmanager
def understood(recipe: Recipe) -> Iterator[None]:
    """Turn what the converter raises, which may be anything, into an error of ours.

    Raises:
        ModelError: The converter cannot; names the ops where it does.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as exc:
        raise _failed(recipe, str(exc)) from exc


def _convert(
    saved: Path, asked: Conversion, calibration: dict[str, Array] | None, *, integer_io: bool, naming: Naming
) -> bytes:
    if asked.type == "mixed":
        return quantise_mixed(bytes(_converter(saved, Conversion()).convert()), asked, calibration)
    converter = _converter(saved, asked)
    if asked.calibrated and calibration is not None:
        converter.representative_dataset = lambda: _samples(calibration)
    if calibration is not None and (asked.leave_float or asked.percentile < 100):
        return _by_halves(converter, asked, calibration, integer_io=integer_io, naming=naming)
    if asked.integer_io and integer_io:
        import tensorflow as tf

        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def calibrate(saved: Path, calibration: dict[str, Array]) -> bytes:
    """Return the float `.tflite` of a SavedModel with the range of each activation in it."""
    converter = _converter(saved, Conversion(type="int8"))
    converter.representative_dataset = lambda: _samples(calibration)
    converter._experimental_calibrate_only = True
    return bytes(converter.convert())


def _by_halves(
    converter: Any,  # noqa: ANN401 - TensorFlow has no types
    asked: Conversion,
    calibration: dict[str, Array],
    *,
    integer_io: bool,
    naming: Naming,
) -> bytes:
    converter._experimental_calibrate_only = True
    calibrated = bytes(converter.convert())
    if asked.percentile < 100:
        calibrated = clipped(calibrated, asked.percentile, calibration)
    leave = named(op_outputs(calibrated), asked.leave_float, naming)
    return quantise(calibrated, asked, integer_io=integer_io, leave=leave)


def _converter(saved: Path, asked: Conversion) -> Any:  # noqa: ANN401 - TensorFlow has no types
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    op_sets = _OP_SETS.get(asked.type, _OP_SETS["fp32"])
    converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, name) for name in op_sets]
    if asked.type != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Per-channel Dense layers need an op version that tflite-runtime 2.14 refuses.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if asked.type == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    converter._experimental_disable_per_channel = not asked.per_channel
    return converter


def left_float(found: ModelFile, recipe: Recipe) -> tuple[tuple[str, str], ...]:
    """Return a warning where `dynamic` quantised nothing, or an integer recipe left ops in floating point."""
    if recipe.conversion.type == "dynamic" and not found.quantised:
        text = f"{recipe.name} quantised nothing: the converter leaves weights of fewer than 1,024 elements as they are"
        return (("nothing_quantised", text),)
    if not recipe.conversion.calibrated or not found.float_ops:
        return ()
    names = ", ".join(found.float_ops)
    return (
        (
            "float_ops",
            f"these ops stayed in floating point: {names}; accelerators and int8-only boards cannot run them",
        ),
    )


def by_name(inputs: Sequence[TensorSpec], arrays: Sequence[Array]) -> dict[str, Array]:
    """Return the arrays by their inputs' names, as the converter wants them."""
    return {spec.name: array for spec, array in zip(inputs, arrays, strict=True)}


def _samples(calibration: dict[str, Array]) -> Iterator[dict[str, Array]]:
    count = min(len(array) for array in calibration.values())
    for i in range(count):
        yield {name: array[i : i + 1] for name, array in calibration.items()}


def _failed(recipe: Recipe, text: str) -> ModelError:
    ops = sorted(set(_UNSUPPORTED.findall(text)))
    if ops:
        return ModelError(
            f"{recipe.name}: LiteRT has no op for {', '.join(f'`{op}`' for op in ops)}",
            "replace the layers that use them, or fix sizes that are computed from the input",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    why = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "it says nothing")
    return ModelError(
        f"{recipe.name}: the converter failed: {why[:400]}", "try another recipe: `fp32` asks least of it"
    )
