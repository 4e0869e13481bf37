"""What outputs are worth, set by set: for people and as JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from edgeprof import units
from edgeprof.metrics import estimates, headline
from edgeprof.records import Estimate, RunResult
from edgeprof.report.text import console, plain, table
from edgeprof.report.words import metric_words
from edgeprof.scores import BOUNDLESS, HOST, Agreement, Evaluation, Score
from edgeprof.stats.accuracy import in_points, loss_name
from edgeprof.stats.packed import unpack
from edgeprof.stats.paired import extra_loss, float_range, loss, score_range, shift
from edgeprof.stats.per_class import ClassScore, class_scores, confusion
from edgeprof.stats.proportions import Range, wilson

_ARROWS = {"higher": "↑", "lower": "↓"}
SETS_NOTE = (
    "worse by: what compression lost against the float model on the same samples, paired (shares: Tango's interval, "
    "McNemar's exact test; others: the same resamples); intervals at 95 % over samples"
)
_SINCE, _OF_THAT = "worse than on the first set by", "of that by compression"
_TEXTS = ("run", "set", "metric")
_WORST_CLASSES = 3
_COLUMNS = ("set", "samples", "metric", "value", "float model", "worse by", "McNemar p", _SINCE, _OF_THAT)


def ranged(name: str, found: Range | None) -> str:
    """Return a figure with its interval, `89.0 % (86.0 … 91.4)`; alone where no resample differs, empty for none."""
    if found is None:
        return ""
    if found.low == found.high:
        return units.quantity(name, found.point)
    point, *ends = (units.quantity(name, value) for value in (found.point, found.low, found.high))
    unit = point.partition(" ")[2]
    return f"{point} ({' … '.join(end.removesuffix(f' {unit}') for end in ends)})"


def loss_words(name: str, worse: Range) -> str:
    """Return a loss as it reads: `worse by +2.0 pp (…) than the base's`, `better by …` or `as the base's: …`."""
    if worse.point == 0:
        return f"as the base's: {ranged(name, worse)}"
    how, shown = ("worse", worse) if worse.point > 0 else ("better", Range(-worse.point, -worse.high, -worse.low))
    chance = ", which may be chance" if worse.low <= 0 <= worse.high else ""
    return f"{how} by {ranged(name, shown)} than the base's{chance}"


def headline_texts(run: RunResult) -> tuple[str, str]:
    """Return a run's accuracy, or without labels its agreement, and its loss against the float model, as columns."""
    by_name = {(e.name, e.statistic): e for e in estimates(run)}
    quality = by_name.get(headline(run))
    evaluation = next(iter(run.evaluations), None)
    lost = loss_name(evaluation.scores[0]) if evaluation and evaluation.scores else "drop_points"
    return _estimate_text(quality), _estimate_text(by_name.get((lost, "difference")))


def accuracy_heading(runs: Sequence[RunResult]) -> str:
    """Return the heading of a column of accuracies: the metric with its direction, where runs have the same."""
    names = {headline(run)[0] for run in runs if run.evaluations or run.accuracy}
    if len(names) != 1:
        return "accuracy"
    name = next(iter(names))
    better = next(e.better for run in runs for e in estimates(run) if e.name == name)
    words = metric_words(name).removesuffix(" accuracy")
    return f"{words} {_ARROWS.get(better or '', '')}".rstrip()


def _estimate_text(found: Estimate | None) -> str:
    if found is None or found.point is None:
        return ""
    if found.low is None or found.high is None:
        return units.quantity(found.name, found.point)
    return ranged(found.name, Range(found.point, found.low, found.high))


def sets_table(named: Sequence[tuple[str, RunResult]]) -> Table | None:
    """Return a table of every set and output of runs, or `None` where the runs' own table says it all."""
    if all(len(run.evaluations) <= 1 and all(e.scores for e in run.evaluations) for _, run in named):
        return None
    return _table(named)


def print_evaluations(run: RunResult) -> None:
    """Print a run's sets in full: every set and output, classes with the lowest recall, agreement."""
    if not run.evaluations:
        return
    out = console()
    out.print(_table([("", run)]))
    if any(evaluation.scores for evaluation in run.evaluations):
        out.print(plain(SETS_NOTE))
    for evaluation in run.evaluations:
        worst = sorted(class_scores(evaluation), key=lambda one: one.recall.point)[:_WORST_CLASSES]
        if worst:
            parts = [f"{one.label}: {ranged('recall_ratio', one.recall)} of {one.n_samples}" for one in worst]
            out.print(plain(f"{evaluation.title}: the classes least often right: {'; '.join(parts)}"))
        for one in evaluation.agreements:
            out.print(plain(f"{evaluation.title}: {agreement_words(one)}"))


def _table(named: Sequence[tuple[str, RunResult]]) -> Table:
    rows = [(name, *row) for name, run in named for row in _rows(run)]
    headings = ("run", *_COLUMNS)
    kept = [i for i in range(len(headings)) if any(row[i] for row in rows)]
    found = table(*(headings[i] for i in kept), right=tuple(headings[i] for i in kept if headings[i] not in _TEXTS))
    for row in rows:
        found.add_row(*(plain(row[i]) for i in kept))
    return found


def _rows(run: RunResult) -> list[tuple[str, ...]]:
    rows = []
    for evaluation in run.evaluations:
        first = next(e for e in run.evaluations if e.output == evaluation.output)
        if evaluation.scores:
            rows.append(_row(evaluation, first))
        rows += [_agreement_row(evaluation, one) for one in evaluation.agreements if not evaluation.scores]
    return rows


def _row(evaluation: Evaluation, first: Evaluation) -> tuple[str, ...]:
    score = evaluation.scores[0]
    lost, since = loss(score), since_first(evaluation, first)
    worse = None if lost is None else in_points(score, lost.worse)
    p_value = "" if lost is None or lost.p_value is None else units.three_digits(lost.p_value)
    return (
        evaluation.title,
        str(evaluation.n_samples),
        f"{metric_words(score.name)} {_ARROWS[score.better]}",
        ranged(score.name, score_range(score)),
        ranged(score.name, float_range(score)),
        ranged(loss_name(score), worse),
        p_value,
        ranged(loss_name(score), since[0]),
        ranged(loss_name(score), since[2]),
    )


def since_first(evaluation: Evaluation, first: Evaluation) -> tuple[Range | None, Range | None, Range | None]:
    """Return how much worse than on the first set: the artifact, the float model, and what compression adds to it."""
    if evaluation is first or not evaluation.scores or not first.scores:
        return None, None, None
    clean, shifted = first.scores[0], evaluation.scores[0]
    paired = evaluation.pairing == first.pairing
    found = (
        shift(clean, shifted, paired=paired),
        shift(clean, shifted, paired=paired, of_float=True),
        extra_loss(clean, shifted, paired=paired),
    )
    one, two, three = (None if part is None else in_points(clean, part) for part in found)
    return one, two, three


def _agreement_row(evaluation: Evaluation, one: Agreement) -> tuple[str, ...]:
    name = f"{one.against}_agreement_ratio"
    words = "agreement with the host ↑" if one.against == HOST else "agreement with the float model ↑"
    if one.n_agreed is not None:
        value = ranged(name, Range(one.n_agreed / one.n_samples, *wilson(one.n_agreed, one.n_samples)))
        value += f", {_error(one)}"
    else:
        value = _error(one)
    return (evaluation.title, str(one.n_samples), words, value, "", "", "", "", "")


def _error(one: Agreement) -> str:
    quality = "equal" if one.sqnr_db is None else units.decibel(one.sqnr_db)
    return f"{quality}, largest error {units.three_digits(one.max_error) if one.max_error < BOUNDLESS else 'unbounded'}"


def agreement_words(one: Agreement) -> str:
    """Return an agreement as a sentence."""
    parts = [] if one.n_agreed is None else [f"{units.percent(one.n_agreed / one.n_samples)} the same highest output"]
    parts.append(f"signal to error {'without end: equal' if one.sqnr_db is None else units.decibel(one.sqnr_db)}")
    if one.max_error < BOUNDLESS:
        mean, most = units.three_digits(one.mean_error), units.three_digits(one.max_error)
        parts.append(f"error {mean} on average, {most} at most")
    else:
        parts.append("error without bound: an output is no finite number")
    if one.kl_nats is not None:
        parts.append(f"KL divergence {units.three_digits(one.kl_nats)} nat")
    whom = "with the host" if one.against == HOST else "with the float model"
    return f"agreement {whom} on {one.n_samples} samples: {'; '.join(parts)}"


def evaluation_items(run: RunResult, *, raw: bool) -> list[dict[str, Any]]:
    """Return the evaluations of a run as JSON; with `raw`, what each sample was taken for."""
    found = []
    for evaluation in run.evaluations:
        first = next(e for e in run.evaluations if e.output == evaluation.output)
        found.append(_item(evaluation, first, raw=raw))
    return found


def _item(evaluation: Evaluation, first: Evaluation, *, raw: bool) -> dict[str, Any]:
    since = since_first(evaluation, first)
    matrix = confusion(evaluation)
    item: dict[str, Any] = {
        "data": evaluation.data,
        "sha256": evaluation.sha256,
        "n_samples": evaluation.n_samples,
        "output": evaluation.output,
        "base": evaluation.base,
        "pairing": evaluation.pairing,
        "scores": [_score_item(score, raw=raw) for score in evaluation.scores],
        "worse_than_first_set": _range_item(since[0]),
        "float_worse_than_first_set": _range_item(since[1]),
        "worse_by_compression": _range_item(since[2]),
        "agreements": [
            {name: getattr(one, name) for name in one.__dataclass_fields__} for one in evaluation.agreements
        ],
        "classes": [_class_item(one) for one in class_scores(evaluation)],
        "confusion": None if matrix is None else matrix.tolist(),
    }
    if raw:
        for name in ("labels", "predicted", "float_predicted"):
            packed = getattr(evaluation, name)
            item[name] = None if packed is None else unpack(packed).tolist()
    return item


def _score_item(score: Score, *, raw: bool) -> dict[str, Any]:
    lost = loss(score)
    item: dict[str, Any] = {
        "name": score.name,
        "statistic": score.statistic,
        "better": score.better,
        "value": _range_item(score_range(score)),
        "float": _range_item(float_range(score)),
        "loss_name": loss_name(score),
        "loss": None if lost is None else _range_item(in_points(score, lost.worse)),
        "mcnemar_p": None if lost is None else lost.p_value,
    }
    if raw:
        item["kind"] = score.kind
        item["values"] = _numbers(unpack(score.values))
        item["float_values"] = None if score.float_values is None else _numbers(unpack(score.float_values))
    return item


def _numbers(values: NDArray[Any]) -> list[float | None]:
    if values.dtype != np.float64:
        return [int(value) for value in values]
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in values]


def _class_item(one: ClassScore) -> dict[str, Any]:
    return {
        "label": one.label,
        "n_samples": one.n_samples,
        "recall": _range_item(one.recall),
        "drop_points": _range_item(one.drop_points),
    }


def _range_item(found: Range | None) -> dict[str, float] | None:
    return None if found is None else {"point": found.point, "low": found.low, "high": found.high}
