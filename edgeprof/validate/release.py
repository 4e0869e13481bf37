"""What is released, on which devices, and what it may cost there."""

from dataclasses import dataclass, field
from pathlib import Path

from edgeprof.compress.sampling import Sampling
from edgeprof.validate.figures import Figure


@dataclass(frozen=True, slots=True)
class Released:
    """A model to be released.

    Attributes:
        name: What it is called in verdicts.
        file: A Keras model or a `.tflite`.
        recipe: How a Keras model is compressed, or `None`.
        calibration: Data for that, or `None`.
        sampling: Which of them are used.
        preprocessing: How a folder of images becomes inputs, or `None`.
        evaluations: Sets of samples with labels by name; the first is the one that a limit without a name is about.
        threads: Of the runtime.
        cpus: Cores, as `profile --cpus` takes them.
        runtime: Its name, or `None` for whichever fits.
        rate_hz: Runs a second, each timed from when it was due; `None` for back to back.
        corruptions: How to spoil the first set for further ones, as `profile --corrupt` has it.
        metrics: What accuracy is measured in, the headline first; none for what goes with the labels.
        train: What the model was trained on: for recipes that fine-tune, and to find leaked samples; or `None`.
        pin_clocks: What the boards' clocks are pinned to meanwhile, as `RunPlan` has it, or `None`.
        power_mode: The power mode that Jetsons are set to meanwhile, or `None`.
    """

    name: str
    file: Path
    recipe: str | None = None
    calibration: Path | None = None
    sampling: Sampling = field(default_factory=Sampling)
    preprocessing: str | None = None
    evaluations: tuple[tuple[str, Path], ...] = ()
    threads: int = 1
    cpus: str = "all"
    runtime: str | None = None
    rate_hz: float | None = None
    corruptions: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    train: Path | None = None
    pin_clocks: str | None = None
    power_mode: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a gate: a figure of an artifact on a device, and what it is held against.

    Attributes:
        artifact: Whose.
        device: Where.
        figure: Which.
        limit: The most, or for a floor the least, in the figure's unit; `None` for a baseline.
        baseline: The file that holds the older run, or `None`.
        worse_ratio: How much worse than the baseline it may be.
        worse_by: A difference up to this, in the figure's unit, is never too much.
        older: The older build, a `.tflite` that is measured in turns with this one; or `None`.
        data: The evaluation set, or `None` for the first, or where the figure is not about samples.
        line: Of the release file, counted from 1.
    """

    artifact: Released
    device: str
    figure: Figure
    limit: float | None = None
    baseline: Path | None = None
    worse_ratio: float = 0.0
    worse_by: float = 0.0
    older: Path | None = None
    data: str | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class Release:
    """A release file, read.

    Attributes:
        path: Where it lies; its paths are relative to its folder.
        launches: Fresh processes in the first stage; the second has twice as many.
        checks: All of them.
    """

    path: Path
    launches: int
    checks: tuple[Check, ...]
