"""Where two artifacts of one model part: both run layer by layer on the host, in a child process.

`python -m edgeprof.compress.layers JOB` does that; LiteRT without delegates keeps every tensor.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.flatbuffer import ModelFile, read_model
from edgeprof.analysis.graph import Operator, read_operators
from edgeprof.analysis.numbers import Array, from_tensor, to_tensor
from edgeprof.compress.cache import partial, place
from edgeprof.compress.calibration import fitted
from edgeprof.compress.child import LAYERS, run_child
from edgeprof.compress.golden import open_interpreter, random_inputs
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.speaking import Say, serve
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import TensorSpec

# As many samples as tell one layer's error from another's; a layer's signal and error are summed over all of them.
MOST_SAMPLES = 32
_FOUND = "layers.json"
NAME, ORDER = "name", "order"


@dataclass(frozen=True, slots=True)
class LayerError:
    """One operator's output in one model against the same in another.

    Attributes:
        node: The operator's place in the model.
        op: Its name, such as `CONV_2D`.
        layer: What the file calls the output.
        shape: Of the output.
        dtype: Of the output, in the model.
        matched: `name` (both files call it the same), `order` (the same operator and shape stands between the same
            neighbours) or `None` where the other model has no such output.
        sqnr_db: Signal to error in decibel; `None` where both are equal, or without a match.
        max_error: Largest difference; `None` without a match.
    """

    node: int
    op: str
    layer: str
    shape: tuple[int, ...]
    dtype: str
    matched: str | None
    sqnr_db: float | None
    max_error: float | None


def layer_errors(model: Path, against: Path, samples: Array | None) -> tuple[LayerError, ...]:
    """Return how far each layer of `model` is from the same layer of `against`, both run from the same samples.

    Args:
        model: A `.tflite`, such as int8.
        against: Another of the same network, such as fp32.
        samples: `(n, …)` for the only input, at most 32 of which are used; `None` for random ones.

    Raises:
        ModelError: A model is at fault, their inputs differ, or the samples do not fit.
        UsageError: LiteRT is not installed.
    """
    if find_spec("ai_edge_litert") is None:
        raise UsageError("running models on this machine needs LiteRT", "pip install 'edgeprof[compress]'")
    one, other = read_model(model), read_model(against)
    shapes = [tuple(spec.shape for spec in found.inputs) for found in (one, other)]
    if shapes[0] != shapes[1]:
        message = f"`{model.name}` takes {shapes[0]}, `{against.name}` {shapes[1]}"
        raise ModelError(message, "give two artifacts of one network")
    if samples is not None and len(one.inputs) != 1:
        raise ModelError(f"`{model.name}` has {len(one.inputs)} inputs", "leave `--eval` out: random inputs are used")
    with partial(place("layers", "now")) as folder:
        if samples is not None:
            np.save(folder / "x.npy", samples[:MOST_SAMPLES])
        job = Job("layers", str(model.absolute()), str(folder), other=str(against.absolute()))
        run_child(LAYERS, job, lambda _: None)
        items = json.loads((folder / _FOUND).read_text())
    return tuple(LayerError(**{**item, "shape": tuple(item["shape"])}) for item in items)


def match_layers(
    one: Sequence[tuple[str, Operator]], other: Sequence[tuple[str, Operator]]
) -> dict[int, tuple[int, str]]:
    """Return for each place in `one` the place in `other` with the same output, and how that was found.

    Names come first: a converter calls the outputs of one network the same whatever it makes of them. What is left is
    matched where operators of the same name and shape stand in the same order between those.
    """
    by_name = {name: index for index, (name, _) in enumerate(other)}
    found = {i: (by_name[name], NAME) for i, (name, op) in enumerate(one) if name in by_name}
    found = {i: pair for i, pair in found.items() if other[pair[0]][1].shape == one[i][1].shape}
    taken = {index for index, _ in found.values()}
    ends = [(-1, -1), *((i, found[i][0]) for i in sorted(found)), (len(one), len(other))]
    for (left, first), (right, last) in pairwise(ends):
        rows = [i for i in range(left + 1, right) if i not in found]
        columns = [i for i in range(first + 1, last) if i not in taken]
        keys, other_keys = [_kind(one[i][1]) for i in rows], [_kind(other[i][1]) for i in columns]
        for block in SequenceMatcher(None, keys, other_keys, autojunk=False).get_matching_blocks():
            found |= {rows[block.a + k]: (columns[block.b + k], ORDER) for k in range(block.size)}
    return found


def _kind(op: Operator) -> tuple[str, tuple[int, ...] | None]:
    return op.name, op.shape


class _Model:
    """A model whose every output is kept."""

    def __init__(self, path: Path) -> None:
        self.file: ModelFile = read_model(path)
        self._run: Any = open_interpreter(path, self.file, keep_all=True)
        details = {detail["index"]: detail for detail in self._run.get_tensor_details()}
        ops = [op for op in read_operators(path) if op.outputs and op.outputs[0] in details]
        self.layers = [(str(details[op.outputs[0]]["name"]), op) for op in ops]
        self._specs = [_spec(details[op.outputs[0]]) for op in ops]

    def run(self, inputs: Sequence[Array], sample: int) -> list[Array]:
        """Return the real numbers of every layer's output on one sample."""
        self._run.reset_all_variables()
        for detail, spec, array in zip(self._run.get_input_details(), self.file.inputs, inputs, strict=True):
            self._run.set_tensor(detail["index"], to_tensor(spec, array[sample]).reshape(spec.shape))
        self._run.invoke()
        places = [op.outputs[0] for _, op in self.layers]
        return [from_tensor(spec, self._run.get_tensor(index)) for index, spec in zip(places, self._specs, strict=True)]


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scales = detail["quantization_parameters"]["scales"]
    one = len(scales) == 1
    zero = int(detail["quantization_parameters"]["zero_points"][0]) if one else None
    name, shape = str(detail["name"]), tuple(int(size) for size in detail["shape"])
    return TensorSpec(name, shape, np.dtype(detail["dtype"]).name, float(scales[0]) if one else None, zero)


def _main(job: Job, say: Say) -> None:
    model, other = (_Model(Path(path)) for path in (job.model, str(job.other)))
    inputs = _inputs(Path(job.folder) / "x.npy", model, other)
    pairs = match_layers(model.layers, other.layers)
    sums = np.zeros((len(model.layers), 3))  # signal, error, largest error
    for sample in range(len(inputs[0])):
        say(Line("progress", "running both models", sample / len(inputs[0])))
        got, expected = model.run(inputs, sample), other.run(inputs, sample)
        for index, (place_, _) in pairs.items():
            want = expected[place_].astype(np.float64)
            error = np.abs(got[index] - want)
            sums[index, :2] += (want**2).sum(), (error**2).sum()
            sums[index, 2] = max(sums[index, 2], error.max(initial=0))
    found = [_layer(model, index, pairs.get(index), sums[index]) for index in range(len(model.layers))]
    (Path(job.folder) / _FOUND).write_text(json.dumps([asdict(one) for one in found]))


def _inputs(file: Path, model: _Model, other: _Model) -> list[Array]:
    """Return the samples, or random real numbers where there are none: quantised inputs' own range, else 0 to 1."""
    specs = model.file.inputs
    if file.is_file():
        return [
            fitted(np.load(file, allow_pickle=False), TensorSpec("x", specs[0].shape, "float32"), "the set of samples")
        ]
    chosen = specs if any(spec.scale is not None for spec in specs) else other.file.inputs
    return [from_tensor(spec, array) for spec, array in zip(chosen, random_inputs(chosen), strict=True)]


def _layer(model: _Model, index: int, pair: tuple[int, str] | None, sums: Array) -> LayerError:
    name, op = model.layers[index]
    signal, error, largest = (float(value) for value in sums)
    quality = None
    if pair is not None and error > 0:
        quality = float(np.clip(10 * np.log10(max(signal, 1e-30) / error), -200, 200))
    where = (op.index, op.name, name, op.shape or (), op.dtype or "")
    return LayerError(*where, None, None, None) if pair is None else LayerError(*where, pair[1], quality, largest)


if __name__ == "__main__":
    sys.exit(serve(sys.argv, _main))
