"""Keras 3 models rebuilt in tf_keras, which is what TFMOT and our own steps take. Child only.

Every layer is made again from its own configuration, called on what it was called on, and given its weights. What
tf_keras does not know must be at its default, and every layer's output is compared: a softmax at the end hides a
setting that was lost on the way.
"""

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array, sqnr_db
from edgeprof.compress.layer_configs import translate
from edgeprof.errors import ModelError

# Float kernels in another order leave 100 dB; a lost setting of any layer far less.
_PARITY_DB = 60.0
_SAMPLES = 4
_SEED = 21
# Layers without an output of their own in the outer model's graph.
_NO_OUTPUT = ("InputLayer", "Functional", "Sequential")
_OPS = {"Add": operator.add, "Subtract": operator.sub, "Multiply": operator.mul, "TrueDivide": operator.truediv}


def to_tf_keras(model: Any) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """Return a tf_keras model of its own that computes what `model`, of Keras 3 or tf_keras, computes.

    Raises:
        ModelError: It is subclassed, has layers that tf_keras does not have, or the two compute something else;
            names the layer and what would work.
    """
    import keras
    import tf_keras

    know_activations()
    if isinstance(model, tf_keras.Model):
        return clone(model)
    if isinstance(model, keras.Sequential):
        model = _functional(model)
    if not isinstance(model, keras.Model) or type(model).__name__ != "Functional":
        raise _subclassed(model)
    made = _rebuild(model)
    check_same(model, made)
    return made


def know_activations() -> None:
    """Give tf_keras the activations of Keras 3 that it lacks or has otherwise, under names of ours."""
    import tensorflow as tf
    import tf_keras

    # tf_keras's own `hard_sigmoid` is 0.2 x + 0.5.
    own = {
        "keras3_hard_sigmoid": lambda x: tf.nn.relu6(x + 3.0) / 6.0,
        "keras3_hard_silu": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    }
    for name, function in own.items():
        function.__name__ = name
        tf_keras.utils.get_custom_objects().setdefault(name, function)


def clone(model: Any) -> Any:  # noqa: ANN401
    """Return a tf_keras model with the same layers, names and weights, and nothing shared.

    Raises:
        ModelError: It is subclassed.
    """
    import tf_keras

    if not getattr(model, "_is_graph_network", False):
        raise _subclassed(model)
    made = tf_keras.models.clone_model(model)
    made.set_weights(model.get_weights())
    return made


def check_same(before: Any, after: Any) -> None:  # noqa: ANN401
    """Refuse two models of equally named layers that compute different things.

    Raises:
        ModelError: Names the first layer whose outputs part.
    """
    random = np.random.default_rng(_SEED)
    indices = any(type(layer).__name__ == "Embedding" for layer in after.layers)
    inputs = [_sample(random, tensor, indices=indices) for tensor in after.inputs]
    for name, want, got in _outputs(before, after, inputs):
        quality = sqnr_db(want.ravel(), got.ravel())
        if want.shape != got.shape or (quality is not None and not quality >= _PARITY_DB):
            raise ModelError(
                f"layer `{name}` computes something else in tf_keras than in Keras 3 ({quality or 0:.0f} dB)",
                "use a recipe without steps, such as int8, or replace that layer",
            )


def _subclassed(model: Any) -> ModelError:  # noqa: ANN401
    return ModelError(
        f"`{type(model).__name__}` has code of its own, and steps change only models whose layers are known",
        "build it by keras.Sequential or keras.Model(inputs, outputs); a recipe without steps takes it as is",
    )


def _functional(model: Any) -> Any:  # noqa: ANN401
    import keras

    return keras.Model(model.inputs, model.outputs, name=model.name)


def _rebuild(model: Any) -> Any:  # noqa: ANN401
    """Return a tf_keras functional model made from a Keras 3 one's configuration, with its weights."""
    import tf_keras

    config = model.get_config()
    layers: dict[str, Any] = {}
    tensors: dict[tuple[str, int, int], Any] = {}
    waiting = []
    for entry in config["layers"]:
        layers[entry["name"]] = made = _layer(model, entry)
        if entry["class_name"] == "InputLayer":
            tensors[entry["name"], 0, 0] = made.output
        waiting += [(entry["name"], i, node) for i, node in enumerate(entry["inbound_nodes"])]
    while waiting:
        left = [call for call in waiting if not _call(layers, tensors, *call)]
        if len(left) == len(waiting):
            raise ModelError(f"layer `{left[0][0]}` is called on what no layer gives", "save the model again")
        waiting = left
    ends = [_pick(tensors, config[side]) for side in ("input_layers", "output_layers")]
    rebuilt = tf_keras.Model(*ends, name=model.name)
    _copy_weights(model, rebuilt)
    return rebuilt


def _layer(model: Any, entry: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return what one entry of a configuration is called in tf_keras: a layer, a model or an arithmetic operator."""
    import tf_keras

    class_name, module = entry["class_name"], str(entry.get("module", ""))
    if class_name in _OPS and module.startswith("keras.src.ops"):
        return _OPS[class_name]
    kind: Any = getattr(tf_keras.layers, class_name, None)
    if class_name not in _NO_OUTPUT[1:] and (kind is None or not module.startswith("keras.layers")):
        raise ModelError(
            f"layer `{entry['name']}` is a `{class_name}`, which tf_keras does not have",
            "replace it by a layer of keras.layers that both have, or use a recipe without steps, such as int8",
        )
    layer = model.get_layer(entry["name"])
    if class_name in _NO_OUTPUT[1:]:
        return _rebuild(_renamed(layer) if class_name == "Sequential" else layer)
    config = translate(layer, kind)
    return kind.from_config(config) if "layer" in config else kind(**config)


def _renamed(layer: Any) -> Any:  # noqa: ANN401
    made = _functional(layer)
    made._name = layer.name
    return made


def _call(layers: dict[str, Any], tensors: dict[tuple[str, int, int], Any], name: str, index: int, node: Any) -> bool:  # noqa: ANN401
    """Call a layer as one node says, if what it is called on is there; return whether it was."""
    try:
        arguments = [_symbolic(tensors, argument) for argument in node["args"]]
        named = {key: _symbolic(tensors, value) for key, value in node["kwargs"].items() if value is not None}
    except KeyError:
        return False
    found = layers[name](*arguments, **{key: value for key, value in named.items() if key != "mask"})
    flat = list(found) if isinstance(found, list | tuple) else [found]
    tensors.update({(name, index, i): tensor for i, tensor in enumerate(flat)})
    return True


def _symbolic(tensors: dict[tuple[str, int, int], Any], value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, node, index = value["config"]["keras_history"]
        return tensors[name, node, index]
    if isinstance(value, list | tuple):
        return [_symbolic(tensors, part) for part in value]
    return value


def _pick(tensors: dict[tuple[str, int, int], Any], wanted: Any) -> Any:  # noqa: ANN401
    """Return the tensors that `input_layers` or `output_layers` name, in their own structure."""
    if isinstance(wanted, dict):
        return {key: _pick(tensors, part) for key, part in wanted.items()}
    if len(wanted) == 3 and isinstance(wanted[0], str):
        return tensors[wanted[0], wanted[1], wanted[2]]
    return [_pick(tensors, part) for part in wanted]


def _copy_weights(model: Any, made: Any) -> None:  # noqa: ANN401
    for layer in model.layers:
        given, taking = layer.get_weights(), made.get_layer(layer.name)
        if [w.shape for w in given] != [tuple(w.shape) for w in taking.weights]:
            raise ModelError(
                f"layer `{layer.name}` has other weights in tf_keras than in Keras 3",
                "replace it, or use a recipe without steps, such as int8",
            )
        taking.set_weights(given)


def _sample(random: np.random.Generator, tensor: Any, *, indices: bool) -> Array:  # noqa: ANN401
    shape = (_SAMPLES, *(int(d) for d in tensor.shape[1:]))
    if indices or tensor.dtype.is_integer or tensor.dtype.is_bool:
        return random.integers(0, 2, shape).astype(tensor.dtype.as_numpy_dtype)
    return random.normal(size=shape).astype(np.float32)


def _outputs(before: Any, after: Any, inputs: list[Array]) -> list[tuple[str, Array, Array]]:  # noqa: ANN401
    """Return each layer's name and its outputs in both models."""
    import keras
    import tf_keras

    pairs = [(layer, after.get_layer(layer.name)) for layer in before.layers if type(layer).__name__ not in _NO_OUTPUT]
    alone = [(a, b) for a, b in pairs if len(b.inbound_nodes) == 1 and not isinstance(b.output, list | tuple | dict)]
    first = keras.Model(before.inputs, [*(a.output for a, _ in alone), *before.outputs])
    second = tf_keras.Model(after.inputs, [*(b.output for _, b in alone), *after.outputs])
    names = [*(a.name for a, _ in alone), *(f"output {i}" for i in range(len(before.outputs)))]
    found = [_flat(model(inputs, training=False)) for model in (first, second)]
    return list(zip(names, *found, strict=True))


def _flat(found: Any) -> list[Array]:  # noqa: ANN401
    return [np.asarray(part) for part in (found if isinstance(found, list | tuple) else [found])]
