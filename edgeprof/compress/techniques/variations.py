"""One layer changed at a time, in the model's own weights, and put back: what a sensitivity scan looks at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.compress.techniques.coupling import Coupling, Family, couple, hide
from edgeprof.compress.techniques.graph import Layer, Model
from edgeprof.compress.techniques.importance import Scores, channel_scores
from edgeprof.errors import ModelError

_KINDS = ("Dense", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose")
_DEPTHWISE = ("DepthwiseConv2D", "DepthwiseConv1D")


@dataclass(frozen=True, slots=True)
class Variation:
    """A change of one layer of `model`.

    Attributes:
        layers: Its name; of channels, of all layers that lose them together.
        level: Share removed, or bits a weight.
        model: The model whose weights are changed.
        change: Does it.
    """

    layers: tuple[str, ...]
    level: float
    model: Model
    change: Callable[[], None]

    @contextmanager
    def made(self) -> Iterator[None]:
        """Change the model within, and give it its weights back."""
        weights = self.model.get_weights()
        try:
            self.change()
            yield
        finally:
            self.model.set_weights(weights)


def variations(model: Model, what: str, levels: tuple[float, ...]) -> list[Variation]:
    """Return every change to look at: each layer at each level.

    Args:
        model: A flat functional model.
        what: `channels`: the share of least norm is no longer read; `prune`: the smallest weights become zero;
            `quantise`: weights are rounded to so many bits, symmetrically, with a scale for each output channel.
        levels: Shares, or bits.

    Raises:
        ModelError: The model has no layer to change.
    """
    found = _of_channels(model, levels) if what == "channels" else _of_kernels(model, what, levels)
    if not found:
        raise ModelError(f"`{model.name}` has no layer to scan by `{what}`", "it takes Dense and convolution layers")
    return found


def _of_channels(model: Model, levels: tuple[float, ...]) -> list[Variation]:
    coupling = couple(model)
    scores = channel_scores(coupling, "l2")
    return [
        Variation(family.layers, level, model, _without(coupling, family, scores, level))
        for family in coupling.families
        for level in levels
    ]


def _without(coupling: Coupling, family: Family, scores: Scores, share: float) -> Callable[[], None]:
    kept = coupling.all_kept()
    gone = min(len(family.classes) - 1, round(share * len(family.classes)))
    kept[family.classes[np.argsort(scores[family.classes], kind="stable")[:gone]]] = False
    return lambda: hide(coupling, kept)


def _of_kernels(model: Model, what: str, levels: tuple[float, ...]) -> list[Variation]:
    kinds = (*_KINDS, *_DEPTHWISE) if what == "quantise" else _KINDS
    layers = [layer for layer in model.layers if type(layer).__name__ in kinds]
    return [
        Variation((layer.name,), level, model, _changed(layer, what, level)) for layer in layers for level in levels
    ]


def _changed(layer: Layer, what: str, level: float) -> Callable[[], None]:
    kernel: Any = layer.depthwise_kernel if type(layer).__name__ in _DEPTHWISE else layer.kernel
    function = quantised if what == "quantise" else pruned
    return lambda: kernel.assign(function(kernel.numpy(), level))


def pruned(values: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return a kernel whose smallest weights, so large a share, are zero."""
    flat = values.ravel().copy()
    flat[np.argsort(np.abs(flat), kind="stable")[: round(share * flat.size)]] = 0
    return flat.reshape(values.shape)


def quantised(values: NDArray[np.float32], bits: float) -> NDArray[np.float32]:
    """Return a kernel in steps of one scale for each entry of its last axis, `2 ** (bits - 1) - 1` steps each way."""
    top = 2 ** (int(bits) - 1) - 1
    scale = np.maximum(np.abs(values).max(axis=tuple(range(values.ndim - 1)), keepdims=True), 1e-30) / top
    return np.asarray(np.clip(np.rint(values / scale), -top, top) * scale, dtype=np.float32)
