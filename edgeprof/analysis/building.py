"""Writing a `.tflite` of one operator: probes of our own, and operators cut out of other models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_VERSION = 3  # of schema.fbs; every file of the last years has it
# `force_align: 16` of Buffer.data in schema.fbs: runtimes read weights in place.
_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to be written.

    Attributes:
        shape: Its dimensions.
        type: Its number in `tflite.TensorType`.
        name: Its name.
        data: Its constant values, or `None`.
        scales: Real value of one step: none, one, or one for each slice along `axis`.
        zero_points: As many.
        axis: The dimension that has several scales.
        variable: It keeps its values between runs.
    """

    shape: tuple[int, ...]
    type: int
    name: bytes
    data: bytes | None = None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    variable: bool = False


@dataclass(frozen=True, slots=True)
class Op:
    """The operator to be written.

    Attributes:
        code: Its number in `tflite.BuiltinOperator`.
        version: Of that operator.
        inputs: Tensors by number; −1 stands for an absent one.
        outputs: Tensors by number.
        options_type: Number in `tflite.BuiltinOptions`; 0 for none.
        options: Writes the options' table into a builder and returns where it is; `None` for none.
        custom_name: Of a custom operator, or `None`.
        custom_options: Of a custom operator, or `None`.
    """

    code: int
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int = 0
    options: Callable[[Any], int] | None = None
    custom_name: bytes | None = None
    custom_options: bytes | None = None


def write_model(tensors: Sequence[Tensor], op: Op, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """Return a model of one operator as the bytes of a `.tflite` file."""
    import flatbuffers  # noqa: PLC0415 - with `tflite` 60 ms that few commands need
    import tflite  # noqa: PLC0415

    b = flatbuffers.Builder(1 << 16)
    constants = [tensor.data for tensor in tensors if tensor.data is not None]
    buffers = _tables(b, [_buffer(b, data) for data in (None, *constants)])
    numbers = iter(range(1, len(constants) + 1))
    written = [_tensor(b, t, 0 if t.data is None else next(numbers)) for t in tensors]
    graph_tensors = _tables(b, written)
    ins, outs = _ints(b, inputs), _ints(b, outputs)
    ops = _tables(b, [_operator(b, op)])
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, graph_tensors)
    tflite.SubGraphAddInputs(b, ins)
    tflite.SubGraphAddOutputs(b, outs)
    tflite.SubGraphAddOperators(b, ops)
    graphs = _tables(b, [tflite.SubGraphEnd(b)])
    codes = _tables(b, [_code(b, op)])
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, _VERSION)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, buffers)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _buffer(b: Any, data: bytes | None) -> int:  # noqa: ANN401 - `flatbuffers` and `tflite` have no types
    import tflite  # noqa: PLC0415

    vector = None
    if data is not None:
        b.StartVector(1, len(data), _ALIGNMENT)
        b.head -= len(data)
        b.Bytes[b.head : b.head + len(data)] = data
        vector = b.EndVector()
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return int(tflite.BufferEnd(b))


def _tensor(b: Any, tensor: Tensor, buffer: int) -> int:  # noqa: ANN401
    import tflite  # noqa: PLC0415

    name, shape = b.CreateString(tensor.name), _ints(b, tensor.shape)
    quantization = _quantization(b, tensor) if tensor.scales else None
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, tensor.type)
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    tflite.TensorAddIsVariable(b, tensor.variable)
    tflite.TensorAddHasRank(b, True)  # noqa: FBT003 - generated code
    return int(tflite.TensorEnd(b))


def _quantization(b: Any, tensor: Tensor) -> int:  # noqa: ANN401
    import numpy as np  # noqa: PLC0415
    import tflite  # noqa: PLC0415

    scales = b.CreateNumpyVector(np.asarray(tensor.scales, dtype=np.float32))
    zero_points = b.CreateNumpyVector(np.asarray(tensor.zero_points, dtype=np.int64))
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scales)
    tflite.QuantizationParametersAddZeroPoint(b, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
    return int(tflite.QuantizationParametersEnd(b))


def _operator(b: Any, op: Op) -> int:  # noqa: ANN401
    import tflite  # noqa: PLC0415

    inputs, outputs = _ints(b, op.inputs), _ints(b, op.outputs)
    options = None if op.options is None else op.options(b)
    custom = None if op.custom_options is None else b.CreateByteVector(op.custom_options)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, 0)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, op.options_type)
        tflite.OperatorAddBuiltinOptions(b, options)
    if custom is not None:
        tflite.OperatorAddCustomOptions(b, custom)
    return int(tflite.OperatorEnd(b))


def _code(b: Any, op: Op) -> int:  # noqa: ANN401
    import tflite  # noqa: PLC0415

    name = None if op.custom_name is None else b.CreateString(op.custom_name)
    tflite.OperatorCodeStart(b)
    # Old readers know the first field alone, which ends at 127: there they are told to look at the other.
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(op.code, 127))
    tflite.OperatorCodeAddBuiltinCode(b, op.code)
    tflite.OperatorCodeAddVersion(b, op.version)
    if name is not None:
        tflite.OperatorCodeAddCustomCode(b, name)
    return int(tflite.OperatorCodeEnd(b))


def _tables(b: Any, offsets: Sequence[int]) -> int:  # noqa: ANN401
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _ints(b: Any, numbers: Sequence[int]) -> int:  # noqa: ANN401
    b.StartVector(4, len(numbers), 4)
    for number in reversed(numbers):
        b.PrependInt32(number)
    return int(b.EndVector())
