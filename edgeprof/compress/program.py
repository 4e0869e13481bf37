"""A user's model as one function with named inputs of known shape, whatever library it came from. Child only."""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.inspection import KERAS, SAVED_MODEL, Source, find_source, refuse_own_code
from edgeprof.compress.ranges import Naming
from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec

BATCH = 64
# How keras and tf_keras say that a custom class is missing.
_UNKNOWN_CLASS = re.compile(r"(?:Could not locate class|Unknown layer:) '(\w+)'")


@dataclass(frozen=True, slots=True)
class Program:
    """A loaded model.

    Attributes:
        inputs: Names that serve as arguments, shapes with batch 1, dtypes.
        call: From tensors in the inputs' order, `(n, …)` each, to a list of output tensors.
        batched: `call` takes any `n`; else 1 only.
        frozen: Its weights have to be made constants before it is converted; see `save_program`.
        owner: What holds the variables.
    """

    inputs: tuple[TensorSpec, ...]
    call: Callable[[Sequence[Any]], list[Any]]
    batched: bool
    frozen: bool
    owner: Any


def load_program(path: Path, *, trust: bool) -> Program:
    """Return the model at `path`; TensorFlow is imported after the file has been looked at.

    Raises:
        ModelError: It cannot be loaded, holds code that is not trusted, or has inputs of unknown size.
    """
    source = find_source(path)
    if not trust:
        refuse_own_code(path, source)
    if source.library == SAVED_MODEL:
        return _from_saved_model(path)
    model = _load_keras(path, source, trust=trust)
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ModelError(f"`{path}` says nothing of its inputs", "call it once on data before it is saved")
    specs = _named([(str(t.name), t.shape, _dtype(t.dtype)) for t in inputs])
    return Program(specs, _keras_call(model), batched=True, frozen=source.library == KERAS, owner=model)


def run_program(program: Program, arrays: Sequence[Array]) -> list[Array]:
    """Return each output `(n, …)` of the model on arrays `(n, …)`."""
    import tensorflow as tf

    step = BATCH if program.batched else 1
    parts = []
    for start in range(0, len(arrays[0]), step):
        tensors = [
            tf.constant(np.asarray(array[start : start + step], dtype=spec.dtype))
            for array, spec in zip(arrays, program.inputs, strict=True)
        ]
        parts.append([np.asarray(output) for output in program.call(tensors)])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def same_inputs(program: Program, model: Any) -> Program:  # noqa: ANN401
    """Return a tf_keras model that was made of a program as a program with the same inputs."""
    return Program(program.inputs, _keras_call(model), batched=True, frozen=False, owner=model)


def naming_of(program: Program) -> Naming:
    """Return how the converter calls the layers of a program: none of a SavedModel."""
    outputs = getattr(program.owner, "outputs", None) or ()
    if isinstance(getattr(program.owner, "output", None), dict):
        return Naming(program.frozen)  # in what order they come is not said
    history = [getattr(tensor, "_keras_history", None) for tensor in outputs]
    layers = [getattr(one, "operation", None) or getattr(one, "layer", None) for one in history]
    return Naming(program.frozen, tuple(str(getattr(layer, "name", "")) for layer in layers))


def save_program(program: Program, folder: Path) -> None:
    """Write the model as a SavedModel with batch 1: loops over time steps convert at a known batch only.

    Left to itself the converter keeps some Keras 3 models' weights as variables, which then are neither quantised
    nor in the file, so they are made constants before. That takes functions apart, by which the converter
    recognises a Keras 2 LSTM, so theirs are left to it.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def serve(**tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors have no types here
        outputs = program.call([tensors[spec.name] for spec in program.inputs])
        return {f"output_{i}": output for i, output in enumerate(outputs)}

    specs = {spec.name: tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in program.inputs}
    module = tf.Module()
    if program.frozen:
        function = tf.function(serve).get_concrete_function(**specs)
        module.serve = signature = convert_variables_to_constants_v2(function, lower_control_flow=False)
    else:
        module.owner, module.serve = program.owner, tf.function(serve)
        signature = module.serve.get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures=signature)


def _load_keras(path: Path, source: Source, *, trust: bool) -> Any:  # noqa: ANN401
    with tempfile.TemporaryDirectory() as folder:
        # Keras goes by the name's end, users' files are named as they like.
        named = Path(folder) / f"model{source.suffix}"
        try:
            named.symlink_to(path.resolve())
        except OSError:
            shutil.copyfile(path, named)
        try:
            return _load(named, source, trust=trust)
        except Exception as exc:
            raise _cannot_load(source.library, path, exc) from exc


def _cannot_load(library: str, path: Path, exc: Exception) -> ModelError:
    text = str(exc)
    layer = _UNKNOWN_CLASS.search(text)
    if layer:
        return ModelError(
            f"`{path}` has a `{layer[1]}` whose code is not in the file",
            "export the model as a SavedModel, which carries its graph: model.export(folder)",
        )
    words = text.strip().splitlines() or [type(exc).__name__]
    return ModelError(f"{library} cannot load `{path}`: {words[0][:300]}", "save the model again, and whole")


def _load(path: Path, source: Source, *, trust: bool) -> Any:  # noqa: ANN401
    if source.library == KERAS:
        import keras

        return keras.saving.load_model(path, compile=False, safe_mode=not trust)
    import tf_keras

    return tf_keras.models.load_model(path, compile=False, safe_mode=not trust)


def _keras_call(model: Any) -> Callable[[Sequence[Any]], list[Any]]:  # noqa: ANN401
    import tensorflow as tf

    def call(tensors: Sequence[Any]) -> list[Any]:
        # A model of named inputs takes a dict; its `inputs` are in `tf.nest`'s order, sorted by key.
        structure = getattr(model, "input", None)
        named = isinstance(structure, dict)
        given = tf.nest.pack_sequence_as(structure, list(tensors)) if named else list(tensors)
        alone = len(tensors) == 1 and not named
        return list(tf.nest.flatten(model(tensors[0] if alone else given, training=False)))

    return call


def _from_saved_model(path: Path) -> Program:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as exc:
        raise _cannot_load("TensorFlow", path, exc) from exc
    signatures = dict(loaded.signatures)
    name = "serving_default" if "serving_default" in signatures else next(iter(signatures), None)
    if name is None:
        raise ModelError(f"the SavedModel `{path}` has no signature", "export it with Keras: model.export(path)")
    function = signatures[name]
    arguments = function.structured_input_signature[1]
    specs = _named([(key, spec.shape, spec.dtype.name) for key, spec in arguments.items()])

    def call(tensors: Sequence[Any]) -> list[Any]:
        outputs = function(**dict(zip(arguments, tensors, strict=True)))
        return [outputs[key] for key in sorted(outputs)]

    batched = all(spec.shape.rank and spec.shape[0] is None for spec in arguments.values())
    return Program(specs, call, batched, frozen=False, owner=loaded)


def _named(found: Sequence[tuple[str, Any, str]]) -> tuple[TensorSpec, ...]:
    """Return inputs with names that can be arguments and shapes with batch 1.

    Raises:
        ModelError: A dimension besides the batch is not known, or the batch is not 1.
    """
    specs: list[TensorSpec] = []
    for i, (name, shape, dtype) in enumerate(found):
        sizes = tuple(None if d is None else int(d) for d in shape)
        if any(d is None for d in sizes[1:]) or (sizes and sizes[0] not in (None, 1)):
            raise ModelError(
                f"input `{name}` has shape {sizes}: a board needs a batch of one and every other size known",
                "save the model with its input size fixed: keras.Input((height, width, 3))",
            )
        word = re.sub(r"\W", "_", name.partition(":")[0]) or "input"
        word = f"input_{word}" if not word[0].isalpha() else word
        unique = word if word not in [spec.name for spec in specs] else f"{word}_{i}"
        specs.append(TensorSpec(unique, tuple(1 if d is None else d for d in sizes), dtype))
    return tuple(specs)


def _dtype(dtype: Any) -> str:  # noqa: ANN401 - a string in Keras 3, an object in tf_keras
    return str(getattr(dtype, "name", dtype))
