"""Stored runs beside one another, for people and as JSON."""

import time
from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from edgeprof import units
from edgeprof.compare import (
    AccuracyChange,
    Cell,
    EnergyChange,
    Matrix,
    Ranked,
    accuracy_changes,
    fronts,
    relate_energy,
)
from edgeprof.metrics import estimates
from edgeprof.power.energy import CONFIDENCE
from edgeprof.records import Estimate, RunResult
from edgeprof.report.accuracy import accuracy_heading, headline_texts, loss_words
from edgeprof.report.document import document
from edgeprof.report.items import comparison_item, metric_items
from edgeprof.report.summary import figure, print_warnings
from edgeprof.report.text import console, plain, table, write
from edgeprof.report.verdicts import verdict_words
from edgeprof.report.words import metric_words
from edgeprof.stats.accuracy import in_points, loss_name

_LONGEST = 96
_LONGEST_REASON = 160  # what is to be done stands at its end
_HOW = {"in_turns": "in turns", "separate": "separate runs"}
_SEPARATE = (
    "separate runs: the interval comes from the launches of two sessions; what differed between the sessions, such as "
    "heat and load, is not in it: `edgeprof ab` measures a pair in turns"
)
_COLUMNS = (("energy_per_inference_uj", "mean"), ("peak_rss_bytes", "median"))
_HEADINGS = ("energy ↓", "peak RSS ↓")


def print_matrix(matrix: Matrix, *, as_json: bool) -> None:
    """Print `compare`: rows artifacts, columns devices; what is refused; and each device's front."""
    ranked = fronts([cell.run for cell in matrix.cells if cell.method != "refused"])
    if as_json:
        write(matrix_document(matrix, ranked))
        return
    out = console()
    out.print(_table(matrix))
    for line in (*_notes(matrix), *_refusals(matrix), *_changes(matrix), *_accuracies(matrix)):
        out.print(plain(line))
    for device in dict.fromkeys(one.run.device for one in ranked):
        beside = [one for one in ranked if one.run.device == device]
        if len(beside) > 1:
            out.print()
            out.print(plain(f"{device}: worth having, as far as measured"))
            out.print(_front(beside, matrix))
            for line in _packed(beside, matrix):
                out.print(plain(line))
    print_warnings([cell.run for cell in matrix.cells if cell.run.launches])


def matrix_document(matrix: Matrix, ranked: Sequence[Ranked]) -> str:
    """Return a comparison as the JSON that schema.json describes."""
    by_id = {one.run.run_id: one for one in ranked}
    items = [_item(cell, by_id.get(cell.run.run_id)) for cell in matrix.cells]
    return document("comparison", items, axis=matrix.axis.name, axis_found=matrix.found, base=matrix.base.run_id)


def row_name(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return what tells a run from others whatever their device; with its time where nothing else does."""
    bare = f"{run.artifact.model} {run.artifact.recipe}"
    parts = [(f"×{r.plan.threads}", r.plan.cpus, _runtime(r), r.artifact.sha256[:6]) for r in runs]
    own = (f"×{run.plan.threads}", run.plan.cpus, _runtime(run), run.artifact.sha256[:6])
    alike = [p for r, p in zip(runs, parts, strict=True) if f"{r.artifact.model} {r.artifact.recipe}" == bare]
    several = [index for index in range(len(own)) if len({part[index] for part in alike}) > 1]
    words = [own[index] for index in several]
    same = [r for r in runs if r.device == run.device and _key(r) == _key(run)]
    if len(same) > 1:
        words.append(f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(run.created_unix_s))} {run.run_id[:4]}")
    return " ".join((bare, *words))


def _key(run: RunResult) -> tuple[object, ...]:
    return (
        run.artifact.model,
        run.artifact.recipe,
        run.artifact.sha256,
        run.plan.threads,
        run.plan.cpus,
        _runtime(run),
    )


def _runtime(run: RunResult) -> str:
    return f"{run.runtime.name} {run.runtime.version}" if run.runtime else "no runtime"


def _table(matrix: Matrix) -> Table:
    runs = [cell.run for cell in matrix.cells]
    devices = list(dict.fromkeys(run.device for run in runs))
    metric = "instructions" if all(run.plan.metric == "guest_instructions" for run in runs) else "latency"
    found = table(f"{metric} (median)", *(escape(str(plain(device))) for device in devices))
    rows: dict[str, dict[str, str]] = {}
    for cell in matrix.cells:
        rows.setdefault(row_name(cell.run, runs), {})[cell.run.device] = _cell(cell)
    for name, cells in rows.items():
        found.add_row(plain(name), *(_lines(cells.get(device, "")) for device in devices))
    return found


def _lines(text: str) -> Table:
    """Return the lines of a cell one above the other."""
    grid = Table.grid()
    for line in text.split("\n"):
        grid.add_row(plain(line))
    return grid


def _cell(cell: Cell) -> str:
    run = cell.run
    value = figure(estimates(run)[0])
    if run.plan.metric == "guest_instructions" and run.launches:
        value += " instructions"
    if cell.comparison is None:
        return f"{value}\n{cell.method}" if cell.method == "base" else f"{value}\nnot compared: see below"
    lines = [value, verdict_words(cell.comparison), _HOW[cell.method]]
    energy = _energy(cell)
    if energy and energy.ratio is not None and energy.low is not None and energy.high is not None:
        span = f"{units.change(energy.low)} … {units.change(energy.high)}, {100 * CONFIDENCE:g} %"
        lines.append(f"energy {units.change(energy.ratio)} ({span}; one process each)")
    return "\n".join(lines)


def _energy(cell: Cell) -> EnergyChange | None:
    """Return how the energies of a cell and its base relate, where the two runs are compared at all."""
    return None if cell.base is None or cell.comparison is None else relate_energy(cell.base, cell.run)


def _notes(matrix: Matrix) -> list[str]:
    said = "found" if matrix.found else "as asked"
    axis = f"axis: {matrix.axis.name} ({said})"
    if all(cell.method in ("base", "refused") for cell in matrix.cells):
        return [f"{axis if not matrix.found else 'no axis'}: nothing compares; base: {matrix.base.run_id}"]
    lines = [f"{axis}; base: {matrix.base.run_id}; all verdicts together hold at 99 %"]
    own = [c.run for c in matrix.cells if c.method == "base" and c.run.plan.metric != matrix.base.plan.metric]
    if own:
        names = ", ".join(run.run_id for run in own)
        lines.append(
            f"base in {metric_words(own[0].plan.metric)}: {names}; a count of instructions stands against no time"
        )
    return [*lines, _SEPARATE] if any(cell.method == "separate" for cell in matrix.cells) else lines


def _refusals(matrix: Matrix) -> list[str]:
    energies = [(cell, _energy(cell)) for cell in matrix.cells]
    return [
        f"energy not compared: {_name(cell, matrix)}: {found.refused}"
        for cell, found in energies
        if found and found.refused
    ] + [
        f"not compared: {_name(cell, matrix)}: {'; '.join(_short(reason, _LONGEST_REASON) for reason in cell.refused)}"
        for cell in matrix.cells
        if cell.refused
    ]


def _changes(matrix: Matrix) -> list[str]:
    """Return what the axis changed, once for all runs for which it changed the same."""
    lines: dict[str, list[str]] = {}
    for cell in matrix.cells:
        if cell.changes and cell.base:
            text = "; ".join(f"{c.name}: {_short(c.base)} → {_short(c.other)}" for c in cell.changes)
            lines.setdefault(text, []).append(_name(cell, matrix))
    return [f"changed with it: {', '.join(names)}: {text}" for text, names in lines.items()]


def _accuracies(matrix: Matrix) -> list[str]:
    """Return how much worse each run is than its base, set by set, or why that is not known."""
    lines = []
    for cell in matrix.cells:
        for change in _changes_of(cell):
            about = f"{_name(cell, matrix)} on `{change.data}`"
            if change.loss is None or change.base is None:
                lines.append(f"{about}: accuracy not compared: {change.refused}")
                continue
            how = loss_words(loss_name(change.base), in_points(change.base, change.loss.worse))
            p_value = change.loss.p_value
            test = "" if p_value is None else f"; McNemar p {units.three_digits(p_value)}"
            words = metric_words(change.base.name)
            lines.append(f"{about}: {words} {how}, paired, 95 %{test}")
    return lines


def _name(cell: Cell, matrix: Matrix) -> str:
    runs = [other.run for other in matrix.cells]
    several = len({run.device for run in runs}) > 1
    return f"{row_name(cell.run, runs)} on {cell.run.device}" if several else row_name(cell.run, runs)


def _front(ranked: Sequence[Ranked], matrix: Matrix) -> Table:
    runs = [cell.run for cell in matrix.cells]
    found = [{(e.name, e.statistic): e for e in estimates(one.run)} for one in ranked]
    shown = [i for i, key in enumerate(_COLUMNS) if any(_known(by_name, key) for by_name in found)]
    metric = "instructions" if ranked[0].run.plan.metric == "guest_instructions" else "latency"
    quality = [headline_texts(one.run)[0] or "not measured" for one in ranked]
    judged = (accuracy_heading([one.run for one in ranked]),) if set(quality) != {"not measured"} else ()
    headings = ("size ↓", f"{metric} ↓", *(_HEADINGS[i] for i in shown), *judged)
    made = table("run", *headings, "", right=headings)
    for one, by_name, accuracy in zip(ranked, found, quality, strict=True):
        values = [figure(by_name[_COLUMNS[i]]) if _known(by_name, _COLUMNS[i]) else "not measured" for i in shown]
        names = ", ".join(row_name(other, runs) for other in one.dominated_by)
        verdict = f"dominated by {names}" if names else "◀ on the front"
        size = units.size(one.run.artifact.size_bytes)
        values += [accuracy] if judged else []
        texts = (row_name(one.run, runs), size, figure(estimates(one.run)[0]), *values, verdict)
        made.add_row(*(plain(text) for text in texts))
    return made


def _packed(ranked: Sequence[Ranked], matrix: Matrix) -> list[str]:
    """Return a line with what each file takes when packed, where that is known and not the same for all."""
    runs = [cell.run for cell in matrix.cells]
    sizes = {row_name(one.run, runs): _gzip_bytes(one.run) for one in ranked}
    if len({size for size in sizes.values() if size is not None}) < 2:
        return []
    texts = [f"{name} {'not measured' if size is None else units.size(size)}" for name, size in sizes.items()]
    return [f"packed by gzip ↓: {', '.join(texts)}"]


def _gzip_bytes(run: RunResult) -> int | None:
    return run.facts.gzip_bytes if run.facts else None


def _known(by_name: Mapping[tuple[str, str], Estimate], key: tuple[str, str]) -> bool:
    return (found := by_name.get(key)) is not None and found.point is not None


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _changes_of(cell: Cell) -> tuple[AccuracyChange, ...]:
    return () if cell.base is None or cell.base is cell.run else accuracy_changes(cell.base, cell.run)


def _change_item(change: AccuracyChange) -> dict[str, object]:
    score, found = change.base, change.loss
    worse = None if score is None or found is None else in_points(score, found.worse)
    return {
        "data": change.data,
        "name": score and score.name,
        "better": score and score.better,
        "loss_name": score and loss_name(score),
        "loss": worse and {"point": worse.point, "low": worse.low, "high": worse.high},
        "mcnemar_p": found and found.p_value,
        "refused": change.refused,
    }


def _item(cell: Cell, ranked: Ranked | None) -> dict[str, object]:
    return {
        "run_id": cell.run.run_id,
        "device": cell.run.device,
        "model": cell.run.artifact.model,
        "recipe": cell.run.artifact.recipe,
        "size_bytes": cell.run.artifact.size_bytes,
        "gzip_bytes": _gzip_bytes(cell.run),
        "base": cell.base and cell.base.run_id,
        "method": cell.method,
        "comparison": None if cell.comparison is None else comparison_item(cell.comparison),
        "changes": [{"name": c.name, "base": c.base, "other": c.other} for c in cell.changes],
        "refused": list(cell.refused),
        "energy": _energy_item(cell),
        "metrics": metric_items(cell.run),
        "accuracy": [_change_item(change) for change in _changes_of(cell)],
        "ranked_by": list(ranked.figures) if ranked else [],
        "dominated_by": [other.run_id for other in ranked.dominated_by] if ranked else [],
    }


def _energy_item(cell: Cell) -> dict[str, object] | None:
    found = _energy(cell)
    if found is None:
        return None
    confidence = None if found.ratio is None else CONFIDENCE
    return {
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high,
        "confidence": confidence,
        "refused": found.refused,
    }
