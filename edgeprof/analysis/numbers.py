"""Between real numbers and what tensors hold, and how far two sets of numbers are apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.records import TensorSpec

Array = NDArray[Any]
# Beyond this a ratio of powers says nothing more; it also stands for "no signal at all".
_SQNR_LIMIT_DB = 200.0


def to_tensor(spec: TensorSpec, x: Array) -> Array:
    """Return `x` in the tensor's dtype, little endian, C order.

    Real numbers become integers as TFLite defines them: `round(x / scale) + zero_point`, half to even, clipped.
    Numbers that have the tensor's dtype already, and those for tensors without a scale, are taken as they are.

    Source: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "iu" and spec.scale is not None and x.dtype != dtype:
        steps = np.rint(x.astype(np.float64) / spec.scale) + (spec.zero_point or 0)
        x = np.clip(steps, np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.ascontiguousarray(x, dtype=dtype.newbyteorder("<"))


def from_tensor(spec: TensorSpec, raw: Array) -> NDArray[np.float32]:
    """Return what the tensor's content stands for, float32."""
    if spec.scale is None:
        return raw.astype(np.float32)
    return ((raw.astype(np.float64) - (spec.zero_point or 0)) * spec.scale).astype(np.float32)


def sqnr_db(expected: Array, got: Array) -> float | None:
    """Return the power of `expected` over the power of the difference, in decibel, within ±200.

    Returns:
        `None` where both are equal; −200 where they differ and one of them is not finite or `expected` is all zero.
    """
    if np.array_equal(expected, got, equal_nan=expected.dtype.kind == "f"):
        return None
    signal, error = expected.astype(np.float64), got.astype(np.float64)
    with np.errstate(all="ignore"):
        ratio = float(np.sum(signal**2) / np.sum((signal - error) ** 2))
    if not np.isfinite(ratio) or ratio <= 0:
        return -_SQNR_LIMIT_DB
    return float(np.clip(10 * np.log10(ratio), -_SQNR_LIMIT_DB, _SQNR_LIMIT_DB))
