"""Training data out of a `.npz` or a user's Python file: read, checked, split. No TensorFlow unless that file asks."""

import runpy
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array
from edgeprof.analysis.rows import row_hashes
from edgeprof.errors import ModelError, UsageError

Samples = tuple[Array, ...]
VALIDATION_SHARE = 0.1
_HINT = "save it with np.savez(path, x=samples, y=labels), or give a .py file with a function `dataset()`"
_LABELS = ("y", "labels")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples, and what a model should make of them.

    Attributes:
        x: `(n, …)` for each input.
        y: `(n, …)` for each output, or `None` without labels.
    """

    x: Samples
    y: Samples | None

    def rows(self, picked: NDArray[Any]) -> "Labelled":
        """Return some of the samples."""
        return Labelled(
            tuple(array[picked] for array in self.x), None if self.y is None else tuple(a[picked] for a in self.y)
        )


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """What `--train` gave.

    Attributes:
        train: Samples that gradients see.
        validation: Samples that choices see; no row of them is in `train`.
        loss: The user's own, or `None`.
        metrics: The user's own.
    """

    train: Labelled
    validation: Labelled
    loss: Any = None
    metrics: tuple[Any, ...] = ()


def check_training(path: Path) -> None:
    """Refuse training data that can be seen to be wrong without running anything.

    Raises:
        UsageError: It is missing or of a kind that cannot be read.
        ModelError: It is a `.npz` that is damaged, holds no finite numbers, or validates by samples it trains on.
    """
    _check_kind(path)
    if path.suffix == ".npz":
        _check_split(path, *_split_arrays(path, _arrays(path)))


def load_training(path: Path, seed: int) -> TrainingFile:
    """Return the data in a `.npz`, or what a Python file's `dataset()` returns.

    A `.npz` has `x` (or an array for each input), `y`, and may have `x_validation` and `y_validation`. `dataset()`
    returns `(x, y)`, `x` alone, or a dict of those by `train` and `validation`; the file may also set `loss` and
    `metrics`. Without a validation split a tenth is set apart, by the seed; rows that are in both stay out of it.
    A validation split of the user's that shares rows with the training rows is refused.

    Raises:
        UsageError: As `check_training`, or the Python file failed.
        ModelError: The data are damaged, empty, or no finite numbers, or validation samples are trained on.
    """
    _check_kind(path)
    if path.suffix == ".npz":
        train, validation = _split_arrays(path, _arrays(path))
        return _checked(path, train, validation, seed)
    module = _run(path)
    if not callable(module.get("dataset")):
        raise UsageError(f"`{path}` has no function `dataset()`", "it returns (x, y), or {'train': …, 'validation': …}")
    found = _called(path, module["dataset"])
    parts = found if isinstance(found, Mapping) else {"train": found}
    if "train" not in parts:
        raise UsageError(f"`dataset()` of `{path}` has no `train` but {', '.join(map(str, parts))}", _HINT)
    validation = _labelled(parts["validation"]) if "validation" in parts else None
    made = _checked(path, _labelled(parts["train"]), validation, seed)
    return TrainingFile(made.train, made.validation, module.get("loss"), tuple(module.get("metrics") or ()))


def training_samples(path: Path) -> Samples | None:
    """Return every sample in a `.npz` for training, train and validation; `None` of a Python file, which is not run.

    Raises:
        UsageError: As `check_training`.
        ModelError: It is damaged.
    """
    _check_kind(path)
    if path.suffix != ".npz":
        return None
    train, validation = _split_arrays(path, _arrays(path))
    if validation is None:
        return train.x
    return tuple(np.concatenate(parts) for parts in zip(train.x, validation.x, strict=True))


def _check_kind(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"there are no training data at `{path}`", "check the path given to --train")
    if path.suffix not in (".npz", ".py"):
        raise UsageError(f"`{path}` is no training data that can be read", _HINT)


def _check_split(path: Path, train: Labelled, validation: Labelled | None) -> None:
    _check(path, "train", train)
    if validation is not None:
        _check(path, "validation", validation)
        _refuse_overlap(path, train, validation)


def _refuse_overlap(path: Path, train: Labelled, validation: Labelled) -> None:
    """Refuse a validation split that was trained on: every choice made by it would favour what was learned by heart.

    Raises:
        ModelError: Says how many rows are in both.
    """
    count = int(np.isin(row_hashes(validation.x), row_hashes(train.x)).sum())
    if count:
        raise ModelError(
            f"{count} of {len(validation.x[0])} validation samples in `{path}` are among its {len(train.x[0])} "
            "training samples",
            "leave them out of one of the two, or give no validation split: then a tenth is set apart",
        )


def _checked(path: Path, train: Labelled, validation: Labelled | None, seed: int) -> TrainingFile:
    _check_split(path, train, validation)
    if validation is not None:
        return TrainingFile(train, validation)
    if len(train.x[0]) < 2:
        raise ModelError(f"`{path}` has {len(train.x[0])} samples to train on", "give some hundreds")
    order = np.random.default_rng(seed).permutation(len(train.x[0]))
    count = max(1, round(VALIDATION_SHARE * len(order)))
    apart, rest = order[:count], order[count:]
    hashes = row_hashes(train.x)
    fresh = apart[~np.isin(hashes[apart], hashes[rest])]
    if not len(fresh):
        raise ModelError(f"`{path}` repeats the same samples: none is left to validate on", "leave duplicates out")
    return TrainingFile(train.rows(np.sort(rest)), train.rows(np.sort(fresh)))


def _check(path: Path, what: str, part: Labelled) -> None:
    for array in (*part.x, *(part.y or ())):
        if array.dtype.kind not in "fiub" or array.ndim == 0 or array.size == 0:
            raise ModelError(f"the {what} data in `{path}` hold {array.dtype} of shape {array.shape}", _HINT)
        if len(array) != len(part.x[0]):
            raise ModelError(
                f"the {what} data in `{path}` have {len(part.x[0])} samples but {len(array)} labels", _HINT
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"the {what} data in `{path}` have values that are NaN or infinite", "leave them out")


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, EOFError, ValueError, MemoryError, TypeError, AttributeError, zipfile.BadZipFile) as exc:
        raise ModelError(f"`{path}` is not a readable .npz file", _HINT) from exc


def _split_arrays(path: Path, arrays: Mapping[str, Array]) -> tuple[Labelled, Labelled | None]:
    ending = "_validation"
    train = {name: array for name, array in arrays.items() if not name.endswith(ending)}
    validation = {name.removesuffix(ending): array for name, array in arrays.items() if name.endswith(ending)}
    if not set(train) - set(_LABELS):
        raise ModelError(f"`{path}` has {', '.join(arrays) or 'nothing'}, and no `x`", _HINT)
    return _by_name(train), _by_name(validation) if set(validation) - set(_LABELS) else None


def _by_name(arrays: Mapping[str, Array]) -> Labelled:
    labels = next((arrays[name] for name in _LABELS if name in arrays), None)
    x = tuple(array for name, array in arrays.items() if name not in _LABELS)
    return Labelled(x, None if labels is None else (labels,))


def _run(path: Path) -> dict[str, Any]:
    try:
        return runpy.run_path(str(path))
    except (Exception, SystemExit) as exc:
        raise UsageError(f"`{path}` failed: {type(exc).__name__}: {exc}", "run it by itself with python") from exc


def _called(path: Path, dataset: Any) -> object:  # noqa: ANN401
    try:
        return dataset()
    except (Exception, SystemExit) as exc:
        raise UsageError(f"`dataset()` of `{path}` failed: {type(exc).__name__}: {exc}", "run it by itself") from exc


def _labelled(found: Any) -> Labelled:  # noqa: ANN401 - whatever the user's function returned
    if isinstance(found, tuple) and len(found) == 2:
        return Labelled(_tuple(found[0]), _tuple(found[1]))
    if hasattr(found, "as_numpy_iterator"):
        return _of_batches(list(found.as_numpy_iterator()))
    return Labelled(_tuple(found), None)


def _of_batches(batches: list[Any]) -> Labelled:
    """Return the batches of a tf.data.Dataset of `(x, y)` or `x`, joined."""
    if batches and isinstance(batches[0], tuple):
        x, y = (np.concatenate([np.asarray(batch[i]) for batch in batches]) for i in (0, 1))
        return Labelled((x,), (y,))
    return Labelled((np.concatenate([np.asarray(batch) for batch in batches]),), None)


def _tuple(found: Any) -> Samples:  # noqa: ANN401
    return tuple(np.asarray(part) for part in (found if isinstance(found, list | tuple) else [found]))
