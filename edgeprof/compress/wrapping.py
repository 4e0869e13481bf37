"""TFMOT's wrappers around single layers, for models that it refuses as a whole. Child only."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.bridge import clone
from edgeprof.compress.teller import Teller

# Layers whose `kernel` most of a model's weights are; TFMOT takes no depthwise kernel.
KERNELS = ("Dense", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D")
_NESTED = ("Functional", "Sequential")


def wrap(model: Any, picked: set[str], wrapper: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """Return a copy of a tf_keras model in which `wrapper` stands around the layers picked."""
    import tf_keras

    own = clone(model)  # TFMOT changes the layers it is given
    return tf_keras.models.clone_model(
        own, clone_function=lambda layer: wrapper(layer) if layer.name in picked else layer
    )


def pick(model: Any, leave: tuple[str, ...], teller: Teller, what: str) -> set[str]:  # noqa: ANN401
    """Return names of the layers whose kernels can be changed; what else has weights is named in a warning."""
    picked = {layer.name for layer in model.layers if type(layer).__name__ in KERNELS and layer.name not in leave}
    unknown = [name for name in leave if name not in [layer.name for layer in model.layers]]
    if unknown:
        teller.warn("unknown_layer", f"`leave` names {', '.join(unknown)}, and the model has no such layer")
    others = [layer for layer in model.layers if layer.name not in {*picked, *leave} and _has_matrices(layer)]
    if others:
        names = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in others[:8])
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        teller.warn("left_dense", f"{what} takes Dense and Conv kernels only; left as they are: {names}{more}")
    return picked


def kernel(layer: Any) -> Array:  # noqa: ANN401
    """Return a copy of the weights that a step changes."""
    return np.asarray(kernel_variable(layer).numpy())


def kernel_variable(layer: Any) -> Any:  # noqa: ANN401
    """Return the variable that a step changes: of a separable convolution, the pointwise one."""
    return layer.pointwise_kernel if type(layer).__name__ == "SeparableConv2D" else layer.kernel


def _has_matrices(layer: Any) -> bool:  # noqa: ANN401
    return any(len(w.shape) >= 2 for w in layer.weights)
