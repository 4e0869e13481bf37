"""Which channels of a model stand or fall together, what a model costs without some, and the model without them.

Channels are followed from where they are made through everything that passes them on, to where they are read.
Removing one means taking its slice out of every weight that it lies along.

Source of the idea: G. Fang et al. (2023), "DepGraph: Towards Any Structural Pruning", CVPR.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.compress.techniques.atoms import Atoms, Labels
from edgeprof.compress.techniques.channel_rules import Slices, Trace, follow
from edgeprof.compress.techniques.graph import Layer, Model, Part, calls, copy_layer, rebuild, weight_name
from edgeprof.errors import ModelError

Kept = NDArray[np.bool_]  # by class number


@dataclass(frozen=True, slots=True)
class Family:
    """Channels that the same layers make and that are therefore chosen among.

    Attributes:
        layers: Names of the layers that make them.
        classes: Numbers of the classes, a class a channel.
    """

    layers: tuple[str, ...]
    classes: Labels


@dataclass(frozen=True, slots=True)
class Coupling:
    """A flat model with its channels followed.

    Attributes:
        model: The model; without nested models.
        slices: What surgery has to know of each layer that has weights or sizes, by the layer's name.
        classes: For each channel the number of its class.
        families: The channels that may go.
        fixed: Names of layers whose channels all stay, with the reason.
    """

    model: Model
    slices: dict[str, Slices]
    classes: Labels
    families: tuple[Family, ...]
    fixed: dict[str, str]

    def all_kept(self) -> Kept:
        """Return the choice that removes nothing."""
        return np.ones(len(self.classes), dtype=bool)

    def keeps(self, labels: Labels, kept: Kept) -> Kept:
        """Return which of `labels` stay."""
        return kept[self.classes[labels]]


def couple(model: Model, leave: Sequence[str] = ()) -> Coupling:
    """Return the channels of a flat functional model (see `graph.copy`).

    Args:
        model: The model.
        leave: Names of layers that keep all their channels.

    Raises:
        ModelError: The model is no graph of layers, or has no layer that `leave` names.
    """
    trace = Trace(Atoms())
    for tensor in model.inputs:
        labels = trace.atoms.fresh(int(tensor.shape[-1] or 1))
        trace.atoms.pin(labels, "it is an input of the model")
        trace.labels[id(tensor)] = labels
    for call in calls(model):
        follow(trace, call)
    for tensor in model.outputs:
        trace.atoms.pin(trace.labels[id(tensor)], "it is an output of the model")
    slices = {notes.layer.name: notes for notes in trace.slices.values()}
    for name in leave:
        made = slices[name].made if name in slices else None
        if made is None:
            known = ", ".join(found for found, notes in slices.items() if notes.made is not None)
            raise ModelError(f"`leave` names `{name}`, and no layer so called makes channels", f"those do: {known}")
        trace.atoms.pin(made, "you said so")
    classes, pinned = trace.atoms.classes(), trace.atoms.pinned()
    families = tuple(_families(slices.values(), classes, pinned))
    return Coupling(model, slices, classes, families, dict(_fixed(slices.values(), classes, pinned)))


def macs(coupling: Coupling, kept: Kept) -> int:
    """Return the multiply-accumulates of convolutions and dense layers with only the classes `kept`.

    Layers that are not followed (recurrent ones, attention) do not count: their part does not change.
    """
    total = 0
    for notes in coupling.slices.values():
        for name, axes in notes.axes.items():
            if name.endswith("kernel"):
                total += notes.positions * _size(coupling, _shape(notes.layer, name), axes, kept)
    return total


def parameters(coupling: Coupling, kept: Kept) -> int:
    """Return how many weights are left of the layers that are followed."""
    return sum(
        _size(coupling, _shape(notes.layer, name), axes, kept)
        for notes in coupling.slices.values()
        for name, axes in notes.axes.items()
    )


def cut(coupling: Coupling, kept: Kept, *, fresh: bool = False) -> Model:
    """Return a new model with only the classes `kept`.

    Args:
        coupling: The model.
        kept: Which classes stay; of each family at least one.
        fresh: Begin with new random weights instead of the model's own.

    Raises:
        ModelError: A layer would be left without channels.
    """

    def change(layer: Layer) -> list[Part] | None:
        notes = coupling.slices.get(layer.name)
        if notes is None or not (notes.axes or notes.sizes):
            return [Part(copy_layer(layer), None)] if fresh and layer.trainable_weights else None
        return [Part(copy_layer(layer, **_settings(coupling, notes, kept)), _weights(coupling, notes, kept, fresh))]

    return rebuild(coupling.model, change)


def hide(coupling: Coupling, kept: Kept) -> None:
    """Give the model itself the outputs it would have without the other classes: what reads them reads nothing.

    This changes the weights of `coupling.model` in place, and no shape: it costs far less than `cut`.
    """
    for notes in coupling.slices.values():
        if notes.made is None:
            continue
        for weight in notes.layer.weights:
            axes = notes.axes[weight_name(weight)]
            values = weight.numpy()
            for axis, labels in enumerate(axes):
                if labels is not None and labels is not notes.made:
                    shape = [1] * values.ndim
                    shape[axis] = -1
                    values = values * coupling.keeps(labels, kept).reshape(shape)
            weight.assign(values)


def _families(slices: Iterable[Slices], classes: Labels, pinned: dict[int, str]) -> Iterable[Family]:
    makers: dict[int, list[str]] = {}
    for notes in slices:
        if notes.made is not None:
            for number in dict.fromkeys(classes[notes.made].tolist()):
                makers.setdefault(number, []).append(notes.layer.name)
    found: dict[tuple[str, ...], list[int]] = {}
    for number, names in makers.items():
        if number not in pinned:
            found.setdefault(tuple(names), []).append(number)
    return (Family(names, np.array(numbers, dtype=np.int64)) for names, numbers in found.items())


def _fixed(slices: Iterable[Slices], classes: Labels, pinned: dict[int, str]) -> Iterable[tuple[str, str]]:
    for notes in slices:
        if notes.made is not None:
            reasons = [pinned.get(number) for number in classes[notes.made].tolist()]
            if all(reasons):
                yield notes.layer.name, str(reasons[0])


def _settings(coupling: Coupling, notes: Slices, kept: Kept) -> dict[str, object]:
    settings: dict[str, object] = {}
    for setting, labels in notes.sizes.items():
        size = int(coupling.keeps(labels, kept).sum())
        if size == 0:
            raise ModelError(f"layer `{notes.layer.name}` would have no channel left", "take fewer away")
        whole = setting == "target_shape"
        settings[setting] = (*notes.layer.target_shape[:-1], size) if whole else size
    return settings


def _weights(coupling: Coupling, notes: Slices, kept: Kept, fresh: bool) -> list[NDArray[np.float32]] | None:
    if fresh or not notes.axes:
        return None
    values = []
    for weight in notes.layer.weights:
        value = weight.numpy()
        for axis, labels in enumerate(notes.axes[weight_name(weight)]):
            if labels is not None:
                value = np.compress(coupling.keeps(labels, kept), value, axis=axis)
        values.append(value)
    return values


def _shape(layer: Layer, name: str) -> tuple[int, ...]:
    return next(tuple(weight.shape) for weight in layer.weights if weight_name(weight) == name)


def _size(coupling: Coupling, shape: tuple[int, ...], axes: tuple[Labels | None, ...], kept: Kept) -> int:
    size = 1
    for length, labels in zip(shape, axes, strict=True):
        size *= length if labels is None else int(coupling.keeps(labels, kept).sum())
    return size
