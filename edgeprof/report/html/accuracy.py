"""What a page shows of evaluations: every set with intervals, and where classes were taken for others."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from edgeprof import units
from edgeprof.records import RunResult
from edgeprof.report.accuracy import agreement_words, ranged, since_first
from edgeprof.report.html.views import Value, spoiling, unbroken
from edgeprof.report.words import metric_words
from edgeprof.scores import Evaluation
from edgeprof.stats.accuracy import in_points, loss_name
from edgeprof.stats.paired import float_range, loss, score_range
from edgeprof.stats.per_class import class_scores, confusion
from edgeprof.stats.proportions import Range

_ARROWS = {"higher": "↑", "lower": "↓"}
# A larger matrix is no longer read; its most frequent confusions are.
_MOST_CLASSES = 20
_MOST_PAIRS = 10
# A share of a row below each of these has the shade of its place.
_SHADES = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 0.8, 1.01)


@dataclass(frozen=True, slots=True)
class SetRow:
    """A line of the table of sets."""

    name: str
    n: str
    metric: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where the classes of one set were taken for others.

    Attributes:
        title: The set.
        columns: Headings: classes, and `NaN` where some outputs were no numbers.
        rows: A class, its counts each with a shade (`k0` to `k7` on the diagonal, `e0` to `e7` beside it), and how
            often it was right, with the interval.
        pairs: Instead of a matrix too large to read: which classes were most often taken for which.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...], str], ...]
    pairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sets:
    """A run's evaluations."""

    rows: tuple[SetRow, ...]
    matrices: tuple[Matrix, ...]
    agreements: tuple[str, ...]
    codes: tuple[str, ...]


def sets(run: RunResult, most_matrices: int) -> Sets:
    """Return what a page shows of a run's evaluations, with confusions of at most so many sets: clean, then worst."""
    scored = [evaluation for evaluation in run.evaluations if evaluation.scores]
    agreements = tuple(
        f"{evaluation.title}: {agreement_words(one)}" for evaluation in run.evaluations for one in evaluation.agreements
    )
    codes = tuple(w.code for w in spoiling(run, *(score.name for e in scored for score in e.scores)) if w.spoils)
    matrices = tuple(found for e in _telling(scored, most_matrices) if (found := _matrix(e)) is not None)
    return Sets(tuple(row for e in scored for row in _rows(e, _first(e, run))), matrices, agreements, codes)


def _first(evaluation: Evaluation, run: RunResult) -> Evaluation:
    return next(e for e in run.evaluations if e.output == evaluation.output)


def _telling(scored: Sequence[Evaluation], most: int) -> list[Evaluation]:
    """Return the first set and those on which most is wrong."""
    known = [e for e in scored if e.labels is not None]
    return [*known[:1], *sorted(known[1:], key=lambda e: e.scores[0].point)][:most]


def _rows(evaluation: Evaluation, first: Evaluation) -> list[SetRow]:
    found = []
    # Sets beyond the first show their headline; the data hold the rest.
    for score in evaluation.scores if evaluation is first else evaluation.scores[:1]:
        lost, (since, _, extra) = loss(score), since_first(evaluation, first)
        name = loss_name(score)
        head = score is evaluation.scores[0]
        p_value = None if lost is None else lost.p_value
        values = (
            _value(score.name, score_range(score)),
            _value(score.name, float_range(score)),
            _value(name, None if lost is None else in_points(score, lost.worse)),
            Value("" if p_value is None else units.three_digits(p_value), p_value),
            _value(name, since if head else None),
            _value(name, extra if head else None),
        )
        words = f"{_words(score.name)} {_ARROWS[score.better]}"
        found.append(SetRow(evaluation.title, f"{evaluation.n_samples:,}", words, values))
    return found


def _words(name: str) -> str:
    return metric_words(name).removesuffix(" accuracy").removesuffix(" (mean over classes)")


def _value(name: str, found: Range | None) -> Value:
    if found is None:
        return Value("", None)
    text, _, note = ranged(name, found).partition(" (")
    return Value(text, found.point, unbroken(note.rstrip(")")))


def _matrix(evaluation: Evaluation) -> Matrix | None:
    counts = confusion(evaluation)
    if counts is None:
        return None
    if len(counts) > _MOST_CLASSES:
        return Matrix(evaluation.title, (), (), _pairs(counts))
    size = len(counts)
    columns = tuple(map(str, range(size))) + (("NaN",) if counts[:, size].any() else ())
    recalls = {one.label: ranged("recall_ratio", one.recall) for one in class_scores(evaluation)}
    rows = tuple(
        (str(label), _cells(counts[label], label, len(columns)), recalls.get(label, "no samples"))
        for label in range(size)
    )
    return Matrix(evaluation.title, columns, rows, ())


def _cells(row: NDArray[np.int64], label: int, width: int) -> tuple[tuple[str, str], ...]:
    total = int(row.sum())
    return tuple(
        (f"{'k' if column == label else 'e'}{_shade(int(count), total)}", str(count) if count else "")
        for column, count in enumerate(row[:width])
    )


def _shade(count: int, total: int) -> int:
    share = count / total if total else 0.0
    return 0 if count == 0 else next(place for place, limit in enumerate(_SHADES) if share < limit)


def _pairs(counts: NDArray[np.int64]) -> tuple[str, ...]:
    size = len(counts)
    found = [(int(counts[a, b]), a, b) for a, b in product(range(size), range(size)) if a != b and counts[a, b]]
    found.sort(reverse=True)
    return tuple(f"{a} taken for {b}: {count} of {counts[a].sum()}" for count, a, b in found[:_MOST_PAIRS])
