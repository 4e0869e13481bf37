"""A model of four numbers that multiplies each by a factor: small enough for any line, and its outputs tell it apart."""

from pathlib import Path

import numpy as np
import tflite

from edgeprof.analysis.building import Op, Tensor, write_model


def write_diagonal(path: Path, factor: float, scale: float | None = None) -> Path:
    """Write it as float, or with a scale as int8 in and out."""
    floats = scale is None
    kind = tflite.TensorType.FLOAT32 if floats else tflite.TensorType.INT8
    values = np.eye(4, dtype=np.float32) * factor if floats else np.eye(4, dtype=np.int8) * 100
    bias = np.zeros(4, np.float32 if floats else np.int32)
    bias_kind = tflite.TensorType.FLOAT32 if floats else tflite.TensorType.INT32

    def quantised(step: float) -> tuple:
        return ((), ()) if floats else ((step,), (0,))

    unit = scale or 1.0
    tensors = (
        Tensor((1, 4), kind, b"x", None, *quantised(unit)),
        Tensor((4, 4), kind, b"w", values.tobytes(), *quantised(factor / 100)),
        Tensor((4,), bias_kind, b"b", bias.tobytes(), *quantised(unit * factor / 100)),
        Tensor((1, 4), kind, b"y", None, *quantised(unit * factor)),
    )

    def options(builder) -> int:
        tflite.FullyConnectedOptionsStart(builder)
        return int(tflite.FullyConnectedOptionsEnd(builder))

    table = tflite.BuiltinOptions.FullyConnectedOptions
    op = Op(tflite.BuiltinOperator.FULLY_CONNECTED, 1 if floats else 4, (0, 1, 2), (3,), table, options)
    path.write_bytes(write_model(tensors, op, (0,), (3,)))
    return path
