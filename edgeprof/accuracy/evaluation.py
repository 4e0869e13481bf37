"""Evaluation sets and float references: loaded and checked on the host."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy.tensors import only_input
from edgeprof.analysis.numbers import Array
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import Artifact, Reference


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Samples with labels.

    Attributes:
        x: `(n, …)`, as the float model takes them, or in an integer artifact's own dtype.
        y: `(n,)`, int64, the right class of each.
        sha256: Hash of the file.
    """

    x: Array
    y: NDArray[np.int64]
    sha256: str


def load_eval(path: Path) -> EvalSet:
    """Return the evaluation set in a `.npz` with `x` and `y`.

    Labels are classes `(n,)` or `(n, 1)`, or one-hot rows `(n, classes)`.

    Raises:
        UsageError: The file is missing, cannot be read, or does not hold what it should; says what it holds.
    """
    arrays = _arrays(path)
    missing = [f"`{name}`" for name in ("x", "y") if name not in arrays]
    if missing:
        had = ", ".join(f"`{name}`" for name in arrays) or "nothing"
        raise UsageError(
            f"the evaluation set `{path}` has no {' and no '.join(missing)}, but {had}",
            "save it with np.savez(path, x=samples, y=labels)",
        )
    x = _samples(path, arrays["x"])
    y = _labels(path, arrays["y"])
    if len(x) != len(y):
        raise UsageError(f"the evaluation set `{path}` has {len(x)} samples but {len(y)} labels", "one label a sample")
    return EvalSet(x, y, hashlib.sha256(path.read_bytes()).hexdigest())


def check_fits(artifact: Artifact, evaluation: EvalSet) -> None:
    """Refuse samples that the artifact cannot take, and labels that it cannot give.

    Dimensions of 1 may be left out of a sample's shape, and samples may be flat. Samples of int8 are steps of one
    certain input: they fit an int8 `.tflite` that the user brought, but no float input and no artifact of ours.

    Raises:
        ModelError: Says what was expected and what was got.
    """
    spec = only_input(artifact)
    if evaluation.x.dtype == np.int8 and (spec.dtype.startswith("float") or artifact.parent_sha256):
        raise ModelError(
            f"the evaluation set holds int8, and what a step stands for in {artifact.path.name} is not known",
            "save real numbers instead: x = ((steps - zero_point) * scale).astype(np.float32)",
        )
    if len(artifact.outputs) != 1:
        raise ModelError(
            f"{artifact.path.name} has {len(artifact.outputs)} outputs",
            "accuracy is measured on models of one output; leave `--eval` out",
        )
    wanted, got = spec.shape[1:], evaluation.x.shape[1:]
    flat = got == (int(np.prod(wanted)),)
    if spec.shape[:1] != (1,) or (not flat and [d for d in wanted if d != 1] != [d for d in got if d != 1]):
        raise ModelError(
            f"the evaluation set does not fit {artifact.path.name}: expected samples of shape {wanted}, got {got}",
            "the first dimension of `x` counts samples; the others must be the model's",
        )
    classes = int(np.prod(artifact.outputs[0].shape))
    highest = int(evaluation.y.max())
    if highest >= max(classes, 2):
        raise ModelError(
            f"the evaluation set has a label {highest}, but {artifact.path.name} gives {classes} outputs",
            "labels count from 0; is it the right data set?",
        )


def load_reference(reference: Reference | None) -> NDArray[np.float32] | None:
    """Return the float model's outputs, `(n, classes)`, or `None` where there are none."""
    if reference is None or reference.outputs is None:
        return None
    outputs: NDArray[np.float32] = np.load(reference.outputs, allow_pickle=False)
    return outputs


def _arrays(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise UsageError(f"there is no evaluation set at `{path}`", "give a .npz file with `x` and `y` to --eval")
    hint = "save it with np.savez(path, x=samples, y=labels)"
    try:
        with path.open("rb") as file:  # numpy itself leaves a damaged file open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise UsageError(f"the evaluation set `{path}` is one array, without labels", hint)
            return {name: loaded[name] for name in loaded.files}
    except (OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile) as exc:
        what = "holds Python objects, not numbers" if "Object arrays" in str(exc) else None
        raise UsageError(f"the evaluation set `{path}` {what or 'is no readable .npz file'}", hint) from exc


def _samples(path: Path, x: Array) -> Array:
    if x.dtype.kind not in "fiub":
        raise UsageError(f"`x` in `{path}` has dtype {x.dtype}, not numbers", "save it as float32 or as integers")
    if x.ndim == 0 or x.size == 0:
        raise UsageError(f"`x` in `{path}` is empty: its shape is {x.shape}", "give at least one sample")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(x.size - np.isfinite(x).sum())
        raise UsageError(f"`x` in `{path}` has {bad} values that are NaN or infinite", "leave those samples out")
    return x


def _labels(path: Path, y: Array) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind not in "fiub" or y.ndim not in (1, 2):
        raise UsageError(f"`y` in `{path}` are no labels: {y.dtype} of shape {y.shape}", "one class number a sample")
    if y.ndim == 2:
        if not np.array_equal(np.sort(y, axis=1)[:, -2:], np.tile([0, 1], (len(y), 1))):
            raise UsageError(f"`y` in `{path}` of shape {y.shape} is not one-hot", "one class number a sample")
        return np.asarray(y.argmax(axis=1), np.int64)
    if (y != np.floor(y)).any() or (y < 0).any():
        raise UsageError(
            f"`y` in `{path}` has labels that are no class numbers",
            "accuracy is for classifiers so far: classes count from 0",
        )
    return y.astype(np.int64)
