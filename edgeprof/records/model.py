"""What is known of a model: its file, its tensors, its operators before they run."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: The tensor's name in the flatbuffer.
        shape: Its dimensions, batch included; a dynamic dimension stands as 1.
        dtype: numpy's name, such as `float32` or `int8`.
        scale: Real value of one step, or `None` where the tensor is not quantised.
        zero_point: The integer that stands for 0.0, or `None`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True)
class CalibrationUse:
    """The samples that the ranges of an artifact's integers come from.

    Attributes:
        sha256: The hash of the file, or of the folder of images, that they were picked from.
        samples: How many were used.
        choice: How they were picked: `even`, `first`, `random` or `balanced`.
        seed: Of `random`; else `None`.
    """

    sha256: str
    samples: int
    choice: str
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A `.tflite` file ready for boards, and what is known of it.

    Attributes:
        path: The file on the host.
        sha256: Its content's hash; its identity everywhere.
        size_bytes: Its length.
        model: Name of the model it came from (a file's stem).
        recipe: How it was made: `fp32`, `int8`, …; `as-is` for a `.tflite` that the user brought.
        inputs: Its inputs, in the subgraph's order.
        outputs: Its outputs, in the subgraph's order.
        stateful: It keeps variables between runs, which must be reset before each sample.
        parent_sha256: The hash of the model file it was made from, or `None`.
        golden: A `.npz` with `in0`, `in1`, … and `out0`, …, each `(n, *shape)` in the tensor's own dtype, made on the
            host; or `None` where the host had no runtime to make it.
        versions: Pairs of library and version that made it.
        warnings: Pairs of code and text: what is doubtful about it.
        steps: A line for each change of the model before it was converted: its kind and settings.
        seed: Of everything random in those steps; `None` without any.
        train_sha256: The hash of the training data's file, or `None`.
        float_bytes: What the model takes as a plain float `.tflite`, or `None` where that is not known.
        notes: Pairs of code and text: what its steps did, as they should.
        calibration: Where the ranges of its integers come from; `None` of one without, or where that is not known.
    """

    path: Path
    sha256: str
    size_bytes: int
    model: str
    recipe: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    stateful: bool = False
    parent_sha256: str | None = None
    golden: Path | None = None
    versions: tuple[tuple[str, str], ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    seed: int | None = None
    train_sha256: str | None = None
    float_bytes: int | None = None
    notes: tuple[tuple[str, str], ...] = ()
    calibration: CalibrationUse | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The float Keras model's own outputs on an evaluation set: what compression is compared with.

    Attributes:
        outputs: A `.npz` with `out0`, `out1`, …, each `(n, elements)`, float32, in the model's own order; or `None`
            where the model was given as `.tflite`.
        sha256: Hash of the model file that gave them.
    """

    outputs: Path | None
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model's file says of it, kept with the run: the file may be gone when somebody asks.

    Attributes:
        operators: In its main graph.
        macs: Of all operators whose shapes say.
        uncounted: Names of operators whose shapes do not say.
        parameters: Weights and biases, shared ones once.
        weight_bytes: What they take in the file.
        peak_live_bytes: Most of activations that must be kept at once.
        quantised: Some tensor holds integers that stand for real numbers.
        float_ops: Names of operators that compute floats, borders left out.
        border_ops: How many operators only turn integers into floats or back.
        nonzero_parameters: Those that do not stand for zero; `None` where nobody counted.
        gzip_bytes: What the file takes packed by gzip at its best level, about what a transfer takes; `None` likewise.
    """

    operators: int
    macs: int
    uncounted: tuple[str, ...]
    parameters: int
    weight_bytes: int
    peak_live_bytes: int
    quantised: bool
    float_ops: tuple[str, ...]
    border_ops: int
    nonzero_parameters: int | None = None
    gzip_bytes: int | None = None

    @property
    def working_set_bytes(self) -> int:
        """Return what a run touches: weights, and activations at their most."""
        return self.weight_bytes + self.peak_live_bytes
