"""How channels pass through each kind of layer: which axis of which weight is in, which is out, what is joined.

A tensor's channels are the entries of its last axis. Each rule takes the labels of a call's inputs and returns the
labels of its output; on the way it notes which labels lie along the axes of the layer's weights.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeprof.compress.techniques.atoms import Atoms, Labels
from edgeprof.compress.techniques.graph import Call, Layer, activation_name, weight_name

# Labels along each axis of a weight; `None` for an axis without channels.
Axes = tuple[Labels | None, ...]


@dataclass(slots=True)
class Slices:
    """What surgery has to know of one layer.

    Attributes:
        layer: The layer.
        axes: Labels along the axes of each of its weights, by the weight's own name.
        made: Labels of the channels it produces anew; `None` for layers that pass channels on.
        sizes: Settings that follow from the labels: `filters`, `units`, `target_shape`.
        positions: Places at which its kernels are applied, over all its calls; times a kernel's size it is the MACs.
        after: For a batch normalisation, the layer whose output it scales, where that is one with weights.
    """

    layer: Layer
    axes: dict[str, Axes] = field(default_factory=dict)
    made: Labels | None = None
    sizes: dict[str, Labels] = field(default_factory=dict)
    positions: int = 0
    after: Layer | None = None


@dataclass(slots=True)
class Trace:
    """What is known while a model is walked through.

    Attributes:
        atoms: The channels so far.
        labels: Channels of each tensor, by its id.
        slices: By the id of the layer.
        makers: The layer with weights that a tensor comes straight from, by the tensor's id.
    """

    atoms: Atoms
    labels: dict[int, Labels] = field(default_factory=dict)
    slices: dict[int, Slices] = field(default_factory=dict)
    makers: dict[int, Layer] = field(default_factory=dict)

    def of(self, layer: Layer) -> Slices:
        """Return the notes on a layer."""
        return self.slices.setdefault(id(layer), Slices(layer))

    def note(self, layer: Layer, weights: Mapping[str, Axes]) -> None:
        """Note what lies along the axes of weights; a layer that is used again is joined with its first use."""
        known = self.of(layer).axes
        for name, axes in weights.items():
            for old, new in zip(known.setdefault(name, axes), axes, strict=True):
                if old is not None and new is not None and old is not new:
                    self.atoms.join(old, new)


Rule = Callable[[Trace, Call, Sequence[Labels]], Labels | None]

# Axes of weights, counted from the last: channels in, out, or in times the depth multiplier.
_MAKERS: dict[str, tuple[str, dict[str, tuple[str | None, ...]]]] = {
    "Dense": ("units", {"kernel": ("in", "out"), "bias": ("out",)}),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), ("filters", {"kernel": ("in", "out"), "bias": ("out",)})),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        ("filters", {"kernel": ("out", "in"), "bias": ("out",)}),
    ),
    **dict.fromkeys(
        ("SeparableConv1D", "SeparableConv2D"),
        ("filters", {"depthwise_kernel": ("in", None), "pointwise_kernel": ("mid", "out"), "bias": ("out",)}),
    ),
}
_PASSERS: dict[str, dict[str, tuple[str | None, ...]]] = {
    "DepthwiseConv1D": {"depthwise_kernel": ("in", None), "bias": ("mid",)},
    "DepthwiseConv2D": {"depthwise_kernel": ("in", None), "bias": ("mid",)},
    "BatchNormalization": dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), ("in",)),
    "PReLU": {"alpha": ("in",)},
}
_PLAIN = frozenset({
    "Activation", "ActivityRegularization", "AlphaDropout", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "Cropping1D", "Cropping2D", "Cropping3D", "Dropout", "ELU", "GaussianDropout", "GaussianNoise",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GlobalMaxPooling3D", "Identity", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
    "ReLU", "Rescaling", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "ThresholdedReLU", "UpSampling1D",
    "UpSampling2D", "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
})  # fmt: skip
_MERGERS = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
# Functions of single elements, as Keras names what is called on a symbolic tensor.
_ELEMENTWISE = frozenset({
    "math.add", "math.subtract", "math.multiply", "math.maximum", "math.minimum", "math.truediv", "math.tanh",
    "math.abs", "math.sigmoid", "nn.relu", "nn.relu6", "nn.silu", "nn.swish", "nn.elu", "nn.gelu", "nn.leaky_relu",
    "__operators__.add", "__operators__.radd", "clip_by_value", "identity", "cast",
})  # fmt: skip


def follow(trace: Trace, call: Call) -> None:
    """Label the outputs of a call; where no rule holds, its channels have to stay as they are."""
    inputs = [trace.labels[id(tensor)] for tensor in call.inputs]
    rule = _rule(call.layer)
    labels = rule(trace, call, inputs) if rule and _plain_call(call) else None
    if labels is None:
        _leave(trace, call, inputs)
    else:
        trace.labels[id(call.outputs[0])] = labels


def _rule(layer: Layer) -> Rule | None:
    kind = type(layer).__name__
    if not type(layer).__module__.startswith("tf_keras.") or getattr(layer, "data_format", None) == "channels_first":
        return None
    if kind in _MAKERS:
        return _make if getattr(layer, "groups", 1) == 1 else None
    if kind == "TFOpLambda":
        return _merge if layer.get_config()["function"] in _ELEMENTWISE else None
    if kind in _PLAIN | _MERGERS:
        return _merge
    return _pass_on if kind in _PASSERS else _OTHERS.get(kind)


def _plain_call(call: Call) -> bool:
    return len(call.outputs) == 1 and all(tensor.shape.rank and tensor.shape[-1] for tensor in call.inputs)


def _leave(trace: Trace, call: Call, inputs: Sequence[Labels]) -> None:
    reason = f"{type(call.layer).__name__} `{call.layer.name}` is not followed"
    for labels in inputs:
        trace.atoms.pin(labels, reason)
    for tensor in call.outputs:
        labels = trace.atoms.fresh(int(tensor.shape[-1] or 1) if tensor.shape.rank else 1)
        trace.atoms.pin(labels, reason)
        trace.labels[id(tensor)] = labels


def _make(trace: Trace, call: Call, inputs: Sequence[Labels]) -> Labels:
    """Follow a layer that makes channels of its own out of all that come in."""
    layer, (setting, weights) = call.layer, _MAKERS[type(call.layer).__name__]
    notes = trace.of(layer)
    if notes.made is None:
        notes.made = trace.atoms.fresh(int(call.outputs[0].shape[-1]))
        notes.sizes[setting] = notes.made
    middle = np.repeat(inputs[0], getattr(layer, "depth_multiplier", 1))
    _note_weights(trace, layer, weights, {"in": inputs[0], "mid": middle, "out": notes.made})
    notes.positions += _positions(call)
    _no_softmax(trace, layer, notes.made)
    trace.makers[id(call.outputs[0])] = layer
    return notes.made


def _pass_on(trace: Trace, call: Call, inputs: Sequence[Labels]) -> Labels | None:
    """Follow a layer whose weights belong to the channels that pass."""
    layer, kind = call.layer, type(call.layer).__name__
    if kind == "BatchNormalization" and list(layer.axis) != [call.inputs[0].shape.rank - 1]:
        return None
    if kind == "PReLU" and layer.alpha.shape[-1] != len(inputs[0]):
        return inputs[0]  # shared by all channels
    out = np.repeat(inputs[0], layer.depth_multiplier) if kind.startswith("Depthwise") else inputs[0]
    _note_weights(trace, layer, _PASSERS[kind], {"in": inputs[0], "mid": out})
    notes = trace.of(layer)
    if kind.startswith("Depthwise"):
        notes.positions += _positions(call)
        trace.makers[id(call.outputs[0])] = layer
    elif kind == "BatchNormalization":
        notes.after = trace.makers.get(id(call.inputs[0]))
    return out


def _merge(trace: Trace, call: Call, inputs: Sequence[Labels]) -> Labels:
    """Follow what works on single elements: channels at the same place become one; a lone channel meets all."""
    size = int(call.outputs[0].shape[-1])
    whole = [labels for labels in inputs if len(labels) == size]
    for labels in inputs:
        if len(labels) == size:
            trace.atoms.join(whole[0], labels)
        else:
            trace.atoms.pin(labels, f"`{call.layer.name}` spreads it over other channels")
    _no_softmax(trace, call.layer, whole[0])
    return whole[0]


def _concatenate(trace: Trace, call: Call, inputs: Sequence[Labels]) -> Labels:
    rank = call.inputs[0].shape.rank
    if call.layer.axis % rank == rank - 1:
        return np.concatenate(inputs)
    return _merge(trace, call, inputs)


def _flatten(_trace: Trace, call: Call, inputs: Sequence[Labels]) -> Labels | None:
    size = call.outputs[0].shape[-1]
    return None if size is None else np.tile(inputs[0], int(size) // len(inputs[0]))


def _reshape(trace: Trace, call: Call, inputs: Sequence[Labels]) -> Labels | None:
    """Follow a change of shape that keeps the last axis, flattens, or makes a map of what is flat."""
    before, after, labels = call.inputs[0].shape, call.outputs[0].shape, inputs[0]
    if after[-1] is None or None in after[1:]:
        return None
    if after[-1] != before[-1] and after.rank == 2:
        labels = np.tile(labels, int(after[-1]) // len(labels))
    elif after[-1] != before[-1] and before.rank == 2 and len(labels) % int(after[-1]) == 0:
        rows = labels.reshape(-1, int(after[-1]))
        for row in rows[1:]:
            trace.atoms.join(rows[0], row)
        labels = rows[0]
    elif after[-1] != before[-1]:
        return None
    trace.of(call.layer).sizes["target_shape"] = labels
    return labels


_OTHERS: dict[str, Rule] = {"Concatenate": _concatenate, "Flatten": _flatten, "Reshape": _reshape}


def _note_weights(
    trace: Trace, layer: Layer, table: Mapping[str, tuple[str | None, ...]], roles: Mapping[str, Labels]
) -> None:
    found = {}
    for weight in layer.weights:
        axes = tuple(roles[role] if role else None for role in table.get(weight_name(weight), ()))
        found[weight_name(weight)] = (None,) * (len(weight.shape) - len(axes)) + axes
    trace.note(layer, found)


def _positions(call: Call) -> int:
    """Return at how many places a kernel is applied in one call, for one sample."""
    # A transposed convolution meets its kernel at each place of its input.
    shape = (call.inputs if "Transpose" in type(call.layer).__name__ else call.outputs)[0].shape
    return math.prod(int(size or 1) for size in shape[1:-1])


def _no_softmax(trace: Trace, layer: Any, labels: Labels) -> None:  # noqa: ANN401
    if activation_name(layer) in ("softmax", "log_softmax"):
        trace.atoms.pin(labels, f"the softmax of `{layer.name}` mixes its channels")
