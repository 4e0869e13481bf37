"""The child behind an error report: `python -m edgeprof.compress.reporting JOB`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.flatbuffer import read_model
from edgeprof.analysis.numbers import Array, sqnr_db, to_tensor
from edgeprof.compress.calibration import load_calibration
from edgeprof.compress.converting import by_name, calibrate, convert, understood
from edgeprof.compress.doubts import paired
from edgeprof.compress.error_report import RESULT, ErrorReport, OpError, Trial, written
from edgeprof.compress.golden import run_tflite
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.leaving import Finding, search
from edgeprof.compress.program import Program, load_program, naming_of, run_program, save_program
from edgeprof.compress.ranges import clipped, named, op_outputs, quantise
from edgeprof.compress.recipes import Recipe, parse_recipe
from edgeprof.compress.sampling import Sampling
from edgeprof.compress.speaking import Say, serve
from edgeprof.compress.verifying import op_errors, readers
from edgeprof.compress.worker import Origin, after_steps
from edgeprof.errors import ModelError

# More samples make a report longer and hardly another one.
_MOST = 100


@dataclass(frozen=True, slots=True)
class _Bench:
    """All that a conversion is tried on."""

    job: Job
    recipe: Recipe
    program: Program
    saved: Path
    samples: dict[str, Array]
    expected: list[Array]

    @property
    def few(self) -> dict[str, Array]:
        """The samples that models are run on."""
        return {name: array[:_MOST] for name, array in self.samples.items()}

    def outputs_of(self, outputs: Sequence[str], leave: tuple[str, ...]) -> list[str]:
        """Return the outputs of the layers that the recipe leaves in float, and of others."""
        return named(outputs, (*self.recipe.conversion.leave_float, *leave), naming_of(self.program))


def run(job: Job, say: Say) -> None:
    """Write the report on the one recipe of a job of kind `errors` into its folder.

    Raises:
        ModelError: The model or its data are at fault, or it cannot be quantised.
        UsageError: The data cannot be read.
    """
    say(Line("progress", f"loading {Path(job.model).name}"))
    bench = _bench(job, say)
    with understood(bench.recipe):
        say(Line("progress", "finding the ranges of activations"))
        calibrated = calibrate(bench.saved, bench.samples)
        if bench.recipe.conversion.percentile < 100:
            calibrated = clipped(calibrated, bench.recipe.conversion.percentile, bench.samples)
        outputs = op_outputs(calibrated)
        layers = _layers(bench.program, outputs)
        rows = _rows(bench, calibrated, layers, say)

    def tried(leave: tuple[str, ...], done: float) -> Trial:
        what = f"trying {', '.join(f'`{name}`' for name in leave)} in float" if leave else "trying the recipe as it is"
        say(Line("progress", what, done))
        with understood(bench.recipe):
            left = bench.outputs_of(outputs, leave)
            made = quantise(calibrated, bench.recipe.conversion, integer_io=job.io == "int8", leave=left)
        return _held(bench, leave, made)

    found = search(rows, _next_to(calibrated, layers), len(bench.expected[0]), tried)
    (Path(job.folder) / RESULT).write_text(written(_report(bench, rows, found, say)))


def _rows(bench: _Bench, calibrated: bytes, layers: Mapping[str, str], say: Say) -> list[OpError]:
    say(Line("progress", "comparing each operator with its float twin"))
    own = bench.outputs_of(op_outputs(calibrated), ())
    found = op_errors(calibrated, bench.recipe.conversion, bench.few, Path(bench.job.folder), own)
    return [replace(row, layer=layers.get(row.output, row.output)) for row in found]


def _report(bench: _Bench, rows: Sequence[OpError], found: Finding, say: Say) -> ErrorReport:
    """Return the report; a suggestion is converted again from the start, as a recipe with those layers would be."""
    after = suggestion = None
    if found.chosen is not None:
        leave = (*bench.recipe.conversion.leave_float, *found.chosen.leave_float)
        name, conversion = f"{bench.recipe.name}-part", replace(bench.recipe.conversion, leave_float=leave)
        with_float = replace(bench.recipe, name=name, conversion=conversion)
        say(Line("progress", f"converting with {', '.join(f'`{name}`' for name in leave)} in float"))
        integers, naming = bench.job.io == "int8", naming_of(bench.program)
        made = convert(bench.saved, with_float, calibration=bench.samples, integer_io=integers, naming=naming)
        after = _held(bench, found.chosen.leave_float, made)
        said = {k: v for k, v in conversion.fields().items() if k in _SAID or v != _DEFAULT[k]}
        suggestion = {**with_float.fields(), "conversion": said}
    return ErrorReport(
        model=Path(bench.job.model).stem,
        recipe=bench.recipe.name,
        n=len(bench.expected[0]),
        rows=tuple(sorted(rows, key=lambda row: -row.rmse_steps)),
        before=found.before,
        tried=found.tried,
        after=after,
        verdict=found.verdict(after),
        suggestion=suggestion,
    )


_SAID = ("type", "leave_float")
_DEFAULT = Recipe("int8").conversion.fields()


def _bench(job: Job, say: Say) -> _Bench:
    program = load_program(Path(job.model), trust=job.trust_model)
    recipe = parse_recipe(job.recipes[0])
    calibration = load_calibration(
        Path(str(job.calibration)), job.preprocessing, program.inputs, Sampling(*job.sampling)
    )
    if recipe.steps:
        program = after_steps(Origin(program, job), recipe, job.stages[0], say)[0]
    saved = Path(job.folder) / "saved_model"
    save_program(program, saved)
    expected = run_program(program, [array[:_MOST] for array in calibration])
    return _Bench(job, recipe, program, saved, by_name(program.inputs, calibration), expected)


def _held(bench: _Bench, leave: tuple[str, ...], content: bytes) -> Trial:
    """Return how far a file's outputs are from the float model's."""
    path = Path(bench.job.folder) / "trial.tflite"
    path.write_bytes(content)
    found = read_model(path)
    names = found.input_names or tuple(bench.few)
    tensors = [
        to_tensor(spec, bench.few[name]).reshape(-1, *spec.shape)
        for spec, name in zip(found.inputs, names, strict=True)
    ]
    pairs = paired(found, run_tflite(path, found, tensors), bench.expected)
    if not pairs:
        raise ModelError("the converted model has other outputs than the Keras model", "report this with the model")
    decibels = [sqnr_db(want.ravel(), got.ravel()) for want, got in pairs]
    worst = min((db for db in decibels if db is not None), default=None)
    return Trial(leave, len(content), worst, _agreed(bench, *pairs[0]))


def _agreed(bench: _Bench, want: Array, got: Array) -> int | None:
    sizes = {int(np.prod(array.shape[1:])) for array in bench.few.values()}
    if want[0].size < 2 or want[0].size in sizes:
        return None  # one value, or what an autoencoder gives back: no classes
    return int((want.reshape(len(want), -1).argmax(1) == got.reshape(len(got), -1).argmax(1)).sum())


def _layers(program: Program, outputs: Sequence[str]) -> Mapping[str, str]:
    """Return the Keras layer behind each output; of several that one operator computes, the first."""
    found: dict[str, str] = {}
    for name in _names(getattr(program.owner, "layers", [])):
        try:
            mine = named(outputs, [name], naming_of(program))
        except ModelError:
            continue  # it is no operator of its own, such as an input
        for output in mine:
            found.setdefault(output, name)
    return found


def _next_to(calibrated: bytes, layers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return for each layer those that read what its operators give."""
    found: dict[str, tuple[str, ...]] = {}
    for output, others in readers(calibrated).items():
        layer = layers.get(output, output)
        found[layer] = (*found.get(layer, ()), *(layers.get(other, other) for other in others))
    return found


def _names(layers: Sequence[Any]) -> list[str]:
    return [name for layer in layers for name in (str(layer.name), *_names(getattr(layer, "layers", [])))]


if __name__ == "__main__":
    sys.exit(serve(sys.argv, run))
