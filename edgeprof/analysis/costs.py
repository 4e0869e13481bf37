"""What a model costs before anything runs: multiply-accumulates, parameters and memory of each operator."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeprof.analysis.flatbuffer import count_in, op_name, parse, tensor_spec
from edgeprof.analysis.macs import count_macs, has_weights

# They give constants another type, which a delegate does once, in a place of its own, or not at all.
_UNPACKING = frozenset({"DEQUANTIZE", "DENSIFY"})
_ITEM_BYTES = {
    "float64": 8, "int64": 8, "uint64": 8, "complex64": 8, "complex128": 16, "float32": 4, "int32": 4, "uint32": 4,
    "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "int4": 0.5,
}  # fmt: skip
# Constants of these types are shapes, axes and indices, unless they are an operator's bias.
_INDICES = frozenset({"int32", "int64", "uint32", "uint64", "bool", "string"})


@dataclass(frozen=True, slots=True)
class OpCost:
    """One operator of the main graph.

    Attributes:
        index: Its place in the file; runtimes number nodes so.
        name: `CONV_2D`, …, or a custom op's own name.
        shape: Of its first output, an unknown dimension as 1; `None` without an output.
        dtype: Of its first output, numpy's name.
        macs: Multiply-accumulates; 0 for operators without weights or products of tensors; `None` where shapes do
            not say (loops, custom operators).
        arithmetic: The type its MACs are of: `float32`, `int8`, or `float32×int8` where data and weights differ;
            `None` without MACs.
        parameters: Weights and biases it reads.
        weight_bytes: What they take in the file.
        activation_bytes: What it reads and writes besides, unpacked weights included.
        live_bytes: All activations that must be kept while it runs, its own included.
    """

    index: int
    name: str
    shape: tuple[int, ...] | None
    dtype: str | None
    macs: int | None
    arithmetic: str | None
    parameters: int
    weight_bytes: int
    activation_bytes: int
    live_bytes: int


@dataclass(frozen=True, slots=True)
class ModelCost:
    """A whole model.

    Attributes:
        file_bytes: Size of the file.
        parameters: Weights and biases, shared ones once.
        weight_bytes: What they take in the file.
        macs: Of all operators whose shapes say.
        uncounted: Names of operators whose shapes do not say, sorted.
        peak_live_bytes: Most that must be kept at once, weights apart, also where an operator unpacks them (float16,
            int4) into float: a delegate folds that away. A runtime that works in place may need less; alignment and
            scratch buffers need more.
        peak_op: The operator during which that is, or `None` without operators.
        other_graphs: Graphs besides the main one (bodies of loops), which are not counted.
        ops: In the file's order.
    """

    file_bytes: int
    parameters: int
    weight_bytes: int
    macs: int
    uncounted: tuple[str, ...]
    peak_live_bytes: int
    peak_op: int | None
    other_graphs: int
    ops: tuple[OpCost, ...]


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    dtype: str
    constant_bytes: int
    variable: bool
    unpacked: bool = False  # weights of another type, for an operator to read: no activation

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return math.ceil(self.elements * _ITEM_BYTES.get(self.dtype, 1))


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    custom: bool
    raw: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_costs(path: Path) -> ModelCost:
    """Return what the model at `path` costs by its shapes.

    Convention: one multiplication with one addition is one MAC, and only convolutions, matrix products and LSTM and
    SVDF cells have any. An unknown dimension counts as 1.

    Raises:
        ModelError: The file is missing, cut short or no `.tflite` file.
    """
    return parse(path, _costs)


def _costs(data: bytes) -> ModelCost:
    import tflite  # noqa: PLC0415 - 60 ms that few commands need

    model = tflite.Model.GetRootAs(data, 0)
    graph, size = model.Subgraphs(0), len(data)
    stored = [_tensor(model, graph, i) for i in range(count_in(graph.TensorsLength(), size))]
    nodes = [_node(model, graph, i, stored) for i in range(count_in(graph.OperatorsLength(), size))]
    tensors = _marked(stored, nodes)
    ends = [(node.inputs, node.outputs) for node in nodes]
    live = _live_bytes(
        tensors, ends, _numbers(graph.InputsAsNumpy(), tensors), _numbers(graph.OutputsAsNumpy(), tensors)
    )
    ops = [_op(index, node, tensors, live[index]) for index, node in enumerate(nodes)]
    used = {i for node in nodes for i in _weights(node.name, node.inputs, tensors)}
    return ModelCost(
        file_bytes=size,
        parameters=sum(tensors[i].elements for i in used),
        weight_bytes=sum(tensors[i].constant_bytes for i in used),
        macs=sum(op.macs or 0 for op in ops),
        uncounted=tuple(sorted({op.name for op in ops if op.macs is None})),
        peak_live_bytes=max(live, default=0),
        peak_op=live.index(max(live)) if live else None,
        other_graphs=model.SubgraphsLength() - 1,
        ops=tuple(ops),
    )


def _node(model: Any, graph: Any, index: int, tensors: Sequence[_Tensor]) -> _Node:  # noqa: ANN401 - `tflite` has no types
    raw = graph.Operators(index)
    name, custom = op_name(model.OperatorCodes(raw.OpcodeIndex()))
    ends = (_numbers(raw.InputsAsNumpy(), tensors), _numbers(raw.OutputsAsNumpy(), tensors))
    return _Node(name, custom, raw, *ends)


def _op(index: int, node: _Node, tensors: Sequence[_Tensor], live_bytes: int) -> OpCost:
    name, inputs, outputs = node.name, node.inputs, node.outputs
    weights = _weights(name, inputs, tensors)
    moved = [tensors[i] for i in {*inputs, *outputs} if i >= 0 and not tensors[i].constant_bytes]
    first = tensors[outputs[0]] if outputs and outputs[0] >= 0 else None
    shapes = [tensors[i].shape if i >= 0 else () for i in inputs]
    elements = tensors[outputs[0]].elements if has_weights(name) and not node.custom else 0
    macs = None if node.custom else count_macs(name, node.raw, shapes, elements)
    return OpCost(
        index=index,
        name=name,
        shape=first.shape if first else None,
        dtype=first.dtype if first else None,
        macs=macs,
        arithmetic=_arithmetic(name, inputs, tensors) if macs else None,
        parameters=sum(tensors[i].elements for i in weights),
        weight_bytes=sum(tensors[i].constant_bytes for i in weights),
        activation_bytes=sum(tensor.size_bytes for tensor in moved),
        live_bytes=live_bytes,
    )


def _tensor(model: Any, graph: Any, index: int) -> _Tensor:  # noqa: ANN401 - `tflite` has no types
    spec, raw = tensor_spec(graph, index), graph.Tensors(index)
    constant_bytes = 0
    if raw.Buffer() < model.BuffersLength():
        buffer = model.Buffers(raw.Buffer())
        constant_bytes = max(buffer.DataLength(), buffer.Size())  # the second where data stand behind the flatbuffer
    return _Tensor(spec.shape, spec.dtype, constant_bytes, bool(raw.IsVariable()))


def _marked(tensors: Sequence[_Tensor], nodes: Sequence[_Node]) -> list[_Tensor]:
    """Return the tensors; those that hold constants of the file in another type, and nothing else, are marked."""
    found = {
        i
        for node in nodes
        if node.name in _UNPACKING and all(tensors[j].constant_bytes for j in node.inputs if j >= 0)
        for i in node.outputs
    }
    return [replace(tensor, unpacked=i in found) for i, tensor in enumerate(tensors)]


def _numbers(found: Any, tensors: Sequence[_Tensor]) -> tuple[int, ...]:  # noqa: ANN401
    """Return tensors' numbers, an absent one as −1.

    Raises:
        ValueError: One is no tensor of the graph.
    """
    numbers = () if isinstance(found, int) else tuple(int(number) for number in found)
    if any(not -1 <= number < len(tensors) for number in numbers):
        raise ValueError(f"tensors {numbers} of {len(tensors)}")
    return numbers


def _weights(name: str, inputs: Sequence[int], tensors: Sequence[_Tensor]) -> list[int]:
    """Return the constants among the inputs that are parameters: all of an operator with weights, no indices else."""
    constants = dict.fromkeys(i for i in inputs if i >= 0 and tensors[i].constant_bytes)
    if name == "TRANSPOSE_CONV":
        return [i for i in constants if i != inputs[0]]  # that is the shape of the output
    if has_weights(name):
        return list(constants)
    return [i for i in constants if tensors[i].dtype not in _INDICES]


def _live_bytes(
    tensors: Sequence[_Tensor],
    ends: Sequence[tuple[Sequence[int], Sequence[int]]],
    graph_inputs: Iterable[int],
    graph_outputs: Iterable[int],
) -> list[int]:
    """Return for each operator what all activations take that are written before its end and read from its start on."""
    last_op = len(ends) - 1
    born = dict.fromkeys(graph_inputs, 0)
    dies = dict.fromkeys(graph_outputs, last_op)
    for index, (inputs, outputs) in enumerate(ends):
        for i in outputs:
            born.setdefault(i, index)
        for i in (*inputs, *outputs):
            dies[i] = max(index, dies.get(i, index))
    live = [0] * len(ends)
    for i, tensor in enumerate(tensors):
        if tensor.variable:
            first, last = 0, last_op
        elif i in born and not tensor.constant_bytes and not tensor.unpacked:
            first, last = born[i], dies.get(i, born[i])
        else:
            continue
        for index in range(first, last + 1):
            live[index] += tensor.size_bytes
    return live


def _arithmetic(name: str, inputs: Sequence[int], tensors: Sequence[_Tensor]) -> str:
    data, weights = (tensors[inputs[i]].dtype for i in ((2, 1) if name == "TRANSPOSE_CONV" else (0, 1)))
    return data if data == weights else f"{data}×{weights}"
