"""The table after a profile: its cells, the conditions they share, and what may spoil them."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from edgeprof import units
from edgeprof.records import CLOCK_INSTRUCTIONS, Estimate, RunResult
from edgeprof.report.document import document, estimates, run_item
from edgeprof.report.ops import print_costliest
from edgeprof.report.text import console, plain, table, write

if TYPE_CHECKING:
    from edgeprof.profile import Failure

# A terminal too narrow for one line a cell gets a column a cell, so many side by side.
_NAME_WIDTH, _CELL_WIDTH = 18, 20
_UNBOUNDED = 10_000
_TEXT_COLUMNS = ("device", "model", "recipe")


def print_outcome(
    runs: Sequence[RunResult], failures: Sequence["Failure"], *, store: str | None = None, as_json: bool
) -> None:
    """Print the cells of a profile, or their JSON; `store` is the one the user named, for the next command."""
    if as_json:
        write(outcome_document(runs, failures))
        return
    shown = [run for run in runs if run.launches]
    out = console()
    if shown:
        for alike in _by_clock(shown):
            for part in tables(alike, out.width):
                out.print(part)
            _print_conditions(alike)
        for run in shown:
            print_costliest(run, _cell(run, shown))
        print_warnings(shown)
        command = f"run show {shown[0].run_id}" if len(shown) == 1 else "run list"
        named = f" --store {store}" if store else ""
        out.print(plain(f"every sample: edgeprof {command}{named}"))


def _by_clock(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Return runs by what their figures are: a count of instructions never stands beside a latency."""
    clocks = dict.fromkeys(run.plan.clock for run in runs)
    return [[run for run in runs if run.plan.clock == clock] for clock in clocks]


def outcome_document(runs: Sequence[RunResult], failures: Sequence["Failure"]) -> str:
    """Return the runs as a document that names failures besides."""
    text = document("runs", [run_item(run) for run in runs])
    if not failures:
        return text
    whole = json.loads(text)
    whole["failures"] = [
        {"device": f.device, "what": f.what, "error": f.error.message, "hint": f.error.hint} for f in failures
    ]
    return json.dumps(whole, indent=2, ensure_ascii=False)


def figure(estimate: Estimate) -> str:
    """Return an estimate for people: the point in its unit, or `not measured` with its reason."""
    if estimate.point is None:
        return f"not measured ({(estimate.not_measured or '').replace('_', ' ')})"
    return units.quantity(estimate.name, estimate.point)


def tables(runs: Sequence[RunResult], width: int) -> list[Table]:
    """Return one table with a line a cell, or where that is wider than `width` columns, tables with a column a cell."""
    rows = [_row(run) for run in runs]
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    wide = table(*names, right=tuple(name for name in names if name not in _TEXT_COLUMNS))
    for row in rows:
        wide.add_row(*(plain(row[name]) for name in names))
    out = console()
    if out.measure(wide, options=out.options.update(max_width=_UNBOUNDED)).maximum <= width:
        return [wide]
    beside = max(1, (width - _NAME_WIDTH) // _CELL_WIDTH)
    return [_upright(names, rows[start : start + beside]) for start in range(0, len(rows), beside)]


def _upright(names: Sequence[str], rows: Sequence[dict[str, str]]) -> Table:
    first, *rest = names
    upright = table(first, *(str(plain(row[first])) for row in rows))
    for name in rest:
        upright.add_row(name, *(plain(row[name]) for row in rows))
    return upright


def _row(run: RunResult) -> dict[str, str]:
    """Return a cell's figures by column; an empty text where nobody asked for the figure."""
    by_name = {(e.name, e.statistic): e for e in estimates(run)}
    name = run.plan.metric
    cost = by_name[name, "median"]
    counted = run.plan.clock == CLOCK_INSTRUCTIONS
    drop_points = None if run.accuracy is None else run.accuracy.drop_points
    return {
        "device": run.device,
        "model": run.artifact.model,
        "recipe": run.artifact.recipe,
        "threads": str(run.plan.threads) + ("" if run.plan.cpus == "all" else f" on {run.plan.cpus}"),
        "size": units.size(run.artifact.size_bytes),
        "instructions (median)" if counted else "latency (median)": figure(cost),
        "95 % interval": units.interval(name, cost.low, cost.point or 0, cost.high),
        "p90": "" if counted else _short(by_name[name, "p90"]),
        "first inference": "" if counted else _short(by_name["first_inference_ns", "median"]),
        "peak RSS": _short(by_name["peak_rss_bytes", "median"]),
        "top-1": "" if run.accuracy is None else units.percent(run.accuracy.top1_ratio),
        "drop": "" if drop_points is None else units.points(drop_points),
    }


def _short(estimate: Estimate | None) -> str:
    return "not measured" if estimate is None or estimate.point is None else figure(estimate)


def _print_conditions(runs: Sequence[RunResult]) -> None:
    first = runs[0]
    launches = sorted({len(run.launches) for run in runs})
    samples = sum(len(launch.latency_ns) for run in runs for launch in run.launches)
    runtimes = sorted({f"{r.runtime.name} {r.runtime.version} ({r.runtime.delegate})" for r in runs if r.runtime})
    count = "-".join(map(str, sorted({launches[0], launches[-1]})))
    accuracy = next((run.accuracy for run in runs if run.accuracy), None)
    where = f"{first.plan.accelerator.upper()} only, back-to-back"
    if first.plan.clock == CLOCK_INSTRUCTIONS:
        where += "; guest instructions on a virtual board: no latency, and never compared with one"
    text = f"{count} launches each, {samples} runs; {', '.join(runtimes)}; {where}"
    if accuracy:
        text += f"; accuracy on {accuracy.n_samples} samples, run on the device"
    console().print(plain(text))


def print_warnings(runs: Sequence[RunResult]) -> None:
    """Print each warning once, with the cells it is about."""
    seen: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for found in run.warnings:
            seen.setdefault((found.code, found.text), []).append(_cell(run, runs))
    for (code, text), where in seen.items():
        about = "all" if len(where) == len(runs) > 1 else ", ".join(where)
        console().print(plain(f"warning: {about}: {text} [{code}]"))


def _cell(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return the shortest name of a cell that tells it from the others."""
    parts = (
        (run.device, {other.device for other in runs}),
        (run.artifact.model, {other.artifact.model for other in runs}),
        (run.artifact.recipe, {other.artifact.recipe for other in runs}),
        (f"×{run.plan.threads}", {f"×{other.plan.threads}" for other in runs}),
        (run.plan.cpus, {other.plan.cpus for other in runs}),
    )
    return " ".join(name for name, several in parts if len(several) > 1) or run.device
