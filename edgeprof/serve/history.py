"""What one recipe of one model cost on one device over time, and where that changed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup

from edgeprof import units
from edgeprof.compare.conditions import Change, conditions, differing
from edgeprof.records import RunResult
from edgeprof.report.html.svg import Drawing, scale
from edgeprof.stats.changes import LEAST, change_points
from edgeprof.store import RunFilter, RunRow, Store

MOST_RUNS = 500
_WIDTH, _HEIGHT, _LEFT = 900, 240, 80
# What makes another series: never drawn as one line.
_APART = ("metric", "threads", "cores", "rate", "accelerator")


@dataclass(frozen=True, slots=True)
class Entry:
    """A run in a history.

    Attributes:
        row: The run, with its headline.
        changes: Conditions in which it differs from the run before.
        level: It begins a new level: how much more or less than the level before, or empty.
    """

    row: RunRow
    changes: tuple[Change, ...]
    level: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Runs that differ in nothing that makes their figures another quantity.

    Attributes:
        title: What they have in common.
        entries: The oldest first.
        chart: Their headlines over time.
        note: What was asked of them.
    """

    title: str
    entries: tuple[Entry, ...]
    chart: Markup
    note: str


def histories(store: Store, wanted: RunFilter) -> list[Series]:
    """Return the histories of complete runs that edgeprof measured, at most `MOST_RUNS` of them, the newest."""
    rows = store.list_runs(MOST_RUNS, replace(wanted, status="complete", origin="edgeprof"))
    described = {run.run_id: run for run in store.describe([row.run_id for row in rows])}
    apart: dict[tuple[str, ...], list[RunRow]] = {}
    for row in reversed(rows):
        row = row if row.cost is not None else store.complete_headline(row)  # noqa: PLW2901 - an older store's
        if row.cost is not None:
            known = conditions(described[row.run_id])
            apart.setdefault(tuple(known.get(name, "") for name in _APART), []).append(row)
    return [_series(found, described) for found in apart.values()]


def _series(rows: Sequence[RunRow], described: dict[str, RunResult]) -> Series:
    costs = [row.cost or 0.0 for row in rows]
    places = change_points(costs)
    levels = dict(zip(places, _levels(costs, places), strict=True))
    entries = []
    before: dict[str, str] = {}
    for index, row in enumerate(rows):
        now = conditions(described[row.run_id])
        entries.append(Entry(row, differing(before, now), levels.get(index, "")))
        before = now
    plan = described[rows[0].run_id].plan
    threads = f"{plan.threads} thread{'s' if plan.threads > 1 else ''}"
    title = f"{rows[0].model} {rows[0].recipe} on {rows[0].device}, {threads}, cores {plan.cpus}"
    few = "" if len(rows) >= LEAST else f"; it takes {LEAST} runs to tell a change from chance"
    found = f"{len(places)} change{'s' if len(places) != 1 else ''} of level"
    return Series(title, tuple(entries), _chart(rows, places), f"{len(rows)} runs, {found}{few}")


def _levels(costs: Sequence[float], places: Sequence[int]) -> list[str]:
    edges = [0, *places, len(costs)]
    means = [sum(costs[a:b]) / (b - a) for a, b in pairwise(edges)]
    return [units.change(after / before) for before, after in pairwise(means)]


def _chart(rows: Sequence[RunRow], places: Sequence[int]) -> Markup:
    """Return a point a run with its interval, evenly spaced, and a line where a new level begins."""
    metric = rows[0].metric or "latency_ns"
    ends = [end for row in rows for end in (row.cost, row.cost_low, row.cost_high) if end is not None]
    upright = scale(ends, _HEIGHT - 30, 12)
    step = (_WIDTH - _LEFT - 20) / max(1, len(rows) - 1)
    across = [_LEFT + step * index for index in range(len(rows))]
    drawn = Drawing(_WIDTH, _HEIGHT, "The median of every run, the oldest first")
    drawn.upright(upright, metric, _LEFT, _WIDTH - 20)
    for place in places:
        drawn.line((across[place] - step / 2, 12), (across[place] - step / 2, _HEIGHT - 30), "change")
    bars = [
        (x, upright(row.cost_low), upright(row.cost_high))
        for x, row in zip(across, rows, strict=True)
        if row.cost_low is not None and row.cost_high is not None
    ]
    drawn.bars(bars, "span")
    drawn.dots([(x, upright(row.cost or 0.0)) for x, row in zip(across, rows, strict=True)], "dot")
    for index in {0, len(rows) - 1}:
        when = time.strftime("%Y-%m-%d", time.localtime(rows[index].created_unix_s))
        drawn.text((across[index], _HEIGHT - 10), when, "end" if index else "")
    return drawn.done()
