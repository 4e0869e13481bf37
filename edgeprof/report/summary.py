"""The table after a profile: its cells, the conditions they share, and what may spoil them."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from edgeprof import units
from edgeprof.compare import findings, fronts
from edgeprof.metrics import estimates
from edgeprof.records import CLOCK_INSTRUCTIONS, Estimate, RunResult
from edgeprof.report.accuracy import SETS_NOTE, accuracy_heading, headline_texts, sets_table
from edgeprof.report.document import document
from edgeprof.report.items import comparison_item, run_item
from edgeprof.report.missing import by_reason, missing
from edgeprof.report.names import cell_name, cell_names, is_again
from edgeprof.report.ops import print_costliest
from edgeprof.report.quantised import finding_item, finding_text
from edgeprof.report.text import console, plain, table, write
from edgeprof.report.verdicts import verdict
from edgeprof.report.windows import windows_conditions, windows_table
from edgeprof.report.words import metric_words
from edgeprof.stats import is_narrow, latency_estimates, sustained_estimates

if TYPE_CHECKING:
    from edgeprof.profile import Outcome

# A terminal too narrow for one line a cell gets a column a cell, so many side by side.
_NAME_WIDTH, _CELL_WIDTH = 18, 20
_UNBOUNDED = 10_000
_LESS_IS_BETTER = (
    *("size", "latency (median)", "instructions (median)", "p90", "first inference"),
    *("peak RSS", "energy", "power", "drop"),
)
_TEXT_COLUMNS = ("device", "model", "recipe")


def print_outcome(outcome: "Outcome", *, store: str | None = None, as_json: bool) -> None:
    """Print the cells of a profile, or their JSON; `store` is the one the user named, for the next command."""
    if as_json:
        write(outcome_document(outcome))
        return
    shown = [run for run in outcome.runs if run.launches or run.summaries]
    out = console()
    _print_windows([run for run in outcome.runs if run.windows])
    if shown:
        for alike in _alike(shown):
            for part in tables(alike, out.width):
                out.print(part)
            _print_conditions(alike)
            print_dominated(alike)
        print_accuracy(shown)
        for found in outcome.comparisons:
            out.print(plain(verdict(found, shown)))
        for finding in findings(shown):
            out.print(plain(finding_text(finding, shown)))
        for run in shown:
            if text := cold_start(run, shown):
                out.print(plain(text))
            if run.sustained:
                out.print(plain(sustained(run, shown)))
            print_costliest(run, cell_name(run, shown))
        _print_missing(shown)
        print_warnings(shown)
        for run in outcome.runs:
            if run.run_id in outcome.taken:
                out.print(plain(f"not measured now, taken from the session that was resumed: {taken(run)}"))
        command = f"run show {shown[0].run_id}" if len(shown) == 1 else "run list"
        named = f" --store {store}" if store else ""
        what = "sample" if any(run.launches for run in shown) else "launch"
        out.print(plain(f"every {what}: edgeprof {command}{named}"))


def _print_windows(runs: Sequence[RunResult]) -> None:
    if not runs:
        return
    console().print(windows_table(runs))
    for run in runs:
        console().print(plain(windows_conditions(run)))
    print_accuracy(runs)
    _print_missing(runs)
    print_warnings(runs)
    console().print(plain(f"every window: edgeprof run show {runs[0].run_id} --json"))


def taken(run: RunResult) -> str:
    """Return what a resumed profile need not measure again."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_unix_s))
    threads = f", {run.plan.threads} threads" if run.plan.threads > 1 else ""
    return f"{run.artifact.model} {run.artifact.recipe}{threads} on {run.device}, run {run.run_id} of {when}"


def print_dominated(runs: Sequence[RunResult]) -> None:
    """Print which cells are not worth having, beside which; nothing where there is none."""
    for one in fronts(runs):
        if one.dominated_by:
            names = ", ".join(cell_name(other, runs) for other in one.dominated_by)
            judged = ", ".join(metric_words(name) for name in one.figures)
            text = f"{cell_name(one.run, runs)} is dominated by {names}: of {judged} better in none, worse in some"
            console().print(plain(text))


def print_accuracy(runs: Sequence[RunResult]) -> None:
    """Print sets and outputs beyond the headline, each with its interval and what compression did to it."""
    found = sets_table([(cell_name(run, runs), run) for run in runs])
    if found is not None:
        console().print(found)
        if any(evaluation.scores for run in runs for evaluation in run.evaluations):
            console().print(plain(SETS_NOTE))


def _alike(runs: Sequence[RunResult]) -> list[list[RunResult]]:
    """Return runs by what their figures are: a count, or another tool's summary, never stands beside our latency."""
    kinds = dict.fromkeys((run.plan.clock, run.origin) for run in runs)
    return [[run for run in runs if (run.plan.clock, run.origin) == kind] for kind in kinds]


def outcome_document(outcome: "Outcome") -> str:
    """Return the runs as a document, with how they relate, and failures if there are any."""
    shown = [run for run in outcome.runs if run.launches or run.summaries]
    about: dict[str, object] = {"comparisons": [comparison_item(found) for found in outcome.comparisons]}
    if outcome.taken:
        about["taken"] = list(outcome.taken)
    about["findings"] = [finding_item(found, shown) for found in findings(shown)]
    if outcome.failures:
        about["failures"] = [
            {"device": f.device, "what": f.what, "error": f.error.message, "hint": f.error.hint}
            for f in outcome.failures
        ]
    return document("runs", [run_item(run) for run in outcome.runs], **about)


def figure(estimate: Estimate) -> str:
    """Return an estimate for people: the point in its unit, or `not measured` with its reason."""
    if estimate.point is None:
        return f"not measured ({(estimate.not_measured or '').replace('_', ' ')})"
    return units.quantity(estimate.name, estimate.point)


def tables(runs: Sequence[RunResult], width: int) -> list[Table]:
    """Return one table with a line a cell, or where that is wider than `width` columns, tables with a column a cell."""
    rows = [_row(run) | ({"recipe": f"{run.artifact.recipe} again"} if is_again(run, runs) else {}) for run in runs]
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    shown = {name: _heading(name, runs) for name in names}
    wide = table(*shown.values(), right=tuple(shown[name] for name in names if name not in _TEXT_COLUMNS))
    for row in rows:
        wide.add_row(*(plain(row[name]) for name in names))
    out = console()
    if out.measure(wide, options=out.options.update(max_width=_UNBOUNDED)).maximum <= width:
        return [wide]
    beside = max(1, (width - _NAME_WIDTH) // _CELL_WIDTH)
    return [_upright(shown, rows[start : start + beside]) for start in range(0, len(rows), beside)]


def _upright(names: dict[str, str], rows: Sequence[dict[str, str]]) -> Table:
    first, *rest = names
    upright = table(first, *(str(plain(row[first])) for row in rows))
    for name in rest:
        upright.add_row(names[name], *(plain(row[name]) for row in rows))
    return upright


def _heading(name: str, runs: Sequence[RunResult]) -> str:
    """Return a column's heading: the figure, and which way is better."""
    if name == "accuracy":
        return accuracy_heading(runs)
    return f"{name} ↓" if name in _LESS_IS_BETTER else name


def _row(run: RunResult) -> dict[str, str]:
    """Return a cell's figures by column; an empty text where nobody asked for the figure."""
    by_name = {(e.name, e.statistic): e for e in estimates(run)}
    name = run.plan.metric
    cost, peak = by_name[name, "median"], by_name["peak_rss_bytes", "median"]
    counted = run.plan.clock == CLOCK_INSTRUCTIONS
    quality, drop = headline_texts(run)
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
        "peak RSS": "" if ("peak_rss_bytes", "not_asked") in run.not_measured else _short(peak),
        "energy": _energy(by_name["energy_per_inference_uj", "mean"], run),
        "power": _energy(by_name["power_mw", "mean"], run),
        "accuracy": quality,
        "drop": drop,
    }


def _energy(estimate: Estimate, run: RunResult) -> str:
    """Return an energy with its interval's reach; empty where nobody asked, or the board has no sensor."""
    if estimate.not_measured in ("not_asked", "no_power_sensor", "clock_counts_instructions", "not_reached"):
        return ""
    if estimate.point is None or estimate.low is None or estimate.high is None:
        return _short(estimate)
    reach = (estimate.high - estimate.low) / 2 / estimate.point
    trace = next(iter((*run.energy_turns, *([run.power] if run.power else ()))), None)
    return f"{figure(estimate)} ±{units.percent(reach)}" + ("" if trace and trace.covers == "board" else " (rail)")


def _print_missing(runs: Sequence[RunResult]) -> None:
    """Say what is not there and why, once for all cells that share it."""
    texts: dict[str, list[RunResult]] = {}
    for run in runs:
        texts.setdefault(by_reason(missing(run)), []).append(run)
    for text, about in texts.items():
        if text:
            where = f"{cell_names(about, runs)}: " if len(texts) > 1 else ""
            console().print(plain(f"{where}not measured: {text}"))


def _short(estimate: Estimate | None) -> str:
    return "not measured" if estimate is None or estimate.point is None else figure(estimate)


def _print_conditions(runs: Sequence[RunResult]) -> None:
    first = runs[0]
    launches = sorted({len(run.launches or run.summaries) for run in runs})
    samples = sum(len(launch.latency_ns) for run in runs for launch in run.launches)
    samples += sum(launch.runs for run in runs for launch in run.summaries)
    runtimes = sorted({f"{r.runtime.name} {r.runtime.version} ({r.runtime.delegate})" for r in runs if r.runtime})
    count = "-".join(map(str, sorted({launches[0], launches[-1]})))
    pace = "back-to-back" if first.plan.rate_hz is None else f"{first.plan.rate_hz:g} Hz"
    turns = f"{pace}, in turns" if first.group else pace
    evaluated = next((run.evaluations[0] for run in runs if run.evaluations), None)
    where = f"{first.plan.accelerator.upper()} only, {turns}"
    if first.plan.clock == CLOCK_INSTRUCTIONS:
        where += "; guest instructions on a virtual board: no latency, and never compared with one"
    each = "1 launch" if count == "1" else f"{count} launches"
    text = f"{each} each{_why_so_many(runs)}, {samples} runs; {', '.join(runtimes)}; {where}"
    if evaluated:
        what = "accuracy" if evaluated.scores else "agreement"
        noun = "sample" if evaluated.n_samples == 1 else "samples"
        text += f"; {what} on {evaluated.n_samples} {noun} of `{evaluated.data}`, run on the device"
    console().print(plain(text))


def sustained(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return a long run as a sentence and a line of bars: what became of latency and temperature."""
    first, last, slow = sustained_estimates(run.sustained)
    change = units.change((last.point or 0) / (first.point or 1))
    parts = [f"{units.duration(first.point)} at first, {units.duration(last.point)} at the end ({change})"]
    parts.append("never 10 % slower" if slow.point is None else f"10 % slower from {units.clock(slow.point)} on")
    temps = [window.temp_mc for window in run.sustained if window.temp_mc is not None]
    if temps:
        parts.append(f"{temps[0] / 1000:.0f} → {temps[-1] / 1000:.0f} °C")
    length = units.clock(run.plan.sustained_s or 0)
    return f"{cell_name(run, runs)} for {length}: {'; '.join(parts)}  {bars([w.median_ns for w in run.sustained])}"


def cold_start(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return a run's cold start beside its warm one, as a sentence; empty where there is none."""
    by_name = {e.name: e for e in estimates(run)}
    cold, warm = by_name["cold_start_ns"], by_name.get("start_ns")
    if cold.point is None or warm is None:
        return ""
    both = [f"{figure(e)} ({units.interval(e.name, e.low, e.point or 0, e.high)})" for e in (cold, warm)]
    count = f"{cold.n_launches} processes"
    return f"{cell_name(run, runs)}: cold start to the first result {both[0]}, {count}; with files in memory {both[1]}"


def bars(values: Sequence[float], width: int = 40) -> str:
    """Return values as a line of at most `width` bars, from 0 to the highest; each bar is the mean of its share."""
    count = min(width, len(values))
    shares = [values[len(values) * i // count : len(values) * (i + 1) // count] for i in range(count)]
    means = [sum(share) / len(share) for share in shares]
    top = max(means, default=0) or 1
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * mean / top))] for mean in means)


def _why_so_many(runs: Sequence[RunResult]) -> str:
    if len(runs[0].plan.looks) == 1 or any(len(run.launches) not in run.plan.looks for run in runs):
        return ""
    precision = units.percent(runs[0].plan.precision_ratio)
    narrow = all(is_narrow(latency_estimates(run.launches, run.plan)[0], run.plan.precision_ratio) for run in runs)
    if narrow:
        return f" (intervals within ±{precision})"
    most = all(len(run.launches) == run.plan.looks[-1] for run in runs)
    return f" (the most; not all intervals are within ±{precision})" if most else ""


def print_warnings(runs: Sequence[RunResult]) -> None:
    """Print each warning once, with the cells it is about."""
    seen: dict[tuple[str, str], list[RunResult]] = {}
    for run in runs:
        for found in dict.fromkeys(run.warnings):
            seen.setdefault((found.code, found.text), []).append(run)
    for (code, text), about in seen.items():
        console().print(plain(f"warning: {cell_names(about, runs)}: {text} [{code}]"))
