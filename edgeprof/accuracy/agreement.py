"""How far two sets of outputs on the same samples are apart; no labels needed."""

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy.scoring import predictions, threshold
from edgeprof.analysis.numbers import sqnr_db
from edgeprof.scores import BOUNDLESS, Agreement

# A distribution of quantised outputs sums to 1 within some steps of 1/256.
_SUM_TOLERANCE = 0.05
# What a quantised probability of zero may stand for: half a step of 1/256.
_LEAST_PROBABILITY = 1 / 512


def agreement(against: str, expected: NDArray[np.float32], got: NDArray[np.float32], *, classes: bool) -> Agreement:
    """Return how far `got`, `(n, elements)`, is from `expected`.

    Args:
        against: Whose `expected` is.
        expected: As many samples as `got`, or fewer: then the first of them.
        got: What the device gave.
        classes: Each output stands for a class.
    """
    got = got[: len(expected)]
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(got.astype(np.float64) - expected), nan=BOUNDLESS, posinf=BOUNDLESS)
    above = threshold(expected)
    agreed = int((predictions(got, above) == predictions(expected, above)).sum()) if classes else None
    return Agreement(
        against,
        len(expected),
        agreed,
        float(error.max(initial=0)),
        float(error.mean()),
        sqnr_db(expected.ravel(), got.ravel()),
        _kl_nats(expected, got) if classes else None,
    )


def looks_like_classes(outputs: NDArray[np.float32]) -> bool:
    """Return whether outputs are several shares of one: what a classifier gives, as far as outputs alone can tell."""
    return outputs.shape[1] > 1 and _is_distribution(outputs)


def _is_distribution(outputs: NDArray[np.float32]) -> bool:
    return bool((outputs >= 0).all()) and bool((np.abs(outputs.sum(axis=1) - 1) <= _SUM_TOLERANCE).all())


def _kl_nats(expected: NDArray[np.float32], got: NDArray[np.float32]) -> float | None:
    """Return the mean of sum(p log(p / q)), or `None` where a row is no distribution.

    Source: S. Kullback and R. A. Leibler (1951), "On information and sufficiency", Ann. Math. Stat. 22, 79-86. What is
    below half a step of 1/256 counts as that in both: a quantised zero is no impossibility.
    """
    if expected.shape[1] < 2 or not (_is_distribution(expected) and _is_distribution(got)):
        return None
    p, q = (np.maximum(part.astype(np.float64), _LEAST_PROBABILITY) for part in (expected, got))
    p, q = (part / part.sum(axis=1, keepdims=True) for part in (p, q))
    return float((p * np.log(p / q)).sum(axis=1).mean())
