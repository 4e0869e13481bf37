"""What is doubtful about an artifact: said in warnings, never just tabulated. Child only."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgeprof.analysis.flatbuffer import ModelFile, parse, read_model, tensor_spec
from edgeprof.analysis.numbers import Array, from_tensor, sqnr_db
from edgeprof.analysis.weights import read_weights
from edgeprof.compress.converting import left_float
from edgeprof.compress.ranges import run_float
from edgeprof.compress.recipes import Recipe

Warnings = tuple[tuple[str, str], ...]
# A float conversion differs from Keras by rounding only: 100 dB and more; a dropped setting of a layer by far more.
PARITY_DB = 40.0
# int8 that works leaves 20 dB and more; below this most of the signal is noise.
LOSSY_DB = 10.0
_LOSSY_AGREEMENT = 0.75
# Of fewer samples no share is worth a warning.
_ENOUGH = 16
_PROBED = 8
# Ranges of activations from a handful of samples miss what the others reach; some hundreds are usual.
_FEW_CALIBRATION_SAMPLES = 10
# TensorFlow's quantiser gives a layer that only ever was zero a range of 1e-6 each way; found in files of 2.19.
_NO_RANGE_SCALE = 1e-8


def doubts(path: Path, recipe: Recipe, outputs: Sequence[Array], expected: Sequence[Array]) -> Warnings:
    """Return warnings about the file at `path`.

    Args:
        path: The `.tflite`.
        recipe: How it was made.
        outputs: What it makes of some inputs, in its outputs' dtypes, `(n, *shape)`.
        expected: What the float model that went into the recipe makes of them.
    """
    found = read_model(path)
    pairs = paired(found, outputs, expected)
    if pairs is None:
        return (("parity", f"the artifact has {len(outputs)} outputs, the Keras model {len(expected)}"),)
    return (*left_float(found, recipe), *_constant(outputs), *_dead(path), *_gate(recipe), *_lossy(recipe, pairs))


def parity(found: ModelFile, outputs: Sequence[Array], expected: Sequence[Array]) -> Warnings:
    """Return a warning where a float artifact computes something else than the Keras model."""
    pairs = paired(found, outputs, expected)
    worst = _worst(pairs or [])
    if worst is None or worst >= PARITY_DB:
        return ()
    text = f"its outputs differ from the Keras model's: signal to error {worst:.0f} dB, expected {PARITY_DB:.0f}"
    return (("parity", text),)


def zero_ranges(float_model: bytes, calibration: Mapping[str, Array]) -> Warnings:
    """Return a warning about layers that give one value for all calibration samples: their int8 scale means nothing."""
    import tflite

    graph = tflite.Model.GetRootAs(float_model, 0).Subgraphs(0)
    ops = [graph.Operators(i).Outputs(0) for i in range(graph.OperatorsLength()) if graph.Operators(i).OutputsLength()]
    seen: dict[int, list[float]] = {i: [] for i in ops}
    few = {name: array[:_PROBED] for name, array in calibration.items()}

    def see(read: Callable[[int], Array]) -> None:
        for i in seen:
            values = read(i)
            seen[i] += [float(values.min()), float(values.max())] if values.size else []

    run_float(float_model, few, see)
    flat = [graph.Tensors(i).Name().decode() for i, ends in seen.items() if ends and min(ends) == max(ends)]
    if not flat:
        return ()
    names = ", ".join(_short(name) for name in flat[:5])
    text = f"these layers give one and the same value for all calibration samples looked at: {names}"
    return (("zero_range", f"{text}; are the samples scaled as the model wants, and is it trained?"),)


def few_samples(calibration: Mapping[str, Array]) -> Warnings:
    """Return a warning where so few calibration samples were given that the ranges say little."""
    samples = min(len(array) for array in calibration.values())
    if samples >= _FEW_CALIBRATION_SAMPLES:
        return ()
    noun = "1 sample" if samples == 1 else f"{samples} samples"
    return (
        ("few_calibration_samples", f"the ranges come from {noun}: other inputs may be clipped; 100 to 500 are usual"),
    )


def silent_layers(path: Path) -> tuple[str, ...]:
    """Return the layers of an integer `.tflite` that gave nothing but zero for all calibration samples."""
    return parse(path, _silent_layers)


def _silent_layers(data: bytes) -> tuple[str, ...]:
    import tflite

    graph = tflite.Model.GetRootAs(data, 0).Subgraphs(0)
    made = (graph.Operators(i).Outputs(0) for i in range(graph.OperatorsLength()) if graph.Operators(i).OutputsLength())
    specs = [tensor_spec(graph, number) for number in made]
    return tuple(_short(spec.name) for spec in specs if spec.scale is not None and spec.scale < _NO_RANGE_SCALE)


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:57] + "…"


def _constant(outputs: Sequence[Array]) -> Warnings:
    if len(outputs[0]) < 2 or not all((output == output[:1]).all() for output in outputs):
        return ()
    text = f"the outputs are the same for {len(outputs[0])} different inputs; is the model trained, its input scaled?"
    return (("constant_output", text),)


def _dead(path: Path) -> Warnings:
    dead = [w.name for w in read_weights(path) if w.nonzero == 0 and w.dimensions > 1]
    if not dead:
        return ()
    return (("dead_layer", f"all weights are zero in {', '.join(_short(name) for name in dead[:5])}"),)


def _gate(recipe: Recipe) -> Warnings:
    if not recipe.conversion.litert_only:
        return ()
    text = "for LiteRT only: older runtimes refuse it or compute something else, which the golden check catches"
    return (("litert_only", text),)


def _lossy(recipe: Recipe, pairs: Sequence[tuple[Array, Array]]) -> Warnings:
    """Return a warning where quantising, or all of the recipe, lost most of what the float model says."""
    worst = _worst(pairs)
    if recipe.conversion.type == "fp32" or worst is None:
        return ()
    want, got = pairs[0]
    if worst < LOSSY_DB:
        text = f"its outputs are mostly noise against the float model's: signal to error {worst:.0f} dB"
        return (("lossy", f"{text}; try int16x8, more calibration samples, or layers left in float"),)
    if len(want) >= _ENOUGH and want[0].size > 1:
        same = float((want.reshape(len(want), -1).argmax(1) == got.reshape(len(got), -1).argmax(1)).mean())
        if same < _LOSSY_AGREEMENT:
            return (("lossy", f"its highest output is the float model's for only {same:.0%} of {len(want)} samples"),)
    return ()


def _worst(pairs: Sequence[tuple[Array, Array]]) -> float | None:
    decibels = [sqnr_db(want.ravel(), got.ravel()) for want, got in pairs]
    return min((db for db in decibels if db is not None), default=None)


def paired(found: ModelFile, outputs: Sequence[Array], expected: Sequence[Array]) -> list[tuple[Array, Array]] | None:
    """Return pairs of a Keras output and the artifact's, in real numbers, or `None` where they do not pair."""
    if len(outputs) != len(expected):
        return None
    order = [int(name.removeprefix("output_")) for name in found.output_names] or range(len(outputs))
    real = [from_tensor(spec, np.asarray(out)) for spec, out in zip(found.outputs, outputs, strict=True)]
    return [(expected[i], got) for i, got in zip(order, real, strict=True)]
