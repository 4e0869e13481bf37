"""Small models that ask a runtime how fast it multiplies on a board: products as large as a layer's, and no more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeprof.analysis.building import Op, Tensor, write_model

# Rows, columns and depth of the matrix product; side, channels and kernel of the convolution. Both are large enough to
# be bound by arithmetic, and small enough to be pushed over a slow line: 0.5 MB for all four files.
_ROWS, _COLUMNS, _DEPTH = 240, 256, 256
_SIDE, _CHANNELS, _KERNEL = 24, 64, 3
_INPUT_SCALE, _WEIGHT_SCALE, _OUTPUT_SCALE = 0.05, 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Probe:
    """A model whose work is known.

    Attributes:
        arithmetic: `float32` or `int8`.
        what: Its operator with the shapes.
        macs: Multiply-accumulates of one run.
        model: The `.tflite` file's bytes.
    """

    arithmetic: str
    what: str
    macs: int
    model: bytes


def one_product(arithmetic: str) -> Probe:
    """Return the least model there can be: what a run of it takes is the runtime's own part of every run."""
    model = _model(arithmetic, (1, 1), (1, 1), (1, 1), _dense)
    return Probe(arithmetic, "FULLY_CONNECTED 1×1×1", 1, model)


def probes(arithmetic: str) -> tuple[Probe, ...]:
    """Return the probes for `float32` or `int8`."""
    side = _SIDE * _SIDE
    return (
        Probe(
            arithmetic,
            f"FULLY_CONNECTED {_ROWS}×{_DEPTH}×{_COLUMNS}",
            _ROWS * _COLUMNS * _DEPTH,
            _model(arithmetic, (_ROWS, _DEPTH), (_COLUMNS, _DEPTH), (_ROWS, _COLUMNS), _dense),
        ),
        Probe(
            arithmetic,
            f"CONV_2D {_SIDE}×{_SIDE}×{_CHANNELS}, {_KERNEL}×{_KERNEL}",
            side * _CHANNELS * _CHANNELS * _KERNEL * _KERNEL,
            _model(
                arithmetic,
                (1, _SIDE, _SIDE, _CHANNELS),
                (_CHANNELS, _KERNEL, _KERNEL, _CHANNELS),
                (1, _SIDE, _SIDE, _CHANNELS),
                _convolution,
            ),
        ),
    )


def _model(
    arithmetic: str,
    data: tuple[int, ...],
    weights: tuple[int, ...],
    out: tuple[int, ...],
    op: Callable[[bool], Op],
) -> bytes:
    import numpy as np  # noqa: PLC0415
    import tflite  # noqa: PLC0415 - 60 ms that few commands need

    floats = arithmetic == "float32"
    kind = tflite.TensorType.FLOAT32 if floats else tflite.TensorType.INT8
    chance = np.random.default_rng(1)
    values = chance.integers(-127, 128, weights).astype(np.int8)
    bias = np.zeros(weights[0], dtype=np.float32 if floats else np.int32)

    def scaled(scale: float) -> tuple[tuple[float, ...], tuple[int, ...]]:
        return ((), ()) if floats else ((scale,), (0,))

    tensors = (
        Tensor(data, kind, b"x", None, *scaled(_INPUT_SCALE)),
        Tensor(
            weights,
            kind,
            b"w",
            (values.astype(np.float32) * _WEIGHT_SCALE if floats else values).tobytes(),
            *scaled(_WEIGHT_SCALE),
        ),
        Tensor(
            (weights[0],),
            tflite.TensorType.FLOAT32 if floats else tflite.TensorType.INT32,
            b"b",
            bias.tobytes(),
            *scaled(_INPUT_SCALE * _WEIGHT_SCALE),
        ),
        Tensor(out, kind, b"y", None, *scaled(_OUTPUT_SCALE)),
    )
    return write_model(tensors, op(floats), (0,), (3,))


def _dense(floats: bool) -> Op:
    import tflite  # noqa: PLC0415

    def options(b: Any) -> int:  # noqa: ANN401
        tflite.FullyConnectedOptionsStart(b)
        return int(tflite.FullyConnectedOptionsEnd(b))

    kind = tflite.BuiltinOptions.FullyConnectedOptions
    return Op(tflite.BuiltinOperator.FULLY_CONNECTED, 1 if floats else 4, (0, 1, 2), (3,), kind, options)


def _convolution(floats: bool) -> Op:
    import tflite  # noqa: PLC0415

    def options(b: Any) -> int:  # noqa: ANN401
        tflite.Conv2DOptionsStart(b)
        tflite.Conv2DOptionsAddPadding(b, tflite.Padding.SAME)
        tflite.Conv2DOptionsAddStrideW(b, 1)
        tflite.Conv2DOptionsAddStrideH(b, 1)
        return int(tflite.Conv2DOptionsEnd(b))

    kind = tflite.BuiltinOptions.Conv2DOptions
    return Op(tflite.BuiltinOperator.CONV_2D, 1 if floats else 3, (0, 1, 2), (3,), kind, options)
