"""Golden vectors: a few inputs, and what the host's runtime makes of them. Child only.

`python -m edgeprof.compress.golden JOB` makes them for a `.tflite` as it is, or its outputs on given samples; without
TensorFlow.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.flatbuffer import ModelFile, read_model
from edgeprof.analysis.numbers import Array, to_tensor
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.speaking import Say, serve
from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec

SAMPLES = 4
_SEED = 20
_LONGEST_WHY = 150


def random_inputs(specs: Sequence[TensorSpec], top: float = 1.0) -> list[Array]:
    """Return seeded inputs `(4, *shape)` for each spec.

    Floats reach from 0 to `top`; quantised integers use their whole range; other integers, which may be indices,
    are 0 and 1.
    """
    random = np.random.default_rng(_SEED)
    return [_random(random, spec, top) for spec in specs]


def write_golden(model: Path, inputs: Sequence[Array] | None, target: Path, keep: int | None = None) -> list[Array]:
    """Run the `.tflite` at `model` on the inputs and write `in0`, …, `out0`, … to `target`.

    Args:
        model: The file.
        inputs: Real numbers `(n, *shape without batch)` for each of its inputs; `None` for random ones.
        target: The `.npz` to write.
        keep: How many of the samples it holds; `None` for all.

    Returns:
        The outputs, each `(n, *shape)` in the tensor's dtype.

    Raises:
        ModelError: The runtime refuses the model.
    """
    found = read_model(model)
    given = random_inputs(found.inputs) if inputs is None else inputs
    tensors = [
        to_tensor(spec, array).reshape(len(array), *spec.shape) for spec, array in zip(found.inputs, given, strict=True)
    ]
    outputs = run_tflite(model, found, tensors)
    named = {f"in{i}": array[:keep] for i, array in enumerate(tensors)}
    named |= {f"out{i}": array[:keep] for i, array in enumerate(outputs)}
    np.savez_compressed(target, **named)  # type: ignore[arg-type] # its stub mixes up `allow_pickle` with names
    return outputs


def run_tflite(model: Path, found: ModelFile, tensors: Sequence[Array]) -> list[Array]:
    """Return each output `(n, *shape)` on inputs `(n, *shape)`; state is reset before each sample.

    Raises:
        ModelError: The runtime refuses the model.
    """
    interpreter = open_interpreter(model, found)
    places = [detail["index"] for detail in interpreter.get_input_details()]
    results = [detail["index"] for detail in interpreter.get_output_details()]
    rows = []
    for sample in range(len(tensors[0])):
        interpreter.reset_all_variables()
        for place, array in zip(places, tensors, strict=True):
            interpreter.set_tensor(place, array[sample])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(place) for place in results])
    return [np.stack(column) for column in zip(*rows, strict=True)]


def open_interpreter(model: Path, found: ModelFile, *, keep_all: bool = False) -> Any:  # noqa: ANN401 - LiteRT has no types
    """Return LiteRT's interpreter with its tensors allocated; with `keep_all` every operator's output can be read.

    Raises:
        ModelError: It refuses the model.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        # A delegate fuses operators and keeps what lies between to itself.
        plain = {"experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
        kept = {"experimental_preserve_all_tensors": True, **plain} if keep_all else {}
        interpreter = Interpreter(model_path=str(model), num_threads=1, **kept)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as exc:
        raise _refused(model, found, str(exc)) from exc
    return interpreter


def _refused(model: Path, found: ModelFile, text: str) -> ModelError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    why = lines[0][:_LONGEST_WHY] if lines else "it says nothing more"
    if found.custom_ops and any(op in text for op in found.custom_ops):
        names = ", ".join(f"`{op}`" for op in found.custom_ops)
        return ModelError(
            f"LiteRT cannot run `{model}`: it has no custom op {names}",
            "make the model of builtin ops only; a custom op lives in the program that registers it",
        )
    return ModelError(f"LiteRT refuses `{model}`: {why}", "convert it again with a current TensorFlow")


def _random(random: np.random.Generator, spec: TensorSpec, top: float) -> Array:
    shape, dtype = (SAMPLES, *spec.shape), np.dtype(spec.dtype)
    if dtype.kind in "iu" and spec.scale is not None:
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.kind in "iub":
        return random.integers(0, 2, shape).astype(dtype)
    return (random.random(shape) * top).astype(np.float32)


def _main(job: Job, say: Say) -> None:
    if job.kind == "outputs":
        path, folder = Path(job.model), Path(job.folder)
        outputs = run_tflite(path, read_model(path), [np.load(folder / "x.npy", allow_pickle=False)])
        np.savez(folder / "outputs.npz", **{f"out{i}": array for i, array in enumerate(outputs)})  # type: ignore[arg-type]
        return
    write_golden(Path(job.model), None, Path(job.folder) / "golden.npz")
    say(Line("made", "as-is"))


if __name__ == "__main__":
    sys.exit(serve(sys.argv, _main))
