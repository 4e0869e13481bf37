"""Runs for people: the table after a profile, the list, one run in full."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.table import Table

from edgeprof import units
from edgeprof.errors import UsageError
from edgeprof.records import Estimate, RunResult
from edgeprof.report.document import document, estimates, row_item, run_item
from edgeprof.report.text import console, plain, table, write
from edgeprof.store import RunRow

if TYPE_CHECKING:
    from edgeprof.profile import Failure

_UNIT = {"_ns": units.duration, "_bytes": units.size, "_ratio": units.percent, "_points": units.points}


def print_outcome(runs: Sequence[RunResult], failures: Sequence["Failure"], *, as_json: bool) -> None:
    """Print the cells of a profile, or their JSON."""
    if as_json:
        write(outcome_document(runs, failures))
        return
    shown = [run for run in runs if run.launches]
    out = console()
    if shown:
        out.print(_summary(shown))
        _print_conditions(shown)
        _print_warnings(shown)
        out.print(f"\nevery sample: edgeprof run show {shown[0].run_id}", markup=False)


def outcome_document(runs: Sequence[RunResult], failures: Sequence["Failure"]) -> str:
    """Return the runs as a document that names failures besides."""
    text = document("runs", [run_item(run) for run in runs])
    if not failures:
        return text
    import json  # noqa: PLC0415 - only to add to a finished document

    whole = json.loads(text)
    whole["failures"] = [
        {"device": f.device, "what": f.what, "error": f.error.message, "hint": f.error.hint} for f in failures
    ]
    return json.dumps(whole, indent=2, ensure_ascii=False)


def print_rows(rows: Sequence[RunRow], *, as_json: bool) -> None:
    """Print `run list`."""
    if as_json:
        write(document("run_list", [row_item(row) for row in rows]))
        return
    if not rows:
        console().print("no runs yet: edgeprof profile MODEL -d local", markup=False)
        return
    found = table("run", "when", "device", "model", "recipe", "launches", "status", right=("launches",))
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_unix_s))
        texts = (row.run_id, when, row.device, row.model, row.recipe, row.n_launches, row.status)
        found.add_row(*(plain(text) for text in texts))
    console().print(found)


def print_run(run: RunResult, *, as_json: bool) -> None:
    """Print `run show`; as JSON with every sample."""
    if as_json:
        write(document("runs", [run_item(run, raw=True)]))
        return
    out = console()
    out.print(plain(f"run {run.run_id}: {run.artifact.model} {run.artifact.recipe} on {run.device}, {run.status}"))
    if run.failure:
        out.print(plain(f"failed: {run.failure}"))
    out.print(_facts(run))
    out.print(_metrics(run))
    if run.launches:
        out.print(_launch_table(run))
    _print_warnings([run])


def export_runs(runs: Sequence[RunResult], output: Path | None) -> None:
    """Write runs with every sample.

    Raises:
        UsageError: The file cannot be written.
    """
    text = document("runs", [run_item(run, raw=True) for run in runs])
    if output is None:
        write(text)
        return
    try:
        output.write_text(text + "\n")
    except OSError as exc:
        raise UsageError(f"cannot write `{output}`: {exc.strerror}") from exc


def figure(estimate: Estimate) -> str:
    """Return an estimate for people: the point in its unit, or `not measured` with its reason."""
    if estimate.point is None:
        return f"not measured ({(estimate.not_measured or '').replace('_', ' ')})"
    return _convert(estimate.name, estimate.point)


def _convert(name: str, value: float) -> str:
    for ending, convert in _UNIT.items():
        if name.endswith(ending):
            return convert(value)
    return units.three_digits(value)


def _summary(runs: Sequence[RunResult]) -> Table:
    right = (
        "threads",
        "size",
        "latency (median)",
        "95 % interval",
        "p90",
        "first inference",
        "peak RSS",
        "top-1",
        "drop",
    )
    found = table("device", "model", "recipe", *right, right=right)
    for run in runs:
        found.add_row(*(plain(text) for text in _summary_row(run)))
    return found


def _summary_row(run: RunResult) -> tuple[str, ...]:
    by_name = {(e.name, e.statistic): e for e in estimates(run)}
    latency = by_name["latency_ns", "median"]
    threads = str(run.plan.threads) + ("" if run.plan.cpus == "all" else f" on {run.plan.cpus}")
    interval = units.duration_interval(latency.low, latency.point or 0, latency.high)
    return (
        run.device,
        run.artifact.model,
        run.artifact.recipe,
        threads,
        units.size(run.artifact.size_bytes),
        figure(latency),
        interval,
        _short(by_name["latency_ns", "p90"]),
        _short(by_name["first_inference_ns", "median"]),
        _short(by_name["peak_rss_bytes", "median"]),
        _short(by_name["top1_ratio", "share"]),
        _short(by_name.get(("drop_points", "difference"))),
    )


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
    text = f"{count} launches each, {samples} runs; {', '.join(runtimes)}; {where}"
    if accuracy:
        text += f"; accuracy on {accuracy.n_samples} samples, run on the device"
    console().print(plain(text))


def _print_warnings(runs: Sequence[RunResult]) -> None:
    seen: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for found in run.warnings:
            threads = f" ×{run.plan.threads}" if len({r.plan.threads for r in runs}) > 1 else ""
            seen.setdefault((found.code, found.text), []).append(f"{run.device} {run.artifact.recipe}{threads}")
    for (code, text), where in seen.items():
        console().print(plain(f"warning: {', '.join(where)}: {text} [{code}]"))


def _facts(run: RunResult) -> Table:
    found = table("condition", "value")
    runtime = run.runtime
    rows = [
        (
            "artifact",
            f"{run.artifact.path.name}, {units.size(run.artifact.size_bytes)}, sha256 {run.artifact.sha256[:12]}",
        ),
        (
            "runtime",
            f"{runtime.name} {runtime.version}, delegate {runtime.delegate}" if runtime else "not reached",
        ),
        ("accelerator", run.plan.accelerator),
        ("threads, cores", f"{run.plan.threads}, {run.plan.cpus}"),
        ("target", run.target or "not given"),
        *run.environment,
    ]
    if run.golden:
        rows.append(
            (
                "golden vectors",
                f"{'agree' if run.golden.passed else 'DIFFER'}, largest error {run.golden.max_error:g}",
            )
        )
    for name, value in rows:
        found.add_row(plain(name), plain(_fact(name, value)))
    return found


def _fact(name: str, value: str) -> str:
    if name.endswith("_bytes"):
        return units.size(int(value))
    return f"{int(value) / 1000:.1f} °C" if name.startswith("temp_mc") else value


def _metrics(run: RunResult) -> Table:
    found = table(
        "metric",
        "statistic",
        "value",
        "95 % interval",
        "launches",
        "samples",
        right=("value", "launches", "samples"),
    )
    for estimate in estimates(run):
        interval = ""
        if estimate.low is not None and estimate.high is not None:
            interval = f"{_convert(estimate.name, estimate.low)} … {_convert(estimate.name, estimate.high)}"
        counts = (str(estimate.n_launches or ""), str(estimate.n_samples or ""))
        found.add_row(estimate.name, estimate.statistic, figure(estimate), interval, *counts)
    return found


def _launch_table(run: RunResult) -> Table:
    found = table(
        "launch",
        "median",
        "fastest",
        "slowest",
        "runs",
        "warm-up",
        right=("median", "fastest", "slowest", "runs", "warm-up"),
    )
    for launch in run.launches:
        ordered = (median(launch.latency_ns), min(launch.latency_ns), max(launch.latency_ns))
        texts = (*map(units.duration, ordered), len(launch.latency_ns), len(launch.warmup_ns))
        found.add_row(str(launch.index + 1), *(str(text) for text in texts))
    return found
