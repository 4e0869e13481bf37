"""Multiply-accumulates of one operator by its shapes: one multiplication with one addition is one."""

import math
from collections.abc import Sequence
from typing import Any

# Loops, branches and recurrent operators whose work depends on more than their shapes; custom operators besides.
_UNCOUNTED = frozenset({
    "WHILE", "IF", "CALL", "CALL_ONCE", "LSTM", "RNN", "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN",
    "UNIDIRECTIONAL_SEQUENCE_RNN", "STABLEHLO_COMPOSITE",
})  # fmt: skip
_LSTM_WEIGHTS = (*range(1, 9), 16)


def count_macs(name: str, node: Any, shapes: Sequence[tuple[int, ...]], out: int) -> int | None:  # noqa: ANN401
    """Return the multiply-accumulates of an operator of TFLite's own.

    Args:
        name: Such as `CONV_2D`.
        node: The operator in the flatbuffer, for its options.
        shapes: Of its inputs; `()` for one that is absent.
        out: Elements of its first output.

    Returns:
        0 for operators without weights or products of tensors; `None` where shapes do not say (loops).
    """
    if name in _UNCOUNTED:
        return None
    count = _MACS.get(name)
    return 0 if count is None else int(count(node, shapes, out))


def has_weights(name: str) -> bool:
    """Return whether all constants that such an operator reads are weights and biases."""
    return name in _MACS


def _convolution(_node: Any, shapes: Sequence[tuple[int, ...]], out: int) -> int:  # noqa: ANN401
    return out * math.prod(shapes[1][1:])  # (out, height, width, in of its group)


def _depthwise(_node: Any, shapes: Sequence[tuple[int, ...]], out: int) -> int:  # noqa: ANN401
    return out * math.prod(shapes[1][1:3])  # (1, height, width, out)


def _convolution_3d(_node: Any, shapes: Sequence[tuple[int, ...]], out: int) -> int:  # noqa: ANN401
    return out * math.prod(shapes[1][:4])  # (depth, height, width, in, out)


def _transposed(_node: Any, shapes: Sequence[tuple[int, ...]], _out: int) -> int:  # noqa: ANN401
    weights, x = shapes[1], shapes[2]  # (out, height, width, in); every input element meets every weight of its channel
    return math.prod(x) * math.prod(weights[:3])


def _dense(_node: Any, shapes: Sequence[tuple[int, ...]], out: int) -> int:  # noqa: ANN401
    return out * shapes[1][-1]  # (out, in)


def _matrix_product(node: Any, shapes: Sequence[tuple[int, ...]], out: int) -> int:  # noqa: ANN401
    import tflite  # noqa: PLC0415

    options = tflite.BatchMatMulOptions()
    table = node.BuiltinOptions()
    turned = False
    if table is not None:
        options.Init(table.Bytes, table.Pos)
        turned = bool(options.AdjX())
    return out * shapes[0][-2 if turned else -1]


def _lstm(_node: Any, shapes: Sequence[tuple[int, ...]], _out: int) -> int:  # noqa: ANN401
    steps = math.prod(shapes[0][:2])  # batch and time, in either order
    weights = (shapes[i] for i in _LSTM_WEIGHTS if i < len(shapes) and len(shapes[i]) == 2)
    return int(steps * sum(math.prod(shape) for shape in weights))


def _svdf(_node: Any, shapes: Sequence[tuple[int, ...]], _out: int) -> int:  # noqa: ANN401
    return shapes[0][0] * int(math.prod(shapes[1]) + math.prod(shapes[2]))


# Source of the layouts: the kernels' own comments in https://github.com/tensorflow/tensorflow/tree/master/tensorflow/lite/kernels
_MACS = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _convolution_3d,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matrix_product,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "SVDF": _svdf,
}
