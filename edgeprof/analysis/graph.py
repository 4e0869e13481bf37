"""The operators of a `.tflite`'s main graph, in the order in which they stand in the file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgeprof.analysis.flatbuffer import count_in, op_name, parse, tensor_spec


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of subgraph 0.

    Attributes:
        index: Its place in the file; runtimes number nodes so.
        name: `CONV_2D`, …, or a custom op's own name.
        inputs: Its tensors' numbers; absent ones left out.
        outputs: Likewise.
        shape: Of its first output, an unknown dimension as 1; `None` without an output.
        dtype: Of its first output, numpy's name.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shape: tuple[int, ...] | None
    dtype: str | None


def read_operators(path: Path) -> tuple[Operator, ...]:
    """Return the operators of the file at `path`.

    Raises:
        ModelError: It is missing, cut short or no `.tflite` file.
    """
    return parse(path, _operators)


def _operators(data: bytes) -> tuple[Operator, ...]:
    import tflite  # noqa: PLC0415 - 60 ms that few commands need

    model = tflite.Model.GetRootAs(data, 0)
    graph, size = model.Subgraphs(0), len(data)

    def operator(index: int) -> Operator:
        op = graph.Operators(index)
        outputs = _there(op.Outputs(i) for i in range(count_in(op.OutputsLength(), size)))
        spec = tensor_spec(graph, outputs[0]) if outputs else None
        return Operator(
            index=index,
            name=op_name(model.OperatorCodes(op.OpcodeIndex()))[0],
            inputs=_there(op.Inputs(i) for i in range(count_in(op.InputsLength(), size))),
            outputs=outputs,
            shape=spec.shape if spec else None,
            dtype=spec.dtype if spec else None,
        )

    return tuple(operator(index) for index in range(count_in(graph.OperatorsLength(), size)))


def _there(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(number) for number in numbers if number >= 0)
