"""Reading a `.tflite` flatbuffer: tensors, ops and state, whatever bytes the file may hold.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec

IDENTIFIER = b"TFL3"
_MOST_INPUTS = 1024
_MOST_DIMENSIONS = 16
_LONGEST_NAME = 1024
# Place of the field in its vtable.
_BUILTIN_CODE = 10
Parsed = TypeVar("Parsed")
STATEFUL_OPS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})
BORDER_OPS = frozenset({"QUANTIZE", "DEQUANTIZE"})
# What reading broken bytes can raise: an offset beyond the file, a table that is none, an unknown code.
_BROKEN = (struct.error, IndexError, TypeError, ValueError, KeyError, AttributeError, OverflowError, MemoryError)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a `.tflite` file says of itself.

    Attributes:
        inputs: Of subgraph 0, in its order.
        outputs: Of subgraph 0, in its order.
        stateful: It keeps variables between runs.
        ops: Names of the builtin ops it uses, sorted, each once.
        custom_ops: Names of its custom ops, sorted.
        float_ops: Names of the ops of subgraph 0 that compute floats, borders between floats and integers left out.
        quantised: Some tensor of subgraph 0 holds integers that stand for real numbers.
        input_names: What the first signature calls the inputs, in their order; empty without a signature.
        output_names: What it calls the outputs.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    stateful: bool
    ops: tuple[str, ...]
    custom_ops: tuple[str, ...]
    float_ops: tuple[str, ...]
    quantised: bool
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()


def read_model(path: Path) -> ModelFile:
    """Return what the file at `path` holds.

    Raises:
        ModelError: It is missing, empty, cut short or no `.tflite` file.
    """
    return parse(path, _read)


def parse(path: Path, read: Callable[[bytes], Parsed]) -> Parsed:
    """Return what `read` makes of a file's bytes; whatever broken bytes make it raise becomes a `ModelError`.

    Raises:
        ModelError: The file is missing, empty, cut short or no `.tflite` file.
    """
    data = _bytes(path)
    try:
        return read(data)
    except _BROKEN as exc:
        raise ModelError(
            f"`{path}` begins like a .tflite file but is damaged or cut short ({len(data)} bytes)",
            "copy or convert it again, and compare its size with the original's",
        ) from exc


def _bytes(path: Path) -> bytes:
    if path.is_fifo():  # it would wait for whoever writes into it
        raise ModelError(f"`{path}` is no regular file", "copy the model into one")
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise ModelError(f"there is no file `{path}`", "check the path") from exc
    except OSError as exc:
        raise ModelError(f"cannot read `{path}`: {exc.strerror}", "check the path and its permissions") from exc
    if not data:
        raise ModelError(f"`{path}` is empty", "copy or convert it again: an interrupted copy leaves such a file")
    if data[4:8] != IDENTIFIER:
        raise ModelError(
            f"`{path}` is not a .tflite file: bytes 4 to 7 are {data[4:8]!r} instead of {IDENTIFIER!r}",
            "give a .tflite file; `edgeprof compress MODEL` makes one of a Keras model",
        )
    return data


def _read(data: bytes) -> ModelFile:
    import tflite  # noqa: PLC0415 - 60 ms that few commands need

    model = tflite.Model.GetRootAs(data, 0)
    size = len(data)
    graphs = [model.Subgraphs(i) for i in range(count_in(model.SubgraphsLength(), size))]
    _check_buffers(model, size)
    names = [op_name(model.OperatorCodes(i)) for i in range(count_in(model.OperatorCodesLength(), size))]
    used = {index for graph in graphs for index in _op_indices(graph, size)}
    ops = sorted({names[i][0] for i in used if not names[i][1]})
    first = graphs[0]
    return ModelFile(
        inputs=_specs(first, first.InputsLength(), first.Inputs),
        outputs=_specs(first, first.OutputsLength(), first.Outputs),
        stateful=not STATEFUL_OPS.isdisjoint(ops) or any(_is_variable(graph, size) for graph in graphs),
        ops=tuple(ops),
        custom_ops=tuple(sorted({names[i][0] for i in used if names[i][1]})),
        float_ops=tuple(sorted({names[i][0] for i in _float_ops(first, size)} - BORDER_OPS)),
        quantised=_is_quantised(first, size),
        input_names=_signature_names(model, "Inputs", first),
        output_names=_signature_names(model, "Outputs", first),
    )


def count_in(length: int, size: int) -> int:
    """Return `length`, the length of a vector of 4-byte elements in a file of `size` bytes.

    Raises:
        ValueError: So many do not fit.
    """
    if not 0 <= length <= size // 4:
        raise ValueError(f"a vector of {length} elements in {size} bytes")
    return length


def _check_buffers(model: Any, size: int) -> None:  # noqa: ANN401 - `tflite` has no types
    """Refuse weights that lie beyond the end: they are what a cut file loses first."""
    for i in range(count_in(model.BuffersLength(), size)):
        buffer = model.Buffers(i)
        # Vector field 0 of the table, "data"; slot 4 as the generated code has it.
        slot = buffer._tab.Offset(4)
        end = buffer._tab.Vector(slot) + buffer.DataLength() if slot else 0
        if max(end, buffer.Offset() + buffer.Size()) > size:
            raise ValueError(f"buffer {i} ends at {end} of {size}")


def op_name(code: Any) -> tuple[str, bool]:  # noqa: ANN401
    """Return an op's name and whether it is a custom op."""
    import tflite  # noqa: PLC0415

    number = builtin_code(code)
    if number == tflite.BuiltinOperator.CUSTOM:
        return _text(code.CustomCode()), True
    name = tflite.BUILTIN_OPCODE2NAME.get(number)
    return (str(name), False) if name else (f"BUILTIN_{number}", False)


def builtin_code(code: Any) -> int:  # noqa: ANN401
    """Return the number of an `OperatorCode`: the larger of its two fields, which is right for either age of file.

    litert-quantizer fills the newer field alone, which `tflite` 2.18 reads only where it is above 126.
    """
    from flatbuffers.number_types import Int32Flags  # noqa: PLC0415

    table = code._tab
    place = table.Offset(_BUILTIN_CODE)
    newer = int(table.Get(Int32Flags, place + table.Pos)) if place else 0
    return max(newer, int(code.DeprecatedBuiltinCode()))


def _text(raw: bytes | None) -> str:
    return (raw or b"")[:_LONGEST_NAME].decode(errors="replace")


def _op_indices(graph: Any, size: int) -> Iterator[int]:  # noqa: ANN401
    for i in range(count_in(graph.OperatorsLength(), size)):
        yield graph.Operators(i).OpcodeIndex()


def _is_variable(graph: Any, size: int) -> bool:  # noqa: ANN401
    return any(graph.Tensors(i).IsVariable() for i in range(count_in(graph.TensorsLength(), size)))


def _is_quantised(graph: Any, size: int) -> bool:  # noqa: ANN401
    for i in range(count_in(graph.TensorsLength(), size)):
        quantization = graph.Tensors(i).Quantization()
        if quantization is not None and quantization.ScaleLength():
            return True
    return False


def _float_ops(graph: Any, size: int) -> Iterator[int]:  # noqa: ANN401
    """Yield the op codes' indices of ops whose first output is float."""
    for i in range(count_in(graph.OperatorsLength(), size)):
        op = graph.Operators(i)
        if op.OutputsLength() and op.Outputs(0) >= 0 and _dtype(graph.Tensors(op.Outputs(0))).startswith("float"):
            yield op.OpcodeIndex()


def _specs(graph: Any, length: int, index: Any) -> tuple[TensorSpec, ...]:  # noqa: ANN401
    if not 0 <= length <= _MOST_INPUTS:
        raise ValueError(f"{length} inputs or outputs")
    return tuple(tensor_spec(graph, index(i)) for i in range(length))


def _signature_names(model: Any, side: str, graph: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return the first signature's names for the graph's `Inputs` or `Outputs`, in the graph's order."""
    if not model.SignatureDefsLength():
        return ()
    signature = model.SignatureDefs(0)
    length = getattr(signature, f"{side}Length")()
    if not 0 <= length <= _MOST_INPUTS:
        raise ValueError(f"a signature of {length} {side}")
    pairs = [getattr(signature, side)(i) for i in range(length)]
    names = {pair.TensorIndex(): _text(pair.Name()) for pair in pairs}
    indices = [getattr(graph, side)(i) for i in range(getattr(graph, f"{side}Length")())]
    return tuple(names[i] for i in indices) if all(i in names for i in indices) else ()


def tensor_spec(graph: Any, index: int) -> TensorSpec:  # noqa: ANN401
    """Return a tensor of a graph by its number.

    Raises:
        ValueError: There is none, or it has too many dimensions.
    """
    if not 0 <= index < graph.TensorsLength():
        raise ValueError(f"tensor {index}")
    tensor = graph.Tensors(index)
    if tensor.ShapeLength() > _MOST_DIMENSIONS:
        raise ValueError(f"{tensor.ShapeLength()} dimensions")
    shape = tuple(max(1, int(tensor.Shape(i))) for i in range(tensor.ShapeLength()))
    scale, zero_point = _quantisation(tensor)
    return TensorSpec(_text(tensor.Name()), shape, _dtype(tensor), scale, zero_point)


def _quantisation(tensor: Any) -> tuple[float | None, int | None]:  # noqa: ANN401
    """Return scale and zero point of a tensor quantised as a whole, else nothing."""
    found = tensor.Quantization()
    if found is None or found.ScaleLength() != 1 or not 0 < found.Scale(0) < float("inf"):
        return None, None
    return float(found.Scale(0)), int(found.ZeroPoint(0)) if found.ZeroPointLength() else 0


def _dtype(tensor: Any) -> str:  # noqa: ANN401
    import tflite  # noqa: PLC0415

    names = {number: name.lower() for name, number in vars(tflite.TensorType).items() if not name.startswith("_")}
    return str(names[tensor.Type()])
