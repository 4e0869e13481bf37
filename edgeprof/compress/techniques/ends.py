"""What comes out of a model, and what its outputs end in: all that losses and scores need to know of them."""

from collections.abc import Sequence

from edgeprof.analysis.numbers import Array
from edgeprof.compress.techniques.graph import Layer, Model, activation_name


def outputs_of(model: Model, x: Sequence[Array], batch_size: int = 256) -> tuple[Array, ...]:
    """Return a model's outputs on samples, an array each, whatever their number.

    Args:
        model: A tf_keras model.
        x: `(n, …)` for each input.
        batch_size: Samples computed at once.
    """
    found = model.predict(list(x) if len(x) > 1 else x[0], batch_size=batch_size, verbose=0)
    return tuple(found) if isinstance(found, list | tuple) else (found,)


def ends_of(model: Model) -> list[str]:
    """Return for each output what it ends in, as `end_of` says."""
    return [end_of(model.get_layer(name)) for name in model.output_names]


def end_of(layer: Layer) -> str:
    """Return `softmax`, `sigmoid` or, for every other end, `linear`."""
    name = "softmax" if type(layer).__name__ == "Softmax" else activation_name(layer)
    return name if name in ("softmax", "sigmoid") else "linear"
