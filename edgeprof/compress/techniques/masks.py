"""Which weights become zero, by their importance: any of them, or two of each four in a row.

Source of 2:4: A. Mishra et al. (2021), "Accelerating Sparse Deep Neural Networks", arXiv:2104.08378: the groups lie
along the input channels of an output.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgeprof.compress.techniques.importance import Scores

Mask = NDArray[np.bool_]


def unstructured(scores: Mapping[str, Scores], sparsity: float, *, everywhere: bool) -> dict[str, Mask]:
    """Return which weights stay.

    Args:
        scores: Importance of each kernel's weights, by layer.
        sparsity: Share of weights that become zero, to the nearest whole weight.
        everywhere: The least important of all kernels together go, instead of the same share of each.
    """
    if not everywhere:
        return {name: _largest(values, sparsity) for name, values in scores.items()}
    joined = _largest(np.concatenate([values.ravel() for values in scores.values()]), sparsity)
    ends = np.cumsum([values.size for values in scores.values()])[:-1]
    parts = zip(scores.items(), np.split(joined, ends), strict=True)
    return {name: part.reshape(values.shape) for (name, values), part in parts}


def two_of_four(scores: Scores) -> Mask:
    """Return which weights of a kernel `(…, in, out)` stay: the two most important of each four input channels.

    Where the input channels are no multiple of four, the rest of each row stays.
    """
    channels, filters = scores.shape[-2:]
    whole = channels - channels % 4
    groups = scores[..., :whole, :].reshape(-1, whole // 4, 4, filters)
    ranks = np.argsort(np.argsort(groups, axis=2, kind="stable"), axis=2)
    mask = np.ones(scores.shape, dtype=bool)
    mask[..., :whole, :] = (ranks >= 2).reshape(*scores.shape[:-2], whole, filters)
    return mask


def _largest(values: Scores, sparsity: float) -> Mask:
    """Return a mask without the least of `values`; of equal ones the first go."""
    mask = np.ones(values.size, dtype=bool)
    mask[np.argsort(values, axis=None, kind="stable")[: round(sparsity * values.size)]] = False
    return mask.reshape(values.shape)
