"""The child that loads a Keras model with TensorFlow: `python -m edgeprof.compress.worker JOB`.

It converts to every recipe of a job, or computes the float model's outputs. TensorFlow takes seconds to start and
its converter can crash; neither happens in the host's process.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.flatbuffer import read_model
from edgeprof.analysis.numbers import Array
from edgeprof.compress.bridge import to_tf_keras
from edgeprof.compress.calibration import fitted, load_calibration
from edgeprof.compress.converting import by_name, convert
from edgeprof.compress.doubts import Warnings, doubts, few_samples, parity, silent_layers, zero_ranges
from edgeprof.compress.golden import SAMPLES, random_inputs, write_golden
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.program import Program, load_program, naming_of, run_program, same_inputs, save_program
from edgeprof.compress.recipes import Recipe, parse_recipe
from edgeprof.compress.sampling import Sampling
from edgeprof.compress.speaking import Say, serve
from edgeprof.compress.stages import run_steps
from edgeprof.compress.training_data import TrainingData, prepare
from edgeprof.compress.training_files import load_training
from edgeprof.errors import ModelError, UsageError
from edgeprof.units import BYTES_PER_KIB

# As many inputs tell whether an artifact says what the float model says; `SAMPLES` of them travel with it.
PROBES = 32
FLOAT = Recipe("fp32")
_PIXELS = 255.0
# Of a recipe of steps, what is done when they are done; converting is the rest.
_STEPS_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class _Making:
    """What all recipes of a job share."""

    job: Job
    program: Program
    calibration: tuple[Array, ...] | None
    golden: list[Array]
    origin: "Origin"


@dataclass(slots=True)
class Origin:
    """The model as tf_keras has it and the training data, made when the first step asks.

    Attributes:
        program: The user's model.
        job: What is to be done with it.
    """

    program: Program
    job: Job
    _model: Any = None
    _training: TrainingData | None = None
    _flat: Warnings | None = None

    def model(self) -> Any:  # noqa: ANN401 - TensorFlow has no types
        """Return it.

        Raises:
            ModelError: It has no layers, or one that tf_keras lacks.
        """
        if self._model is None:
            if not hasattr(self.program.owner, "layers"):
                raise ModelError(
                    f"`{self.job.model}` is a SavedModel: a graph without layers, and steps change layers",
                    "give the .keras or .h5 file it was exported from, or use a recipe without steps, such as int8",
                )
            self._model = to_tf_keras(self.program.owner)
        return self._model

    def zero_ranges(self, saved: Path, samples: dict[str, Array]) -> Warnings:
        """Return a warning about layers that give one value for all samples."""
        if self._flat is None:
            self._flat = zero_ranges(convert(saved, FLOAT, calibration=None, integer_io=False), samples)
        return self._flat

    def training(self) -> TrainingData | None:
        """Return the data that steps train on, if there are any."""
        if self._training is None and self.job.train is not None:
            self._training = prepare(load_training(Path(self.job.train), self.job.seed), self.model(), self.job.seed)
        return self._training


@dataclass(frozen=True, slots=True)
class _Telling:
    """Says how far a recipe is."""

    say: Say
    recipe: Recipe

    def steps(self, text: str, done: float | None) -> None:
        self.say(Line("progress", f"{self.recipe.name}: {text}", _STEPS_SHARE * (done or 0)))

    def converting(self, job: Job) -> None:
        text = f"converting {Path(job.model).name} to {self.recipe.name}"
        self.say(Line("progress", text, _STEPS_SHARE if self.recipe.steps else 0))


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
    """Make the recipes that the host asks for, several numbers a line, until it has no more."""
    calibration = _calibration(program, job)
    golden = [a[:PROBES] for a in calibration] if calibration else _random(program)
    making = _Making(job, program, calibration, golden, Origin(program, job))
    say(Line("ready", "waiting", peak_bytes=_peak_bytes()))
    for asked in sys.stdin:
        for index in map(int, asked.split(",")):
            recipe = parse_recipe(job.recipes[index])
            say(Line("began", recipe.name))
            say(_made(making, recipe, job.stages[index], _Telling(say, recipe)))
        say(Line("ready", "waiting", peak_bytes=_peak_bytes()))


def _made(making: _Making, recipe: Recipe, stages: Sequence[str], telling: _Telling) -> Line:
    """Make a recipe; one that fails is said to, and leaves the others alone."""
    try:
        warnings, notes = _make(making, recipe, stages, telling)
    except (ModelError, UsageError) as exc:
        return Line("failed", f"{recipe.name}\n{exc.message}", hint=exc.hint)
    fitted_to = len(making.calibration[0]) if making.calibration and recipe.conversion.calibrated else None
    return Line("made", recipe.name, warnings=warnings, notes=notes, samples=fitted_to)


def _make(making: _Making, recipe: Recipe, stages: Sequence[str], telling: _Telling) -> tuple[Warnings, Warnings]:
    """Write one recipe's folder; return what is doubtful about the file, and what its steps did."""
    job, program = making.job, making.program
    found: Warnings = ()
    notes: Warnings = ()
    if recipe.steps:
        program, found, notes = after_steps(making.origin, recipe, stages, telling.say)
    saved = Path(job.folder) / (f"saved-{recipe.name}" if recipe.steps else "saved_model")
    if not saved.exists():
        save_program(program, saved)
    telling.converting(job)
    samples = by_name(program.inputs, making.calibration) if making.calibration else None
    content = convert(saved, recipe, calibration=samples, integer_io=job.io == "int8", naming=naming_of(program))
    folder = Path(job.folder) / recipe.name
    folder.mkdir()
    (folder / "model.tflite").write_bytes(content)
    if samples and recipe.conversion.calibrated:
        found = (*found, *few_samples(samples))
    if samples and recipe.conversion.calibrated and not recipe.steps:
        found = (*found, *making.origin.zero_ranges(saved, samples))
    outputs = _golden(making, program, folder)
    expected = run_program(program, making.golden)
    if recipe.conversion.type == "fp32":
        found = (*found, *parity(read_model(folder / "model.tflite"), outputs, expected))
    return (*found, *doubts(folder / "model.tflite", recipe, outputs, expected)), notes


def _golden(making: _Making, program: Program, folder: Path) -> list[Array]:
    """Write the file's outputs on golden inputs; return them.

    Raises:
        ModelError: LiteRT refuses the file; where layers have no range, that is why.
    """
    model = folder / "model.tflite"
    try:
        given = _in_file_order(program, making.golden, folder)
        return write_golden(model, given, folder / "golden.npz", keep=SAMPLES)
    except ModelError as exc:
        names = silent_layers(model)
        if not names:
            raise
        text = f"no runtime can scale its integers: nothing but zero came out of {', '.join(names[:5])}"
        hint = "take fewer channels or weights, by another importance, or fine-tune (`--train`)"
        raise ModelError(f"{text} for all calibration samples", hint) from exc


def after_steps(origin: Origin, recipe: Recipe, stages: Sequence[str], say: Say) -> tuple[Program, Warnings, Warnings]:
    """Return the model after a recipe's steps, what is doubtful about it, and what they did.

    Raises:
        ModelError: As `run_steps`.
    """
    places = [Path(place) for place in stages]
    staged = run_steps(origin.model, recipe.steps, places, origin.training, _Telling(say, recipe).steps)
    return same_inputs(origin.program, staged.model), staged.warnings, staged.notes


def _calibration(program: Program, job: Job) -> tuple[Array, ...] | None:
    if job.calibration is None:
        return None
    return load_calibration(Path(job.calibration), job.preprocessing, program.inputs, Sampling(*job.sampling))


def _peak_bytes() -> int | None:
    """Return the most memory this process has held so far, as Linux tells it."""
    with suppress(OSError):
        for row in Path("/proc/self/status").read_text().splitlines():
            if row.startswith("VmHWM:"):
                return int(row.split()[1]) * BYTES_PER_KIB
    return None


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


if __name__ == "__main__":
    sys.exit(serve(sys.argv, run))
