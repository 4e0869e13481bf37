"""A `tf_keras` model as a list of calls, and a new model in which some layers have become others.

What stands inside a nested model is treated as if it stood outside: the model built anew is flat.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeprof.analysis.numbers import Array
from edgeprof.errors import ModelError

Layer = Any  # tf_keras has no types
Model = Any


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a layer; a layer that is used twice has two.

    Attributes:
        layer: The layer.
        inputs: The tensors that go in, in order.
        outputs: The tensors that come out.
        args: Its positional arguments, tensors within.
        kwargs: Its named arguments, tensors within.
    """

    layer: Layer
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A layer of the new model with its weights in `get_weights()` order; `None` leaves what it begins with."""

    layer: Layer
    weights: Sequence[Array] | None


# From a layer of the old model to what takes its place, one after the other; `None` keeps the layer as it is.
Change = Callable[[Layer], Sequence[Part] | None]


@dataclass(frozen=True, slots=True)
class _State:
    change: Change
    parts: dict[int, Sequence[Part]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def calls(model: Model) -> Iterator[Call]:
    """Yield the calls of a functional or sequential model, each after those it depends on.

    Raises:
        ModelError: The model is no graph of layers.
    """
    _check_graph(model)
    depths = model._nodes_by_depth
    for depth in sorted(depths, reverse=True):
        for node in depths[depth]:
            if not node.is_input:
                args, kwargs = node.call_args, dict(node.call_kwargs)
                yield Call(node.layer, tuple(node.keras_inputs), _flat(node.outputs), tuple(args), kwargs)


def rebuild(model: Model, change: Change) -> Model:
    """Return a new model with the same inputs and names, whose layers are what `change` makes of them.

    Layers that stay are copied with their weights; nothing is shared with the old model. A layer that is used several
    times stays one layer.

    Raises:
        ModelError: The model is no graph of layers.
    """
    import tensorflow as tf
    import tf_keras

    _check_graph(model)
    state = _State(change)
    fresh = {id(old): _input_like(old) for old in model.inputs}
    state.names.update(str(new.node.layer.name) for new in fresh.values())
    made = _run(model, list(fresh.values()), None, state)
    found = dict(zip([id(old) for old in model.outputs], made, strict=True))
    inputs = tf.nest.map_structure(lambda old: fresh[id(old)], model.input)
    outputs = tf.nest.map_structure(lambda old: found[id(old)], model.output)
    built = tf_keras.Model(inputs, outputs, name=model.name)
    for parts in state.parts.values():
        for part in parts:
            if part.weights is not None:
                part.layer.set_weights(list(part.weights))
    return built


def copy(model: Model) -> Model:
    """Return the same model in layers and weights of its own, flat.

    Raises:
        ModelError: The model is no graph of layers.
    """
    return rebuild(model, lambda _: None)


def copy_layer(layer: Layer, **settings: object) -> Layer:
    """Return a new layer of the same configuration, but for `settings`; its weights are not set."""
    return type(layer).from_config({**layer.get_config(), **settings})


def weight_name(weight: Any) -> str:  # noqa: ANN401
    """Return a weight's own name within its layer, such as `kernel`."""
    return str(weight.name).rpartition("/")[2].partition(":")[0]


def activation_name(layer: Layer) -> str:
    """Return the name of a layer's activation, `linear` where it has none."""
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def _check_graph(model: Model) -> None:
    if not getattr(model, "_nodes_by_depth", None):
        raise ModelError(
            f"`{model.name}` is a subclassed model: its layers cannot be followed",
            "build it from layers as a functional or sequential model",
        )


def _run(model: Model, inputs: Sequence[Any], training: bool | None, state: _State) -> list[Any]:
    """Call the new layers on `inputs` in the old model's order; return its outputs' successors."""
    known = dict(zip([id(tensor) for tensor in model.inputs], inputs, strict=True))
    for call in calls(model):
        args, kwargs = _mapped((call.args, call.kwargs), known)
        if hasattr(call.layer, "_nodes_by_depth"):
            inner = call.kwargs.get("training", training)
            results = _run(call.layer, [known[id(tensor)] for tensor in call.inputs], inner, state)
        else:
            if training is not None and getattr(call.layer, "_expects_training_arg", False):
                kwargs["training"] = training
            results = list(_flat(_apply(_parts(call.layer, model, state), args, kwargs)))
        known.update(zip([id(tensor) for tensor in call.outputs], results, strict=True))
    return [known[id(tensor)] for tensor in model.outputs]


def _apply(parts: Sequence[Part], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    result = parts[0].layer(*args, **kwargs)
    for part in parts[1:]:
        result = part.layer(result)
    return result


def _parts(layer: Layer, within: Model, state: _State) -> Sequence[Part]:
    """Return what has taken the layer's place, made at its first use."""
    if id(layer) not in state.parts:
        name = layer.name if layer.name not in state.names else f"{within.name}_{layer.name}"
        made = state.change(layer)
        state.parts[id(layer)] = made or [Part(copy_layer(layer, name=name), layer.get_weights())]
        state.names.update(part.layer.name for part in state.parts[id(layer)])
    return state.parts[id(layer)]


def _mapped(structure: Any, known: dict[int, Any]) -> Any:  # noqa: ANN401
    import tensorflow as tf

    return tf.nest.map_structure(lambda leaf: known.get(id(leaf), leaf), structure)


def _input_like(tensor: Any) -> Any:  # noqa: ANN401
    import tf_keras

    return tf_keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.node.layer.name)


def _flat(structure: Any) -> tuple[Any, ...]:  # noqa: ANN401
    import tensorflow as tf

    return tuple(tf.nest.flatten(structure))
