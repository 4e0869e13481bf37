"""A Keras 3 layer's configuration as tf_keras reads it. Child only."""

import inspect
from collections.abc import Mapping
from typing import Any

from edgeprof.errors import ModelError

# Keras 3's name, tf_keras's name.
_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}, "InputLayer": {"batch_shape": "batch_input_shape"}}
_ACTIVATIONS = {
    "hard_sigmoid": "keras3_hard_sigmoid",
    "hard_silu": "keras3_hard_silu",
    "hard_swish": "keras3_hard_silu",
    "silu": "swish",
}
# What the base layer takes besides the layer's own.
_BASE = ("name", "trainable", "dtype", "batch_input_shape", "zero_output_for_mask")
# Keys that say how Keras 3 keeps a layer, not what it computes.
_KEPT = frozenset({"build_config", "compile_config", "optional", "seed", "registered_name", "shared_object_id"})


def translate(layer: Any, kind: type) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow has no types
    """Return the configuration of a Keras 3 layer for its namesake `kind` in tf_keras.

    Raises:
        ModelError: A setting that tf_keras does not know is not at its default; names it.
    """
    renamed = _RENAMED.get(kind.__name__, {})
    known = _accepted(kind)
    made: dict[str, Any] = {}
    for key, value in layer.get_config().items():
        name = renamed.get(key, key)
        if name.endswith("_initializer"):
            continue  # weights are copied
        if name in known:
            made[name] = _activation(value) if name.endswith("activation") else _value(value)
        elif key not in _KEPT and not _default(layer, key, value):
            raise ModelError(
                f"layer `{layer.name}` ({kind.__name__}) has `{key} = {value!r}`, which tf_keras cannot do",
                "set it to its default, or use a recipe without steps, such as int8",
            )
    if isinstance(made.get("layer"), dict):  # of wrappers: Bidirectional, TimeDistributed
        made["layer"] = _inner(layer, "forward_layer" if hasattr(layer, "forward_layer") else "layer")
        made.pop("backward_layer", None)
    return made


def _activation(value: object) -> object:
    return _ACTIVATIONS.get(value, value) if isinstance(value, str) else _value(value)


def _inner(layer: Any, attribute: str) -> dict[str, Any]:  # noqa: ANN401
    import tf_keras

    inner = getattr(layer, attribute)
    kind = getattr(tf_keras.layers, type(inner).__name__)
    config = translate(inner, kind)
    if attribute == "forward_layer":  # the wrapper adds the prefix again
        config["name"] = str(config["name"]).removeprefix("forward_")
    return {"class_name": kind.__name__, "config": config}


def _accepted(kind: type) -> set[str]:
    """Return the keys that a tf_keras layer's constructors take."""
    names = set(_BASE)
    for base in kind.__mro__:
        if base.__module__.startswith("tf_keras"):
            names |= set(inspect.signature(base.__init__).parameters)  # type: ignore[misc]
    return names - {"self", "args", "kwargs"}


def _default(layer: Any, key: str, value: object) -> bool:  # noqa: ANN401
    if value is None or value is False:
        return True
    for base in type(layer).__mro__:
        found = inspect.signature(base.__init__).parameters.get(key)  # type: ignore[misc]
        if found is not None and found.default is not inspect.Parameter.empty:
            return bool(found.default == value)
    return False


def _value(value: Any) -> Any:  # noqa: ANN401
    """Return a setting without what only Keras 3 writes: modules, policies, registered names."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "DTypePolicy":
            return value["config"]["name"]
        if "class_name" in value and "config" in value:
            inner = value["config"]
            return {
                "class_name": value["class_name"],
                "config": inner if not isinstance(inner, Mapping) else {k: _value(v) for k, v in inner.items()},
            }
        return {key: _value(part) for key, part in value.items()}
    return tuple(_value(part) for part in value) if isinstance(value, tuple) else value
