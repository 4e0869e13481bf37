"""Mixed precision by litert-quantizer, from a float `.tflite`. Child only."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeprof.analysis.numbers import Array
from edgeprof.analysis.weights import read_weights
from edgeprof.compress.conversions import Conversion
from edgeprof.compress.ranges import op_outputs
from edgeprof.errors import ModelError

_BITS = {"int4": 4, "int8": 8, "int16": 16}
# litert-quantizer leaves the version as it was: tflite-runtime 2.14 then takes a per-channel Dense layer for a
# per-tensor one and computes nonsense. From this version on it refuses.
_DENSE_VERSION = 12
_DENSE = 9  # FULLY_CONNECTED in the schema's list of builtin operators
# Below this, whatever the float model was, its quantised weights are not what the recipe says.
_ACHIEVED_SHARE = 0.05


def quantise_mixed(model: bytes, asked: Conversion, calibration: Mapping[str, Array] | None) -> bytes:
    """Return a float `.tflite` with its weights, and its activations if asked, as integers of few bits.

    Args:
        model: The float file.
        asked: Of type `mixed`.
        calibration: Samples `(n, …)` by the input's name, for integer activations.

    Raises:
        ModelError: The quantiser fails, a pattern fits no layer, or the weights are not of the type asked for.
    """
    from litert_quantizer import quantizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.tflite"
        path.write_bytes(model)
        names = [w.name for w in read_weights(path)]
        _check_patterns(asked, op_outputs(model))
        try:
            tool = quantizer.Quantizer(str(path))
            # A later pattern goes before an earlier one where the quantiser knows its setting for that kind of layer:
            # what has no int4 (additions, depthwise convolutions) becomes int8 and does not stay float.
            for pattern, weights in ((".*", "int8"), ("^.*", asked.weights), *((p, "int8") for p in asked.int8_layers)):
                _add(tool, pattern, weights, asked.activations)
            ranges = _ranges(tool, calibration) if asked.activations != "float" else None
            made = bytes(tool.quantize(ranges, enable_progress_report=False).quantized_model)
        except (ValueError, RuntimeError, KeyError, TypeError, NotImplementedError) as exc:
            why = (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]
            raise ModelError(f"litert-quantizer cannot quantise the model: {why}", "try int8, by TensorFlow") from exc
        path.write_bytes(_gated(made))
        _check_achieved(path, asked, names)
        return path.read_bytes()


def _add(tool: Any, pattern: str, weights: str, activations: str) -> None:  # noqa: ANN401 - it is loosely typed
    from litert_quantizer import qtyping

    everything = qtyping.TFLOperationName.ALL_SUPPORTED
    if activations == "float":
        tool.add_weight_only_config(pattern, everything, _BITS[weights])
    else:
        tool.add_static_config(pattern, everything, _BITS[activations], _BITS[weights])


def _ranges(tool: Any, calibration: Mapping[str, Array] | None) -> Any:  # noqa: ANN401
    given = calibration or {}
    count = min(len(array) for array in given.values())
    samples = [{name: array[i : i + 1] for name, array in given.items()} for i in range(count)]
    return tool.calibrate({"serving_default": samples}, num_threads=1)


def _check_patterns(asked: Conversion, outputs: list[str]) -> None:
    for pattern in asked.int8_layers:
        try:
            found = any(re.search(pattern, name) for name in outputs)
        except re.error as exc:
            raise ModelError(f"`{pattern}` of `int8_layers` is no regular expression: {exc}", None) from exc
        if not found:
            raise ModelError(
                f"`{pattern}` of `int8_layers` fits no layer, so nothing would stay int8",
                f"layers are named by their outputs, such as `{outputs[0]}`; see `edgeprof inspect`",
            )


def _gated(model: bytes) -> bytes:
    """Return the model with Dense layers of a version that runtimes refuse where they would compute nonsense."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for code in tree.operatorCodes:
        if max(code.builtinCode, code.deprecatedBuiltinCode) == _DENSE:
            code.version = max(code.version, _DENSE_VERSION)
    builder = Builder(len(model))
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _check_achieved(path: Path, asked: Conversion, before: list[str]) -> None:
    counts = {"total": 0, asked.weights: 0}
    for w in read_weights(path):
        counts["total"] += w.count
        counts[w.dtype] = counts.get(w.dtype, 0) + w.count
    if counts[asked.weights] < _ACHIEVED_SHARE * counts["total"]:
        raise ModelError(
            f"only {counts[asked.weights]:,} of {counts['total']:,} parameters became {asked.weights}",
            f"litert-quantizer knows few kinds of layers ({len(before)} tensors of weights here); try int8",
        )
