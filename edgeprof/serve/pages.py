"""What each address shows, as text; everything is read from the store when it is asked for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgeprof import units, version
from edgeprof.compare import relate
from edgeprof.errors import UsageError
from edgeprof.metrics import estimates
from edgeprof.records import ORIGIN, Estimate, RunResult
from edgeprof.report.document import document
from edgeprof.report.html import page
from edgeprof.report.html.views import Value, facts, value
from edgeprof.report.items import run_item
from edgeprof.report.runlist import row_item
from edgeprof.report.verdicts import verdict_words
from edgeprof.report.words import metric_words
from edgeprof.serve.history import histories
from edgeprof.store import STATUSES, RunFilter, RunRow, Store

PAGE_ROWS = 100
_FILTERS = ("device", "model", "recipe", "status")
_MOST_SIDE_BY_SIDE = 20

Query = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of two runs side by side."""

    name: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Live:
    """A run under way.

    Attributes:
        row: The run.
        done: Launches that are stored.
        next_look: Launches after which it may end.
        since: How long it has been going on.
    """

    row: RunRow
    done: int
    next_look: int
    since: str


def runs_page(store: Store, query: Query) -> str:
    """Return the list of runs, filtered."""
    asked = {name: value for name in _FILTERS if (value := _one(query, name))}
    if asked.get("status", STATUSES[0]) not in STATUSES:
        raise UsageError(f"unknown status: `{asked['status']}`")
    first = max(0, int(_one(query, "from") or 0)) if (_one(query, "from") or "0").isdigit() else 0
    rows = store.list_runs(PAGE_ROWS + 1, RunFilter(**asked), offset=first)
    choices = {name: store.distinct(name) for name in ("device", "model", "recipe")} | {"status": list(STATUSES)}
    return _render(
        "runs.html.j2", title="Runs", rows=rows[:PAGE_ROWS], more=len(rows) > PAGE_ROWS, first=first,
        page_rows=PAGE_ROWS, asked=asked, choices=choices, store=store.url, live=_live(store),
    )  # fmt: skip


def live_fragment(store: Store) -> str:
    """Return what is being measured now, as a piece of the list's page."""
    return _render("live.html.j2", live=_live(store))


def report_page(store: Store, query: Query) -> str:
    """Return the report about the runs that are named, as `edgeprof report` writes it."""
    return page([store.load_run(run_id) for run_id in _runs(query, least=1)])


def side_by_side_page(store: Store, query: Query) -> str:
    """Return two runs side by side: figures, conditions, and how they relate or why they do not."""
    names = _runs(query, least=2)
    if len(names) != 2:
        raise UsageError("choose two runs to put side by side", "mark two in the list")
    left, right = (store.load_run(name) for name in names)
    lines = [_line(one, left, right) for one in _metrics(left, right)]
    conditions = dict(facts(right))
    both = [(name, text, conditions.get(name, "")) for name, text in facts(left)]
    return _render(
        "side.html.j2", title="Side by side", left=left, right=right, relation=_relation(left, right),
        lines=[line for line in lines if line.left.sort is not None or line.right.sort is not None], conditions=both,
    )  # fmt: skip


def history_page(store: Store, query: Query) -> str:
    """Return the history of a model's recipe on a device; of one artifact if its hash is given."""
    asked = {name: _one(query, name) for name in ("device", "model", "recipe")}
    if not all(asked.values()):
        raise UsageError("a history is of a device, a model and a recipe", "follow a link in the list")
    wanted = RunFilter(**asked, artifact_sha256=_one(query, "artifact"))
    return _render("history.html.j2", title="History", series=histories(store, wanted), asked=asked, wanted=wanted)


def runs_json(store: Store, query: Query) -> str:
    """Return `run list --json`."""
    asked = {name: value for name in _FILTERS if (value := _one(query, name))}
    return document("run_list", [row_item(row) for row in store.list_runs(PAGE_ROWS, RunFilter(**asked))])


def run_json(store: Store, query: Query) -> str:
    """Return `run show --json`."""
    return document("runs", [run_item(store.load_run(name), raw=True) for name in _runs(query, least=1)])


def error_page(message: str, hint: str | None) -> str:
    """Return an error as a page."""
    return _render("error.html.j2", title="Error", message=message, hint=hint)


def _live(store: Store) -> list[Live]:
    rows = store.list_runs(50, RunFilter(status="running"))
    plans = {run.run_id: run.plan for run in store.describe([row.run_id for row in rows])}
    found = []
    for row in rows:
        looks = plans[row.run_id].looks
        next_look = next((look for look in looks if look > row.n_launches), looks[-1])
        found.append(Live(row, row.n_launches, next_look, units.clock(time.time() - row.created_unix_s)))
    return found


def _relation(left: RunResult, right: RunResult) -> str:
    if left.run_id == right.run_id:
        return "the same run twice"
    cell = relate([left, right], left.run_id).cells[1]
    if cell.comparison is None:
        return f"not compared: {'; '.join(cell.refused)}"
    changed = ", ".join(f"{change.name}: {change.base} → {change.other}" for change in cell.changes)
    apart = (
        "" if cell.method == "in_turns" else " (measured apart: what differed between two sessions is in no interval)"
    )
    return (
        f"the second against the first: {verdict_words(cell.comparison)}{apart}. What changed: {changed or 'nothing'}"
    )


def _metrics(left: RunResult, right: RunResult) -> list[tuple[str, str]]:
    return list(dict.fromkeys((e.name, e.statistic) for run in (left, right) for e in estimates(run)))


def _line(metric: tuple[str, str], left: RunResult, right: RunResult) -> Line:
    name, statistic = metric
    words = metric_words(name) if statistic in ("median", "once") else f"{metric_words(name)} ({statistic})"
    return Line(words, _value(metric, left), _value(metric, right))


def _value(metric: tuple[str, str], run: RunResult) -> Value:
    found = next((e for e in estimates(run) if (e.name, e.statistic) == metric), None)
    return value(found or Estimate(*metric, None, not_measured="no_such_figure"), run)


def _runs(query: Query, least: int) -> list[str]:
    found = list(dict.fromkeys(query.get("run", [])))[:_MOST_SIDE_BY_SIDE]
    if len(query.get("run", [])) < least:
        raise UsageError("no run is named", "choose one in the list")
    return found


def _one(query: Query, name: str) -> str | None:
    return next(iter(query.get(name, [])), None) or None


def _render(template: str, **values: object) -> str:
    return _templates().get_template(template).render(version=version(), **values)


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("edgeprof.serve", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters["when"] = lambda unix_s: time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))
    made.filters["cost"] = _cost
    made.globals["ours"] = ORIGIN
    return made


def _cost(row: RunRow) -> tuple[str, str]:
    """Return a row's headline and its interval, as people read them."""
    if row.metric is None or row.cost is None:
        return "", ""
    return units.quantity(row.metric, row.cost), (
        "" if row.cost_low is None else units.interval(row.metric, row.cost_low, row.cost, row.cost_high)
    )
