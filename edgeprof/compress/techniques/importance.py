"""How much a weight or a whole channel matters, by four criteria.

| criterion | of a weight w | of a channel |
|---|---|---|
| `l1` | abs(w) | sum of abs(w) over its kernel, times the scale of its batch normalisation |
| `l2` | w² | sum of w² likewise, square root |
| `taylor` | mean over samples of abs(g·w) | mean over samples of abs(Σ g·w) over its gate |
| `fisher` | ½ · mean over samples of g² · w² | the sum over its gate |

g is the gradient of one sample's loss. A channel's gate is the scale and offset of the batch normalisation right after
the layer, or the layer's own kernel and bias where there is none: the sum of g·w over it is the first-order change of
the loss when the channel is multiplied by zero. Channels that go together are judged together.

Sources:
    `l1`: H. Li et al. (2017), "Pruning Filters for Efficient ConvNets", ICLR.
    Scale: Z. Liu et al. (2017), "Learning Efficient Convolutional Networks through Network Slimming", ICCV.
    `taylor`: P. Molchanov et al. (2017), "Pruning Convolutional Neural Networks for Resource Efficient Inference",
        ICLR, equation 8, on the gates of P. Molchanov et al. (2019), "Importance Estimation for Neural Network
        Pruning", CVPR.
    `fisher`: Y. LeCun, J. Denker and S. Solla (1990), "Optimal Brain Damage", NIPS, with the diagonal of the Fisher
        information in place of the Hessian's: L. Theis et al. (2018), "Faster gaze prediction with dense networks and
        Fisher pruning", arXiv:1801.05787.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edgeprof.compress.techniques.channel_rules import Slices
from edgeprof.compress.techniques.coupling import Coupling, Family
from edgeprof.compress.techniques.gradients import Key, Probes, per_sample, trainable
from edgeprof.compress.techniques.graph import Layer, Model, weight_name
from edgeprof.errors import UsageError

NEED_DATA = ("taylor", "fisher")
Scores = NDArray[np.float64]


def weight_scores(model: Model, criterion: str, probes: Probes | None = None) -> dict[Key, Scores]:
    """Return how much each trainable weight of a flat model matters, in the weight's own shape.

    Raises:
        UsageError: The criterion needs data and there are none.
    """
    values = {key: weight.numpy().astype(np.float64) for key, weight in trainable(model).items()}
    if criterion == "l1":
        return {key: np.abs(value) for key, value in values.items()}
    if criterion == "l2":
        return {key: value**2 for key, value in values.items()}
    sums = {key: np.zeros_like(value) for key, value in values.items()}
    count = 0
    for gradients in per_sample(model, _given(criterion, probes)):
        count += 1
        for key, gradient in gradients.items():
            product = gradient * values[key]
            sums[key] += np.abs(product) if criterion == "taylor" else product**2 / 2
    return {key: total / count for key, total in sums.items()}


def channel_scores(coupling: Coupling, criterion: str, probes: Probes | None = None) -> Scores:
    """Return how much each class of channels matters, by its number; 0 for those without weights of their own.

    Raises:
        UsageError: The criterion needs data and there are none.
    """
    if criterion in ("l1", "l2"):
        return _magnitudes(coupling, 1 if criterion == "l1" else 2)
    gates, total, count = list(_gates(coupling)), np.zeros(len(coupling.classes)), 0
    values = {key: weight.numpy().astype(np.float64) for key, weight in trainable(coupling.model).items()}
    for gradients in per_sample(coupling.model, _given(criterion, probes)):
        found = np.zeros(len(coupling.classes))
        for notes in gates:
            for key in _keys(notes.layer):
                product = gradients[key] * values[key]
                found += _by_class(coupling, notes, key[1], product if criterion == "taylor" else product**2 / 2)
        total += np.abs(found)
        count += 1
    return total / count


def normalised(scores: Scores, families: Iterable[Family], how: str) -> Scores:
    """Return scores that can be compared between families of channels.

    Args:
        scores: By class number.
        families: Whose channels are to be compared.
        how: `mean`: each family's scores are divided by their mean; `l2`: by the root of their mean square; `none`.
    """
    result = scores.copy()
    for family in families:
        own = scores[family.classes]
        scale = {"none": 1.0, "mean": own.mean(), "l2": float(np.sqrt((own**2).mean()))}[how]
        result[family.classes] = own / scale if scale > 0 else own
    return result


def _magnitudes(coupling: Coupling, power: int) -> Scores:
    """Return norms of kernels as the batch normalisation right after scales them, summed over a class's layers."""
    scales = {notes.after.name: _scale(notes.layer) for notes in coupling.slices.values() if notes.after is not None}
    found = np.zeros(len(coupling.classes))
    for notes in coupling.slices.values():
        for weight in notes.layer.weights:
            name = weight_name(weight)
            axis = _own(notes, name)
            if name.endswith("kernel") and axis is not None:
                value = np.abs(weight.numpy().astype(np.float64))
                if notes.layer.name in scales:
                    value *= _along(scales[notes.layer.name], value.shape, axis)
                found += _by_class(coupling, notes, name, value**power)
    return np.asarray(found ** (1 / power))


def _scale(normalisation: Layer) -> Scores:
    """Return what a batch normalisation multiplies each channel by, without its sign."""
    gamma = normalisation.gamma.numpy() if normalisation.scale else 1.0
    return np.asarray(np.abs(gamma / np.sqrt(normalisation.moving_variance.numpy() + normalisation.epsilon)))


def _along(scale: Scores, shape: tuple[int, ...], axis: int) -> Scores:
    """Return the scale of each output channel shaped to multiply a kernel whose channels lie along `axis`."""
    wanted = [1] * len(shape)
    wanted[axis] = shape[axis]
    if len(scale) != shape[axis]:
        wanted[-1] = shape[-1]  # a depthwise kernel's: channels times the depth multiplier
    return scale.reshape(wanted)


def _gates(coupling: Coupling) -> Iterator[Slices]:
    """Yield what stands for the channels of each layer with weights: its normalisation, or else itself."""
    replaced = {
        notes.after.name for notes in coupling.slices.values() if notes.after is not None and _keys(notes.layer)
    }
    for notes in coupling.slices.values():
        if notes.axes and notes.layer.name not in replaced:
            yield notes


def _own(notes: Slices, weight: str) -> int | None:
    """Return the axis of a weight along which the layer's own channels lie: those it makes, or passes on."""
    for axis, labels in enumerate(notes.axes[weight]):
        if labels is not None and (notes.made is None or labels is notes.made):
            return axis
    return None


def _by_class(coupling: Coupling, notes: Slices, weight: str, values: Scores) -> Scores:
    """Return the sums of `values`, shaped as the weight is, over each class."""
    axis = _own(notes, weight)
    if axis is None:
        return np.zeros(len(coupling.classes))
    labels = notes.axes[weight][axis]
    sums = values.sum(axis=tuple(i for i in range(values.ndim) if i != axis))
    return np.bincount(coupling.classes[labels], sums, len(coupling.classes)).astype(np.float64)


def _keys(layer: Layer) -> list[Key]:
    return [(layer.name, weight_name(weight)) for weight in layer.trainable_weights]


def _given(criterion: str, probes: Probes | None) -> Probes:
    if probes is None:
        raise UsageError(
            f"importance `{criterion}` is computed from samples, and there are none",
            "give `--train data.npz` (labels are not needed), or use `l1` or `l2`",
        )
    return probes
