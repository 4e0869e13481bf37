"""int8 in two halves, ranges and then integers, so that ranges can be clipped and layers left out. Child only."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.conversions import Conversion
from edgeprof.errors import ModelError

_BINS = 2048
_PERCENT = 100.0


def clipped(calibrated: bytes, percentile: float, calibration: Mapping[str, Array]) -> bytes:
    """Return a calibrated float model whose activations' ranges leave out the outermost values.

    Args:
        calibrated: What the converter gives after calibration: a float model with the range of each activation.
        percentile: Of all values of an activation, how many percent its range holds; half of the rest is cut off at
            either end, and an end at zero stays.
        calibration: Samples `(n, …)` by the input's name.
    """
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(calibrated, 0))
    graph = tree.subgraphs[0]
    ranged = [i for i, tensor in enumerate(graph.tensors) if _range(tensor) is not None]
    limits = {i: _range(graph.tensors[i]) for i in ranged}
    counts = _histograms(calibrated, limits, calibration)
    tail = (1 - percentile / _PERCENT) / 2
    for i, histogram in counts.items():
        quantisation = graph.tensors[i].quantization
        low, high = _cut(histogram, limits[i], tail)
        quantisation.min, quantisation.max = [low], [high]
    builder = Builder(len(calibrated))
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def quantise(
    calibrated: bytes, asked: Conversion, *, integer_io: bool, leave: Sequence[str], verify: bool = False
) -> bytes:
    """Return a calibrated model in int8, but for the ops whose outputs are named in `leave`.

    With `verify` each op's float twin stands beside it, with what compares the two; for the quantisation debugger.
    """
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.python.framework import dtypes

    kind = dtypes.int8 if integer_io else dtypes.float32
    return bytes(
        mlir_quantize(
            calibrated,
            not asked.per_channel,
            input_data_type=kind,
            output_data_type=kind,
            disable_per_channel_for_dense_layers=True,
            denylisted_nodes=set(leave) or None,
            enable_numeric_verify=verify,
        )
    )


def op_outputs(model: bytes) -> list[str]:
    """Return the name of each op's first output: what the converter knows layers by."""
    import tflite

    graph = tflite.Model.GetRootAs(model, 0).Subgraphs(0)
    ops = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    return [graph.Tensors(op.Outputs(0)).Name().decode() for op in ops if op.OutputsLength()]


@dataclass(frozen=True, slots=True)
class Naming:
    """How a converted model calls the layers of a Keras model.

    Attributes:
        suffixed: The model is Keras 3's, which calls the scope of a layer `dense` `dense_1`, of `dense_1` `dense_1_2`.
        heads: The layers that give the model's outputs, in order: the converter calls those by number.
    """

    suffixed: bool = False
    heads: tuple[str, ...] = ()

    def output_of(self, layer: str, outputs: Sequence[str]) -> list[str]:
        """Return the converter's names of the model's outputs that a layer gives."""
        order = sorted(f"output_{i}" for i in range(len(self.heads)))
        places = [order.index(f"output_{i}") for i, head in enumerate(self.heads) if head == layer]
        words = [f"{word}PartitionedCall:{place}" for place in places for word in ("", "Stateful")]
        return [word for word in words if word in outputs]


PLAIN = Naming()


def named(outputs: Sequence[str], layers: Sequence[str], naming: Naming) -> list[str]:
    """Return the outputs of the layers so named; an output's whole name is taken too.

    Args:
        outputs: See `op_outputs`.
        layers: As the Keras model calls them.
        naming: What the converter makes of their names.

    Raises:
        ModelError: A name is no layer's; lists some that are.
    """
    found: list[str] = []
    for layer in layers:
        patterns = [rf"{re.escape(layer)}_\d+"] * naming.suffixed + [re.escape(layer)]
        words = [re.compile(rf"(^|[/;]){pattern}($|[/;:])") for pattern in patterns]
        hits = [[output for output in outputs if word.search(output)] for word in words]
        mine = [layer] if layer in outputs else next((hit for hit in hits if hit), [])
        mine += naming.output_of(layer, outputs)
        if not mine:
            parts = sorted({part for output in outputs for part in re.split("[/;:]", output)[1:2]})
            shown = [re.sub(r"_\d+$", "", part) if naming.suffixed else part for part in parts]
            raise ModelError(
                f"`leave_float` names `{layer}`, and no layer of the converted model is called so",
                f"known: {', '.join(dict.fromkeys((*shown[:20], *naming.heads)))}",
            )
        found += mine
    return list(dict.fromkeys(found))


def _range(tensor: Any) -> tuple[float, float] | None:  # noqa: ANN401 - the schema has no types
    found = tensor.quantization
    if found is None or found.min is None or found.max is None or len(found.min) != 1:
        return None
    return float(found.min[0]), float(found.max[0])


def _histograms(
    model: bytes, limits: Mapping[int, tuple[float, float] | None], calibration: Mapping[str, Array]
) -> dict[int, Array]:
    """Return how often each activation's values fall into each of 2,048 parts of its range."""
    counts = {i: np.zeros(_BINS, np.int64) for i in limits}

    def see(read: Callable[[int], Array]) -> None:
        for i in counts:
            counts[i] += np.histogram(np.asarray(read(i), np.float64), _BINS, limits[i])[0]

    run_float(model, calibration, see)
    return counts


def run_float(model: bytes, calibration: Mapping[str, Array], see: Callable[[Callable[[int], Array]], None]) -> None:
    """Run a model on each sample, keeping every tensor; `see` gets what reads a tensor by its number."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    runner = interpreter.get_signature_runner()
    for i in range(min(len(array) for array in calibration.values())):
        runner(**{name: array[i : i + 1] for name, array in calibration.items()})
        see(interpreter.get_tensor)


def _cut(histogram: Array, limits: tuple[float, float] | None, tail: float) -> tuple[float, float]:
    low, high = limits or (0.0, 0.0)
    share = np.cumsum(histogram) / max(1, int(histogram.sum()))
    edges = np.linspace(low, high, _BINS + 1)
    first, last = int(np.searchsorted(share, tail, side="right")), int(np.searchsorted(share, 1 - tail, side="left"))
    cut_low = low if low == 0 else float(edges[min(first, _BINS)])
    cut_high = high if high == 0 else float(edges[min(last + 1, _BINS)])
    return (cut_low, cut_high) if cut_low < cut_high else (low, high)
