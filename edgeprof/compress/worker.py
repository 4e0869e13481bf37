"""The child that loads a Keras model with TensorFlow: `python -m edgeprof.compress.worker JOB`.

It converts to every recipe of a job, or computes the float model's outputs. TensorFlow takes seconds to start and
its converter can crash; neither happens in the host's process.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.flatbuffer import ModelFile, read_model
from edgeprof.analysis.numbers import Array, sqnr_db
from edgeprof.compress.bridge import to_tf_keras
from edgeprof.compress.calibration import fitted, load_calibration
from edgeprof.compress.converting import by_name, convert, left_float
from edgeprof.compress.golden import SAMPLES, random_inputs, write_golden
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.program import Program, load_program, run_program, same_inputs, save_program
from edgeprof.compress.recipes import Recipe, parse_recipe
from edgeprof.compress.speaking import Say, serve
from edgeprof.compress.stages import run_steps
from edgeprof.compress.training import TrainingData, prepare
from edgeprof.compress.training_files import load_training
from edgeprof.errors import ModelError

# A float conversion differs from Keras by rounding only: 100 dB and more; a dropped setting of a layer by far more.
_PARITY_DB = 40.0
_PIXELS = 255.0


@dataclass(frozen=True, slots=True)
class _Making:
    """What all recipes of a job share."""

    job: Job
    program: Program
    calibration: tuple[Array, ...] | None
    golden: list[Array]
    say: Say


@dataclass(slots=True)
class _Origin:
    """The model as tf_keras has it and the training data, made when the first step asks."""

    program: Program
    job: Job
    _model: Any = None
    _training: TrainingData | None = None

    def model(self) -> Any:  # noqa: ANN401 - TensorFlow has no types
        if self._model is None:
            if not hasattr(self.program.owner, "layers"):
                raise ModelError(
                    f"`{self.job.model}` is a SavedModel: a graph without layers, and steps change layers",
                    "give the .keras or .h5 file it was exported from, or use a recipe without steps, such as int8",
                )
            self._model = to_tf_keras(self.program.owner)
        return self._model

    def training(self) -> TrainingData | None:
        if self._training is None and self.job.train is not None:
            self._training = prepare(load_training(Path(self.job.train), self.job.seed), self.model(), self.job.seed)
        return self._training


@dataclass(frozen=True, slots=True)
class _Share:
    """Turns how far one recipe is into how far all are."""

    say: Say
    index: int
    count: int

    def steps(self, text: str, done: float | None) -> None:
        self.say(Line("progress", text, (self.index + 0.9 * (done or 0)) / self.count))

    def converting(self, job: Job, recipe: Recipe) -> None:
        done = 0.9 if recipe.steps else 0
        text = f"converting {Path(job.model).name} to {recipe.name}"
        self.say(Line("progress", text, (self.index + done) / self.count))


def run(job: Job, say: Say) -> None:
    """Do a job of kind `convert` or `reference`; results are files in its folder.

    Raises:
        ModelError: The model or its data are at fault.
        UsageError: The calibration data cannot be read.
    """
    name = Path(job.model).name
    say(Line("progress", f"loading {name}"))
    program = load_program(Path(job.model), trust=job.trust_model)
    if job.kind == "reference":
        _references(program, job, say)
    else:
        _convert_all(program, job, say)


def _references(program: Program, job: Job, say: Say) -> None:
    for index in range(job.data):
        say(Line("progress", f"running {Path(job.model).name} in floating point", index / job.data))
        x = np.load(Path(job.folder) / f"{index}.npy", allow_pickle=False)
        outputs = run_program(program, [fitted(x, program.inputs[0], "the evaluation set")])
        named = {f"out{i}": output.reshape(len(x), -1).astype(np.float32) for i, output in enumerate(outputs)}
        np.savez(Path(job.folder) / str(index) / "reference.npz", **named)  # type: ignore[arg-type] # as for golden vectors


def _convert_all(program: Program, job: Job, say: Say) -> None:
    calibration = _calibration(program, job)
    golden = [a[:SAMPLES] for a in calibration] if calibration else _random(program)
    making = _Making(job, program, calibration, golden, say)
    expected = run_program(program, golden)
    saved = Path(job.folder) / "saved_model"
    recipes = [parse_recipe(fields) for fields in job.recipes]
    if not all(recipe.steps for recipe in recipes):
        save_program(program, saved)
    origin = _Origin(program, job)
    for i, recipe in enumerate(recipes):
        share = _Share(say, i, len(recipes))
        if recipe.steps:
            staged = run_steps(
                origin.model, recipe.steps, [Path(p) for p in job.stages[i]], origin.training, share.steps
            )
            changed = same_inputs(program, staged.model)
            own = Path(job.folder) / f"saved-{recipe.name}"
            save_program(changed, own)
            share.converting(job, recipe)
            warnings = (*staged.warnings, *_make(making, recipe, own, run_program(changed, golden)))
        else:
            share.converting(job, recipe)
            warnings = _make(making, recipe, saved, expected)
        say(Line("made", recipe.name, (i + 1) / len(recipes), warnings=warnings))


def _make(making: _Making, recipe: Recipe, saved: Path, expected: Sequence[Array]) -> tuple[tuple[str, str], ...]:
    """Convert to one recipe's folder; return what is doubtful about the file."""
    program, job = making.program, making.job
    samples = by_name(program.inputs, making.calibration) if making.calibration else None
    content = convert(saved, recipe, calibration=samples, integer_io=job.io == "int8")
    folder = Path(job.folder) / recipe.name
    folder.mkdir()
    (folder / "model.tflite").write_bytes(content)
    return _check(folder, recipe, _in_file_order(program, making.golden, folder), expected)


def _calibration(program: Program, job: Job) -> tuple[Array, ...] | None:
    if job.calibration is None:
        return None
    return load_calibration(Path(job.calibration), job.preprocessing, program.inputs, job.calibration_samples)


def _random(program: Program) -> list[Array]:
    """Return random inputs in the range the model's own first layers suggest."""
    first = [type(layer).__name__ for layer in getattr(program.owner, "layers", [])[:3]]
    arrays = random_inputs(program.inputs, _PIXELS if "Rescaling" in first else 1.0)
    return [array.reshape(SAMPLES, *spec.shape[1:]) for array, spec in zip(arrays, program.inputs, strict=True)]


def _in_file_order(program: Program, arrays: Sequence[Array], folder: Path) -> list[Array]:
    """Return the arrays in the order of the `.tflite` file's inputs, which the converter may have changed."""
    names = [spec.name for spec in program.inputs]
    found = read_model(folder / "model.tflite").input_names
    return [arrays[names.index(name)] for name in found] if set(found) == set(names) else list(arrays)


def _check(
    folder: Path, recipe: Recipe, golden: Sequence[Array], expected: Sequence[Array]
) -> tuple[tuple[str, str], ...]:
    """Write the golden vectors and return what is doubtful about the file."""
    outputs = write_golden(folder / "model.tflite", golden, folder / "golden.npz")
    found = read_model(folder / "model.tflite")
    warnings = left_float(found, recipe)
    if len(golden[0]) > 1 and all((output == output[:1]).all() for output in outputs):
        text = (
            f"the outputs are the same for {len(golden[0])} different inputs; is the model trained, its input scaled?"
        )
        warnings = (*warnings, ("constant_output", text))
    return (*warnings, *_parity(found, outputs, expected)) if recipe.conversion.type == "fp32" else warnings


def _parity(found: ModelFile, outputs: Sequence[Array], expected: Sequence[Array]) -> tuple[tuple[str, str], ...]:
    """Return a warning where the float artifact computes something else than the Keras model."""
    if len(outputs) != len(expected):
        return (("parity", f"the artifact has {len(outputs)} outputs, the Keras model {len(expected)}"),)
    order = [int(name.removeprefix("output_")) for name in found.output_names] or range(len(outputs))
    pairs = zip((expected[i] for i in order), outputs, strict=True)
    decibels = [sqnr_db(want.ravel(), got.ravel()) for want, got in pairs]
    worst = min((db for db in decibels if db is not None), default=None)
    if worst is None or worst >= _PARITY_DB:
        return ()
    return (
        (
            "parity",
            f"its outputs differ from the Keras model's: signal to error {worst:.0f} dB, expected {_PARITY_DB:.0f}",
        ),
    )


if __name__ == "__main__":
    sys.exit(serve(sys.argv, run))
