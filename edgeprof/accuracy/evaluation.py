"""Evaluation sets and float references: loaded and checked on the host."""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy.tensors import only_input
from edgeprof.analysis.numbers import Array
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import Artifact, Reference

DEFAULT_NAME = "eval"
_HINT = "save it with np.savez(path, x=samples, y=labels)"


@dataclass(frozen=True, slots=True)
class EvalSet:
    """Samples, with labels or without.

    Attributes:
        x: `(n, …)`, as the float model takes them, or in an integer artifact's own dtype.
        labels: For each output that has any: its name in the file (`y`, `y0`, `y_boxes`) and an array `(n, …)`.
        sha256: Hash of what it was read from, and of how it was changed since.
        name: What the user calls it.
        pairing: Sets of the same samples in the same order have the same one.
        base: The set it was made from by a corruption, or `None`.
    """

    x: Array
    labels: tuple[tuple[str, Array], ...]
    sha256: str
    name: str = DEFAULT_NAME
    pairing: str = ""
    base: str | None = None

    @property
    def n(self) -> int:
        """Return how many samples it has."""
        return len(self.x)


def named_sets(texts: Sequence[str]) -> list[tuple[str, Path]]:
    """Return the names and files of `--eval NAME=FILE`, or `FILE` alone, which is called `eval`.

    Raises:
        UsageError: Two have the same name, or a name is empty.
    """
    found: list[tuple[str, Path]] = []
    for text in texts:
        name, equals, file = text.partition("=")
        whole = not equals or Path(text).exists()
        pair = (DEFAULT_NAME, Path(text)) if whole else (name.strip(), Path(file).expanduser())
        if not pair[0] or pair[0] in [other for other, _ in found]:
            raise UsageError(
                f"--eval `{text}` has the name of another set, or none",
                "give each a name of its own: --eval clean=a.npz --eval shifted=b.npz",
            )
        found.append(pair)
    return found


def load_eval(path: Path, name: str = DEFAULT_NAME) -> EvalSet:
    """Return the evaluation set in a `.npz` with `x`, and for accuracy `y` (or `y0`, `y1`, … a model's outputs).

    What labels mean is decided when the model is known; see `edgeprof.accuracy.tasks`.

    Raises:
        UsageError: The file is missing, cannot be read, or does not hold what it should; says what it holds.
    """
    arrays = _arrays(path)
    if "x" not in arrays:
        had = ", ".join(f"`{key}`" for key in arrays) or "nothing"
        raise UsageError(f"the evaluation set `{path}` has no `x`, but {had}", _HINT)
    x = _samples(path, arrays["x"])
    labels = tuple((key, _labels(path, key, array)) for key, array in arrays.items() if key != "x")
    for key, array in labels:
        if len(array) != len(x):
            message = f"the evaluation set `{path}` has {len(x)} samples but {len(array)} labels in `{key}`"
            raise UsageError(message, "one label a sample")
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return EvalSet(x, labels, content, name, pairing=content)


def check_fits(artifact: Artifact, evaluation: EvalSet) -> None:
    """Refuse samples that the artifact cannot take.

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
    wanted, got = spec.shape[1:], evaluation.x.shape[1:]
    flat = got == (int(np.prod(wanted)),)
    if spec.shape[:1] != (1,) or (not flat and [d for d in wanted if d != 1] != [d for d in got if d != 1]):
        raise ModelError(
            f"the evaluation set does not fit {artifact.path.name}: expected samples of shape {wanted}, got {got}",
            "the first dimension of `x` counts samples; the others must be the model's",
        )


def load_reference(reference: Reference | None) -> tuple[NDArray[np.float32], ...] | None:
    """Return the float model's outputs in its own order, each `(n, elements)`, or `None` where there are none."""
    if reference is None or reference.outputs is None:
        return None
    with np.load(reference.outputs, allow_pickle=False) as found:
        return tuple(found[f"out{i}"] for i in range(len(found.files)))


def _arrays(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise UsageError(f"there is no evaluation set at `{path}`", "give a .npz file with `x` and `y` to --eval")
    try:
        with path.open("rb") as file:  # numpy itself leaves a damaged file open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            return {name: loaded[name] for name in loaded.files}
    except (OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile) as exc:
        what = "holds Python objects, not numbers" if "Object arrays" in str(exc) else None
        raise UsageError(f"the evaluation set `{path}` {what or 'is no readable .npz file'}", _HINT) from exc


def _samples(path: Path, x: Array) -> Array:
    if x.dtype.kind not in "fiub":
        raise UsageError(f"`x` in `{path}` has dtype {x.dtype}, not numbers", "save it as float32 or as integers")
    if x.ndim == 0 or x.size == 0:
        raise UsageError(f"`x` in `{path}` is empty: its shape is {x.shape}", "give at least one sample")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(x.size - np.isfinite(x).sum())
        raise UsageError(f"`x` in `{path}` has {bad} values that are NaN or infinite", "leave those samples out")
    return x


def _labels(path: Path, key: str, y: Array) -> Array:
    if y.dtype.kind not in "fiub" or y.ndim == 0:
        message = f"`{key}` in `{path}` are no labels: {y.dtype} of shape {y.shape}"
        raise UsageError(message, "a class number or a value a sample")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise UsageError(f"`{key}` in `{path}` has labels that are NaN or infinite", "leave those samples out")
    return y
