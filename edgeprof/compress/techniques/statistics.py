"""The means and variances of batch normalisation, taken anew after a model was changed.

What was removed no longer adds to the maps that they describe, so the old ones are wrong, and a moving average with
the usual momentum needs hundreds of steps to forget them. Inputs are enough, no labels.

Source: J. Yu and T. Huang (2019), "Universally Slimmable Networks and Improved Training Techniques", ICCV, section 3.4
(statistics as exact averages over batches).
"""

from collections.abc import Sequence

from edgeprof.analysis.numbers import Array
from edgeprof.compress.techniques.graph import Model

_BATCH, _MOST = 64, 20


def renew(model: Model, x: Sequence[Array]) -> None:
    """Set the moving statistics of `model`, in place, to their average over batches of `x`, at most twenty of 64."""
    layers = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization" and layer.trainable]
    if not layers:
        return
    usual = [layer.momentum for layer in layers]
    for i, start in enumerate(range(0, min(len(x[0]), _BATCH * _MOST), _BATCH)):
        for layer in layers:
            layer.momentum = i / (i + 1)  # the first batch replaces what was there, the others are averaged in
        batch = [array[start : start + _BATCH] for array in x]
        model(batch if len(batch) > 1 else batch[0], training=True)
    for layer, momentum in zip(layers, usual, strict=True):
        layer.momentum = momentum
