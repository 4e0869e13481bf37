"""Cutting a `.tflite` into models of one operator each, with its weights and the quantisation of its tensors.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof.analysis.building import Op, Tensor, write_model
from edgeprof.analysis.flatbuffer import STATEFUL_OPS, builtin_code, count_in, op_name, parse

_CALLERS = frozenset({"WHILE", "IF", "CALL", "STABLEHLO_COMPOSITE"})
_HANDLES = frozenset({"resource", "variant", "string"})


@dataclass(frozen=True, slots=True)
class SubModel:
    """One operator as a model of its own.

    Attributes:
        node: Its place in the file.
        model: The `.tflite` file's bytes; `None` where it cannot stand alone.
        why_not: The reason code then; else `None`.
    """

    node: int
    model: bytes | None
    why_not: str | None = None


class _CannotCutError(Exception):
    """The operator cannot stand alone; the message is the reason code."""


def cut(path: Path) -> tuple[SubModel, ...]:
    """Return every operator of the main graph of the file at `path` as a model, or why it cannot be one.

    Raises:
        ModelError: It is missing, cut short or no `.tflite` file.
    """
    return parse(path, _cut)


def _cut(data: bytes) -> tuple[SubModel, ...]:
    import tflite  # noqa: PLC0415 - 60 ms that few commands need

    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    return tuple(_sub_model(data, model, graph, i) for i in range(count_in(graph.OperatorsLength(), len(data))))


def _sub_model(data: bytes, model: Any, graph: Any, node: int) -> SubModel:  # noqa: ANN401 - `tflite` has no types
    try:
        return SubModel(node, _written(data, model, graph, graph.Operators(node)))
    except _CannotCutError as exc:
        return SubModel(node, None, str(exc))


def _written(data: bytes, model: Any, graph: Any, op: Any) -> bytes:  # noqa: ANN401
    code = model.OperatorCodes(op.OpcodeIndex())
    name, custom = op_name(code)
    if name in _CALLERS or name in STATEFUL_OPS:
        raise _CannotCutError("keeps_state" if name in STATEFUL_OPS else "calls_other_graphs")
    if op.IntermediatesLength() or op.BuiltinOptions2Type():
        raise _CannotCutError("options_of_a_kind_that_is_not_copied")
    inputs = [int(op.Inputs(i)) for i in range(op.InputsLength())]
    outputs = [int(op.Outputs(i)) for i in range(op.OutputsLength())]
    numbers = list(dict.fromkeys(n for n in (*inputs, *outputs) if n >= 0))
    tensors = [_tensor(data, model, graph.Tensors(n)) for n in numbers]
    places = {number: place for place, number in enumerate(numbers)} | {-1: -1}
    fed = [places[n] for n in dict.fromkeys(inputs) if n >= 0 and tensors[places[n]].data is None]
    if not fed or not outputs:
        raise _CannotCutError("no_input_or_output")
    options_type, options = (0, None) if custom else _options(op)
    made = Op(
        code=builtin_code(code),
        version=code.Version(),
        inputs=tuple(places[n] for n in inputs),
        outputs=tuple(places[n] for n in outputs),
        options_type=options_type,
        options=options,
        custom_name=code.CustomCode() if custom else None,
        custom_options=op.CustomOptionsAsNumpy().tobytes() if custom and op.CustomOptionsLength() else None,
    )
    return write_model(tensors, made, fed, made.outputs)


def _tensor(data: bytes, model: Any, raw: Any) -> Tensor:  # noqa: ANN401
    import tflite  # noqa: PLC0415

    names = {number: name.lower() for name, number in vars(tflite.TensorType).items() if not name.startswith("_")}
    if raw.IsVariable() or names.get(raw.Type()) in _HANDLES:
        raise _CannotCutError("keeps_state")
    if raw.Sparsity() is not None:
        raise _CannotCutError("sparse")
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    found = raw.Quantization()
    if found is not None and found.ScaleLength():
        scales = tuple(float(found.Scale(i)) for i in range(found.ScaleLength()))
        zero_points = tuple(int(found.ZeroPoint(i)) for i in range(found.ZeroPointLength())) or (0,) * len(scales)
    return Tensor(
        shape=tuple(max(1, int(raw.Shape(i))) for i in range(raw.ShapeLength())),
        type=raw.Type(),
        name=raw.Name() or b"",
        data=_constant(data, model, raw.Buffer()),
        scales=scales,
        zero_points=zero_points,
        axis=found.QuantizedDimension() if scales else 0,
    )


def _constant(data: bytes, model: Any, index: int) -> bytes | None:  # noqa: ANN401
    if index >= model.BuffersLength():
        return None
    buffer = model.Buffers(index)
    if buffer.DataLength():
        return bytes(buffer.DataAsNumpy().tobytes())
    # Offset and size where data stand behind the flatbuffer.
    return data[buffer.Offset() : buffer.Offset() + buffer.Size()] if buffer.Size() > 1 else None


def _options(op: Any) -> tuple[int, Callable[[Any], int] | None]:  # noqa: ANN401
    """Return the type of an operator's options, and what writes a copy of them: field by field, by generated code."""
    import tflite  # noqa: PLC0415

    kind, table = op.BuiltinOptionsType(), op.BuiltinOptions()
    if not kind or table is None:
        return 0, None
    name = next((n for n, number in vars(tflite.BuiltinOptions).items() if number == kind), None)
    if name is None:
        raise _CannotCutError("options_of_a_kind_that_is_not_copied")
    options = getattr(tflite, name)()
    options.Init(table.Bytes, table.Pos)
    add = f"{name}Add"
    fields = [function.removeprefix(add) for function in dir(tflite) if function.startswith(add)]
    return kind, _copier(name, {field: _value(options, field) for field in fields})


def _value(options: Any, field: str) -> Any:  # noqa: ANN401
    """Return a field: a number, a vector as an array, or `None` for a vector that is not there."""
    if hasattr(options, f"{field}AsNumpy"):
        return getattr(options, f"{field}AsNumpy")() if getattr(options, f"{field}Length")() else None
    value = getattr(options, field)()
    if not isinstance(value, int | float):
        raise _CannotCutError("options_of_a_kind_that_is_not_copied")
    return value


def _copier(name: str, values: dict[str, Any]) -> Callable[[Any], int]:
    import tflite  # noqa: PLC0415

    def copy(b: Any) -> int:  # noqa: ANN401
        vectors = {field: b.CreateNumpyVector(v) for field, v in values.items() if hasattr(v, "tobytes")}
        getattr(tflite, f"{name}Start")(b)
        for field, value in values.items():
            if value is not None:
                getattr(tflite, f"{name}Add{field}")(b, vectors.get(field, value))
        return int(getattr(tflite, f"{name}End")(b))

    return copy


def distinct(found: Sequence[SubModel]) -> dict[bytes, list[int]]:
    """Return each different model with the nodes that it stands for, in the file's order."""
    nodes: dict[bytes, list[int]] = {}
    for one in found:
        if one.model is not None:
            nodes.setdefault(one.model, []).append(one.node)
    return nodes
