"""Binary and ternary weights: each kernel holds one magnitude a channel, with a sign or zero.

A scale belongs to an output channel of a convolution and to the whole of a Dense layer, as TFLite's int8 has it: what
is projected here is exact in int8.

Sources:
    Binary: M. Rastegari et al. (2016), "XNOR-Net", ECCV, equation 6: sign(w) times the mean of abs(w).
    Ternary: F. Li and B. Liu (2016), "Ternary Weight Networks", arXiv:1605.04711: zero below 0.7 times the mean of
        abs(w), else sign(w) times the mean of the rest; or below 0.05 times the largest abs(w), as C. Zhu et al.
        (2017), "Trained Ternary Quantization", ICLR, whose trained scales are not in here: see the page for why.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array
from edgeprof.compress.techniques.graph import Layer, Model
from edgeprof.compress.techniques.projected import Projection
from edgeprof.errors import ModelError

_KINDS = ("Dense", "Conv1D", "Conv2D", "Conv3D")
_TWN, _TTQ = 0.7, 0.05
_TRITS_PER_BYTE = 5  # 3⁵ = 243 of 256


@dataclass(frozen=True, slots=True)
class Packed:
    """What a model takes when its discrete kernels travel packed.

    Attributes:
        kernels: How many kernels are discrete.
        packed_bytes: Their signs and zeros, packed, and their scales.
        rest_bytes: All other weights, in float32.
        float_bytes: All weights in float32.
    """

    kernels: int
    packed_bytes: int
    rest_bytes: int
    float_bytes: int


def projections(model: Model, levels: str, threshold: str, leave: tuple[str, ...], ends: bool) -> dict[str, Projection]:
    """Return what becomes of the kernels of Dense and Conv layers, by layer name.

    Args:
        model: A flat functional model.
        levels: `binary` or `ternary`.
        threshold: Of `ternary`: `twn` or `ttq`.
        leave: Names of layers to leave as they are.
        ends: Project the first and the last layer too; they carry what the inputs and outputs need.

    Raises:
        ModelError: No layer is left.
    """
    layers = [layer for layer in model.layers if type(layer).__name__ in _KINDS]
    chosen = [layer for layer in (layers if ends else layers[1:-1]) if layer.name not in leave]
    if not chosen:
        raise ModelError(
            f"`{model.name}` has {len(layers)} Dense and Conv layers, and none is left to make {levels}",
            "the first and the last stay as they are: set `ends = true` to include them",
        )
    return {layer.name: projection(levels, threshold, per_channel=_per_channel(layer)) for layer in chosen}


def projection(levels: str, threshold: str, *, per_channel: bool) -> Projection:
    """Return the function from free values to binary or ternary ones; it works on numpy arrays and on tensors."""
    import tensorflow as tf

    def project(values: Any) -> Any:  # noqa: ANN401
        magnitude = tf.abs(values)
        axes = list(range(len(values.shape) - 1)) if per_channel else None
        signs = tf.where(values < 0, -tf.ones_like(values), tf.ones_like(values))
        if levels == "binary":
            return signs * tf.reduce_mean(magnitude, axes, keepdims=True)
        mean = tf.reduce_mean(magnitude, axes, keepdims=True)
        limit = _TWN * mean if threshold == "twn" else _TTQ * tf.reduce_max(magnitude, axes, keepdims=True)
        large = tf.cast(magnitude > limit, magnitude.dtype)
        count = tf.maximum(tf.reduce_sum(large, axes, keepdims=True), 1)
        return signs * large * tf.reduce_sum(magnitude * large, axes, keepdims=True) / count

    return project


def pack(kernel: Array) -> tuple[bytes, NDArray[np.float32]]:
    """Return a binary or ternary kernel packed, and the scale of each entry of its last axis.

    Two values take a bit each, three a fifth of a byte (five base-3 digits).

    Raises:
        ValueError: The kernel holds more than one magnitude along its last axis.
    """
    flat = kernel.reshape(-1, kernel.shape[-1])
    scales = np.abs(flat).max(axis=0)
    signs = np.sign(flat).astype(np.int8)
    if not np.allclose(signs * scales, flat, rtol=1e-5):
        raise ValueError("the kernel is neither binary nor ternary")
    if signs.all():
        return np.packbits(signs.ravel() > 0).tobytes(), scales.astype(np.float32)
    digits = (signs.ravel() + 1).astype(np.uint8)
    rows = np.pad(digits, (0, -len(digits) % _TRITS_PER_BYTE)).reshape(-1, _TRITS_PER_BYTE)
    return (rows @ (3 ** np.arange(_TRITS_PER_BYTE))).astype(np.uint8).tobytes(), scales.astype(np.float32)


def unpack(packed: bytes, scales: NDArray[np.float32], shape: tuple[int, ...], *, ternary: bool) -> Array:
    """Return the kernel that `pack` packed."""
    raw, count = np.frombuffer(packed, np.uint8), int(np.prod(shape))
    if ternary:
        signs = ((raw[:, None] // 3 ** np.arange(_TRITS_PER_BYTE)) % 3).ravel()[:count].astype(np.float32) - 1
    else:
        signs = np.unpackbits(raw)[:count].astype(np.float32) * 2 - 1
    return signs.reshape(shape) * scales


def packed_size(model: Model, names: set[str]) -> Packed:
    """Return what a model takes when the kernels of the layers `names` are packed; they are packed to find out."""
    packed = rest = whole = 0
    for layer in model.layers:
        for weight in layer.weights:
            size = 4 * int(np.prod(weight.shape))
            whole += size
            if layer.name in names and weight is layer.kernel:
                content, scales = pack(weight.numpy())
                packed += len(content) + (scales.nbytes if _per_channel(layer) else 4)
            else:
                rest += size
    return Packed(len(names), packed, rest, whole)


def _per_channel(layer: Layer) -> bool:
    return type(layer).__name__ != "Dense"
