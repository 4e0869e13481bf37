"""What outputs on labelled samples are worth."""

import numpy as np
from numpy.typing import NDArray

from edgeprof.errors import ModelError
from edgeprof.records import Accuracy

# With five classes or fewer a top-5 is always right.
_TOP5_CLASSES = 6
_PERCENT = 100.0


def classification(
    outputs: NDArray[np.float32], y: NDArray[np.int64], reference_outputs: NDArray[np.float32] | None
) -> Accuracy:
    """Return accuracies of `outputs`, `(n, classes)`, and what was lost against the float model's.

    Equal outputs rank in the classes' order, as `argmax` has it. A single output is the probability of class 1.

    Raises:
        ModelError: Outputs, reference and labels are not of the same samples.
    """
    for name, found in (("outputs", outputs), ("reference outputs", reference_outputs)):
        if found is not None and len(found) != len(y):
            raise ModelError(f"there are {len(found)} {name} for {len(y)} labels", "they must be of the same samples")
    ranks = _ranks(outputs, y)
    top1 = float((ranks == 0).mean())
    top5 = float((ranks < 5).mean()) if outputs.shape[1] >= _TOP5_CLASSES else None
    if reference_outputs is None:
        return Accuracy(len(y), top1, top5)
    floats = float((_ranks(reference_outputs, y) == 0).mean())
    return Accuracy(len(y), top1, top5, floats, _PERCENT * (floats - top1))


def _ranks(outputs: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each label among its sample's outputs, 0 for the highest."""
    if outputs.shape[1] == 1:
        wrong: NDArray[np.bool_] = (outputs[:, 0] > 0.5) != y.astype(bool)
        return wrong.astype(np.int64)
    value = np.take_along_axis(outputs, y[:, None], axis=1)
    before = np.arange(outputs.shape[1]) < y[:, None]
    # What is not a number ranks above: a model that computes NaN is never right by chance.
    above: NDArray[np.bool_] = ~(outputs <= value) | ((outputs == value) & before)
    return np.asarray(above.sum(axis=1), np.int64)
