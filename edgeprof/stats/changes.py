"""Where a series of figures moved to another level."""

from collections.abc import Sequence

import numpy as np

# The chance that a series without a change shows one.
ALPHA = 0.01
# A change within this share is none that anybody acts on.
LEAST_RATIO = 0.02
# Fewer figures than this cannot tell: 6 and 6 can be put in 924 orders, two of which are the extremes.
LEAST = 12
_LEAST_SIDE = 3
_PERMUTATIONS = 1999


def change_points(values: Sequence[float], seed: int = 1) -> tuple[int, ...]:
    """Return the places at which a new level begins, in order; empty for fewer than `LEAST` values.

    Binary segmentation on logarithms: the split with the largest difference of means, scaled by the sizes of its sides,
    is a change if next to no random order of the same values has a larger one; then each side is asked in turn. Where
    the whole shows none, three halves of it are asked, for a rise and a fall hide one another. Half of `ALPHA` is for
    the whole, a sixth for each half. No distribution is assumed, but the order within a level must say nothing.

    Source: L. Vostrikova (1981), "Detecting disorder in multidimensional random processes", Soviet Math. Dokl. 24;
    the permutation test as in D. Matteson and N. James (2014), "A nonparametric approach for multiple change point
    analysis of multivariate data", J. Am. Stat. Assoc. 109.

    Args:
        values: Above 0, the oldest first.
        seed: Of the random orders, so that the same series gives the same answer.
    """
    logs = np.log(np.asarray(values, dtype=float))
    return tuple(sorted(_changes(logs, 0, np.random.default_rng(seed))))


def _changes(logs: np.ndarray, offset: int, chance: np.random.Generator) -> list[int]:
    if len(logs) < LEAST:
        return []
    split = _split(logs, chance)
    if split is None:
        return []
    before, after = logs[:split], logs[split:]
    rest = _changes(before, offset, chance) + _changes(after, offset + split, chance)
    moved = abs(np.expm1(float(after.mean() - before.mean()))) >= LEAST_RATIO
    return [offset + split, *rest] if moved else rest


def _split(logs: np.ndarray, chance: np.random.Generator) -> int | None:
    """Return where a new level begins for certain, in the whole or in a half of it; `None` if nowhere."""
    half, quarter = len(logs) // 2, len(logs) // 4
    halves = [(start, start + half, ALPHA / 6) for start in (0, quarter, len(logs) - half)]
    windows = [(0, len(logs), ALPHA / 2), *halves]
    for start, stop, alpha in windows:
        window = logs[start:stop]
        if len(window) < LEAST:
            continue
        scores = _scores(window[np.newaxis, :])[0]
        if _is_real(window, float(scores.max()), alpha, chance):
            return start + int(np.argmax(scores)) + _LEAST_SIDE
    return None


def _scores(rows: np.ndarray) -> np.ndarray:
    """Return for each row the scaled difference of means at every split that leaves enough on both sides."""
    count = rows.shape[1]
    left = np.arange(_LEAST_SIDE, count - _LEAST_SIDE + 1)
    sums = np.cumsum(rows, axis=1)
    first = sums[:, left - 1] / left
    second = (sums[:, -1:] - sums[:, left - 1]) / (count - left)
    scaled: np.ndarray = np.abs(first - second) * np.sqrt(left * (count - left) / count)
    return scaled


def _is_real(logs: np.ndarray, score: float, alpha: float, chance: np.random.Generator) -> bool:
    if score == 0:
        return False
    orders = chance.permuted(np.tile(logs, (_PERMUTATIONS, 1)), axis=1)
    larger = int((_scores(orders).max(axis=1) >= score * (1 - 1e-12)).sum())
    return (1 + larger) / (1 + _PERMUTATIONS) <= alpha
