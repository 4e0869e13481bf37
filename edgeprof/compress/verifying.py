"""What int8 adds at each operator, by TensorFlow's quantisation debugger. Child only."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.flatbuffer import read_model
from edgeprof.analysis.numbers import Array
from edgeprof.compress.conversions import Conversion
from edgeprof.compress.error_report import OpError
from edgeprof.compress.ranges import op_outputs, quantise, run_float
from edgeprof.errors import ModelError


def op_errors(
    calibrated: bytes,
    asked: Conversion,
    samples: Mapping[str, Array],
    folder: Path,
    leave: Sequence[str] = (),
) -> list[OpError]:
    """Return what int8 adds at each operator, in the model's order; `layer` is the output's name.

    Each operator and its float twin get the same inputs, so that the errors of earlier ones do not count.

    Args:
        calibrated: A float model with ranges.
        asked: How it is quantised.
        samples: `(n, …)` by the input's name.
        folder: Where a file can be written.
        leave: Outputs of the operators that stay in float.

    Raises:
        ModelError: Nothing in the model is quantised.
    """
    path = folder / "debug.tflite"
    path.write_bytes(quantise(calibrated, asked, integer_io=False, leave=leave, verify=True))
    rows = _statistics(path, samples)
    spread = _spreads(calibrated, samples)
    names = own_names(op_outputs(calibrated), _names(path, rows))
    return [_row(row, name, spread.get(name)) for name, row in zip(names, rows, strict=True)]


def own_names(outputs: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return for each name in a debug model, in order, the one in `outputs`: digits after it make it another there."""
    names, at = [], 0
    for name in found:
        fits = [i for i, output in enumerate(outputs) if re.fullmatch(re.escape(output) + r"\d*", name)]
        at = next((i for i in fits if i >= at), fits[-1] if fits else at)
        names.append(outputs[at] if fits else name)
    return names


def _statistics(path: Path, samples: Mapping[str, Array]) -> list[dict[str, str]]:
    import tensorflow as tf

    found = read_model(path)
    names = found.input_names or tuple(samples)

    def feed() -> Any:  # noqa: ANN401 - the debugger's own
        for i in range(min(len(array) for array in samples.values())):
            yield [samples[name][i : i + 1] for name in names]

    try:
        debugger = tf.lite.experimental.QuantizationDebugger(quant_debug_model_path=str(path), debug_dataset=feed)
    except ValueError as exc:  # it finds no operator to verify
        raise ModelError("int8 quantises no operator of the model, so none adds an error", None) from exc
    debugger.run()
    text = io.StringIO()
    debugger.layer_statistics_dump(text)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def _names(path: Path, rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the names of the rows' tensors whole: the debugger cuts off a digit that a name ends with."""
    import tflite

    graph = tflite.Model.GetRootAs(path.read_bytes(), 0).Subgraphs(0)
    return [graph.Tensors(int(row["tensor_idx"])).Name().decode() for row in rows]


def _row(row: dict[str, str], name: str, spread: float | None) -> OpError:
    scale = float(row["scale"])
    return OpError(
        layer=name,
        op=row["op_name"],
        output=name,
        rmse_steps=float(np.sqrt(float(row["mean_squared_error"]))) / scale,
        largest_steps=float(row["max_abs_error"]) / scale,
        spread_steps=None if spread is None else spread / scale,
    )


def _spreads(calibrated: bytes, samples: Mapping[str, Array]) -> dict[str, float]:
    """Return for each operator's output the standard deviation of its middle channel, of those that change at all."""
    import tflite

    graph = tflite.Model.GetRootAs(calibrated, 0).Subgraphs(0)
    ops = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    names = {op.Outputs(0): graph.Tensors(op.Outputs(0)).Name().decode() for op in ops if op.OutputsLength()}
    sums: dict[int, Array] = {}

    def see(read: Callable[[int], Array]) -> None:
        for i in names:
            values = np.atleast_1d(read(i)).astype(np.float64)
            rows = values.reshape(-1, values.shape[-1])
            seen = np.stack([np.full(rows.shape[1], len(rows)), rows.sum(axis=0), (rows**2).sum(axis=0)])
            sums[i] = sums.get(i, 0) + seen

    run_float(calibrated, samples, see)
    found = {names[i]: _middle(*seen) for i, seen in sums.items()}
    return {name: spread for name, spread in found.items() if spread is not None}


def _middle(count: Array, total: Array, squares: Array) -> float | None:
    deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
    living = deviation[deviation > 0]
    return float(np.median(living)) if living.size else None


def readers(model: bytes) -> dict[str, tuple[str, ...]]:
    """Return for each operator's first output the first outputs of those that read it."""
    import tflite

    graph = tflite.Model.GetRootAs(model, 0).Subgraphs(0)
    ops = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    names = {op.Outputs(0): graph.Tensors(op.Outputs(0)).Name().decode() for op in ops if op.OutputsLength()}
    found: dict[str, tuple[str, ...]] = dict.fromkeys(names.values(), ())
    for op in ops:
        for i in range(op.InputsLength()):
            read = names.get(op.Inputs(i))
            if read is not None and op.OutputsLength():
                found[read] += (names[op.Outputs(0)],)
    return found
