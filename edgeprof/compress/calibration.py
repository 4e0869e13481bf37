"""Representative data: read, checked, and brought into the shape of a model's inputs."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edgeprof.analysis.numbers import Array
from edgeprof.compress.images import check_images, load_images
from edgeprof.compress.sampling import BALANCED, Indices, Sampling, pick
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import TensorSpec

# 0-255 against 0-1 is 255, -1-1 against 0-1 is 2: between them lies what no preprocessing does by design.
_RANGE_FACTOR = 20
LABELS = ("y", "labels")


_EVERY = Sampling()


def check_calibration(path: Path, preprocessing: str | None, sampling: Sampling = _EVERY) -> None:
    """Refuse data that can be seen to be wrong without the model.

    Raises:
        UsageError: It is missing, of a kind that cannot be read, or images without declared preprocessing; or the
            samples asked for are not there, or have no classes to balance.
        ModelError: It is damaged, empty, or holds what are no finite numbers.
    """
    sampling.check()
    if path.is_dir():
        check_images(path, preprocessing, sampling)
        return
    n = min(len(array) for array in _arrays(path).values())
    sampling.check_fits(n, path)
    if sampling.choice == BALANCED:
        _classes(path, n)


def load_calibration(
    path: Path, preprocessing: str | None, inputs: Sequence[TensorSpec], sampling: Sampling
) -> tuple[Array, ...]:
    """Return an array `(n, *shape without batch)` for each input, of the samples asked for, in the inputs' dtypes.

    Raises:
        UsageError: As `check_calibration`.
        ModelError: The data do not fit the inputs; says what was expected and what was got.
    """
    if path.is_dir():
        return (load_images(path, preprocessing, inputs, sampling),)
    arrays = _by_input(path, _arrays(path), inputs)
    n = min(len(array) for array in arrays)
    picked = pick(n, sampling, lambda: _classes(path, n))
    return tuple(
        fitted(array[picked], spec, f"calibration data in `{path}`") for array, spec in zip(arrays, inputs, strict=True)
    )


def check_ranges(calibration: Path, x: Array) -> str | None:
    """Return a warning where calibration and evaluation data seem to be scaled differently, else `None`.

    Raises:
        UsageError: As `check_calibration`.
        ModelError: As `check_calibration`.
    """
    arrays = list(_arrays(calibration).values())
    ours, theirs = max(_reach(array) for array in arrays), _reach(x)
    if min(ours, theirs) == 0 or max(ours, theirs) / min(ours, theirs) <= _RANGE_FACTOR:
        return None
    return (
        f"calibration data reach {ours:g}, evaluation data {theirs:g}: one of them is not scaled as the model wants, "
        "and an int8 model calibrated on the wrong scale is wrong; scale both alike"
    )


def calibration_samples(path: Path) -> tuple[Array, ...] | None:
    """Return the arrays in a file of calibration data, as they are; `None` of a folder of images.

    Raises:
        UsageError: As `check_calibration`.
        ModelError: As `check_calibration`.
    """
    return None if path.is_dir() else tuple(_arrays(path).values())


def _reach(array: Array) -> float:
    return float(np.abs(array.astype(np.float64)).max(initial=0))


def _arrays(path: Path) -> Mapping[str, Array]:
    """Return the arrays in a file by name; a `.npy`'s is `x`."""
    if not path.exists():
        raise UsageError(f"there is no calibration data at `{path}`", "check the path given to --calibration")
    if path.suffix.lower() not in (".npz", ".npy"):
        raise UsageError(
            f"`{path}` is no calibration data that can be read",
            "give .npz, .npy or a folder of images to --calibration",
        )
    try:
        arrays = _read(path)
    except (OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile) as exc:
        if "Object arrays" in str(exc):
            hint = "save it as one array of numbers: np.savez(path, x=np.asarray(x, np.float32))"
            raise ModelError(f"`{path}` holds Python objects, not numbers", hint) from exc
        raise ModelError(f"`{path}` is not a readable {path.suffix} file", "save it again with np.savez") from exc
    for name, array in arrays.items():
        _check(path, name, array)
    return arrays


def _read(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:  # numpy itself leaves a damaged file open
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"x": loaded}
        # Labels may lie beside the samples in a file made for evaluation.
        names = [name for name in loaded.files if name not in LABELS]
        return {name: loaded[name] for name in names}


def _check(path: Path, name: str, array: Array) -> None:
    if array.dtype.kind not in "fiub":
        raise ModelError(
            f"`{name}` in `{path}` has dtype {array.dtype}, not numbers", "save it as float32: x.astype(np.float32)"
        )
    if array.ndim == 0 or array.size == 0:
        raise ModelError(f"`{name}` in `{path}` is empty: its shape is {array.shape}", "give at least one sample")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise ModelError(f"`{name}` in `{path}` has {bad} values that are NaN or infinite", "leave those samples out")


def _by_input(path: Path, arrays: Mapping[str, Array], inputs: Sequence[TensorSpec]) -> list[Array]:
    """Return an array for each input: by the input's name, else `x`, else the only one."""
    if all(spec.name in arrays for spec in inputs):
        return [arrays[spec.name] for spec in inputs]
    if len(inputs) == 1 and (len(arrays) == 1 or "x" in arrays):
        return [arrays["x"] if "x" in arrays else next(iter(arrays.values()))]
    wanted = ", ".join(f"`{spec.name}`" for spec in inputs)
    had = ", ".join(f"`{name}`" for name in arrays) or "nothing"
    hint = f"np.savez({path.name!r}, {', '.join(f'{spec.name}=…' for spec in inputs)})"
    raise ModelError(f"`{path}` has {had}, the model's inputs are {wanted}", hint)


def _classes(path: Path, n: int) -> Indices:
    """Return the class of each of the first `n` samples: from whole numbers, or the highest of a row.

    Raises:
        UsageError: The file has no such labels.
    """
    labels = _labels(path)
    if labels is not None and labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    if labels is None or labels.size != len(labels) or len(labels) < n or labels.dtype.kind not in "iub":
        raise UsageError(
            f"`balanced` takes as many samples of each class, and `{path}` does not say which class they are of",
            f"save a label for each: np.savez({path.name!r}, x=samples, y=labels); or choose `even`",
        )
    return labels.reshape(-1)[:n].astype(np.int64)


def _labels(path: Path) -> Array | None:
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        names = [] if isinstance(loaded, np.ndarray) else loaded.files
        return next((np.asarray(loaded[name]) for name in LABELS if name in names), None)


def fitted(array: Array, spec: TensorSpec, what: str) -> Array:
    """Return `array` with the input's shape and dtype; dimensions of 1 may be left out, and samples may be flat.

    Raises:
        ModelError: `what` has another shape; says which.
    """
    wanted, got = spec.shape[1:], array.shape[1:]
    flat = got == (int(np.prod(wanted)),)
    if not flat and [d for d in wanted if d != 1] != [d for d in got if d != 1]:
        expected = ", ".join(map(str, ("n", *wanted)))
        raise ModelError(
            f"{what} does not fit input `{spec.name}`: expected shape ({expected}), got {array.shape}",
            "the first dimension counts samples; the others must be the model's",
        )
    return array.reshape(len(array), *wanted).astype(spec.dtype)
