"""Evaluation samples that a model has seen before: then its accuracy says nothing of new ones."""

from collections.abc import Sequence

import numpy as np

from edgeprof.accuracy.evaluation import EvalSet
from edgeprof.analysis.numbers import Array
from edgeprof.analysis.rows import row_hashes

_WHY = {
    "training": "its accuracy says nothing of new samples",
    "calibration": "quantisation was fitted to what it is judged by",
}


def find_leaks(evaluations: Sequence[EvalSet], role: str, samples: Sequence[Array]) -> tuple[str, ...]:
    """Return a sentence for each evaluation set that shares samples with the data of another role.

    Samples are the same if all of their numbers are, as float32: scaled otherwise, or cut otherwise, they pass.

    Args:
        evaluations: The sets; those made by a corruption count as what they were made from.
        role: `training` or `calibration`.
        samples: That role's, an array `(n, …)` for each input.
    """
    seen = row_hashes(samples)
    return tuple(
        f"{count} of {one.n} samples of `{one.name}` are in the {role} data too: {_WHY[role]}; leave them out"
        for one in evaluations
        if one.base is None and (count := int(np.isin(row_hashes([one.x]), seen).sum()))
    )
