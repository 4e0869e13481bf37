"""Evaluations made by hand: so many samples right, of those that the float model has right or wrong."""

import numpy as np

from edgeprof.scores import HIGHER, HITS, Evaluation, Score
from edgeprof.stats.packed import pack


def hits(right, n, wrong_first=0):
    """Return 1 for `right` of `n` samples, 0 for the others; the first `wrong_first` are among those."""
    return np.r_[np.zeros(wrong_first, int), np.ones(right, int), np.zeros(n - right - wrong_first, int)]


def top1(own, floats=None):
    found = Score("top1_ratio", "share", HIGHER, HITS, float(own.mean()), pack(own))
    if floats is None:
        return found
    return Score("top1_ratio", "share", HIGHER, HITS, float(own.mean()), pack(own), float(floats.mean()), pack(floats))


def evaluation(own, floats=None, data="eval", pairing="ab" * 32, **fields):
    return Evaluation(data, "ab" * 32, len(own), pairing, scores=(top1(own, floats),), **fields)


# 442 of 500 right, the float model 445: it alone 5, the artifact alone 2.
EVALUATED = evaluation(hits(442, 500, 5), hits(445, 500, 2))
