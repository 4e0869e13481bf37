"""A metric of the user's own: a function in a Python file, run on the host."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy.scoring import Metric, Numbers, Weighted
from edgeprof.analysis.numbers import Array
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean
from edgeprof.scores import HIGHER, LOWER

_SHAPE = "def my_metric(labels, outputs): return a number, or an array of one a sample"
_BETTER = (HIGHER, LOWER)


def load_metric(text: str, shape: tuple[int, ...]) -> Metric:
    """Return the metric `FILE.py:NAME`: a function of labels and outputs `(n, …)` that gives a number.

    It may give one number a sample instead; then the metric is their mean. Its attribute `better`, `higher` unless
    set, says which way is good.

    Args:
        text: As the user wrote it.
        shape: Of one sample's output.

    Raises:
        UsageError: There is no such file or function, it fails to load, or `better` is neither.
    """
    file, _, name = text.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no Python file at `{path}`", "--metric FILE.py:NAME names a function in it")
    function = getattr(_module(path), name, None)
    if not callable(function):
        there = [key for key, value in vars(_module(path)).items() if callable(value) and not key.startswith("_")]
        raise UsageError(f"`{path}` has no function `{name}`", did_you_mean(name, there) + _SHAPE)
    better = getattr(function, "better", HIGHER)
    if better not in _BETTER:
        raise UsageError(f"`{name}.better` is {better!r}", "set it to `higher` or `lower`")
    return Metric(name, "value", better, lambda y, outputs: _weighted(text, function, y, outputs.reshape(-1, *shape)))


def _module(path: Path) -> Any:  # noqa: ANN401 - a module
    spec = importlib.util.spec_from_file_location(path.stem, path.absolute())
    if spec is None or spec.loader is None:
        raise UsageError(f"`{path}` cannot be loaded as Python", "give a .py file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        raise UsageError(f"`{path}` fails when it is loaded: {_said(exc)}", "run it with Python by itself") from exc
    return module


def _weighted(text: str, function: Callable[..., Any], y: Array, outputs: NDArray[np.float32]) -> Weighted:
    """Return the metric for weights: a mean of one number a sample, else a call for each resample."""
    first = _called(text, function, y, outputs)
    if first.ndim == 1 and first.shape == (len(y),):
        return lambda weights: np.asarray(weights @ first / weights.sum(axis=1))
    if first.size != 1:
        raise UsageError(f"`{text}` gave an array of shape {first.shape} for {len(y)} samples", _SHAPE)

    def weighted(weights: Numbers) -> Numbers:
        if len(weights) == 1:
            return first.reshape(1)
        picks = (np.repeat(np.arange(len(y)), row.astype(np.int64)) for row in weights)
        return np.array([float(_called(text, function, y[pick], outputs[pick]).reshape(())) for pick in picks])

    return weighted


def _called(text: str, function: Callable[..., Any], y: Array, outputs: NDArray[np.float32]) -> Numbers:
    try:
        found = np.asarray(function(y, outputs), np.float64)
    except Exception as exc:
        raise UsageError(
            f"`{text}` failed: {_said(exc)}",
            f"it is given labels {y.shape} and outputs {outputs.shape} as numpy arrays",
        ) from exc
    if not np.isfinite(found).all():
        raise UsageError(f"`{text}` gave what is no finite number", "leave such samples out, or give them a value")
    return found


def _said(exc: Exception) -> str:
    frame = exc.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" (line {frame.tb_lineno} of {Path(frame.tb_frame.f_code.co_filename).name})" if frame else ""
    return f"{type(exc).__name__}: {exc}{where}"
