"""Stored runs for people: the list, one run in full, exports."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.table import Table

from edgeprof import units
from edgeprof.boards import throttling_words
from edgeprof.errors import UsageError
from edgeprof.metrics import estimates
from edgeprof.records import CLOCK_WALL, ORIGIN, RawLaunch, RunResult, State
from edgeprof.report.accuracy import print_evaluations
from edgeprof.report.document import document
from edgeprof.report.items import run_item
from edgeprof.report.missing import by_reason
from edgeprof.report.modelfile import file_text
from edgeprof.report.ops import print_all
from edgeprof.report.summary import figure, print_warnings
from edgeprof.report.text import console, plain, table, write
from edgeprof.resources import write_whole


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
    if text := _not_measured(run):
        out.print(plain(text))
    if run.launches:
        out.print(_launch_table(run))
    if run.summaries:
        out.print(_summary_table(run))
    print_all(run)
    print_evaluations(run)
    print_warnings([run])


def write_text(text: str, output: Path | None) -> None:
    """Write a document to a file, or to standard output.

    Raises:
        UsageError: The file cannot be written.
    """
    if output is None:
        write(text.removesuffix("\n"))
        return
    try:
        write_whole(output, (text if text.endswith("\n") else text + "\n").encode())
    except OSError as exc:
        raise UsageError(f"cannot write `{output}`: {exc.strerror}", "name a file in a folder with room") from exc


def runs_text(runs: Sequence[RunResult]) -> str:
    """Return runs with every sample as JSON."""
    return document("runs", [run_item(run, raw=True) for run in runs])


def _facts(run: RunResult) -> Table:
    found = table("condition", "value")
    runtime = run.runtime
    rows = [
        (
            "artifact",
            f"{run.artifact.path.name}, {units.size(run.artifact.size_bytes)}, sha256 {run.artifact.sha256[:12]}",
        ),
        *((("model's file", text),) if (text := file_text(run)) else ()),
        (
            "runtime",
            f"{runtime.name} {runtime.version}, delegate {runtime.delegate}" if runtime else _no_runtime(run),
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
    if run.origin != ORIGIN:
        rows.insert(0, ("measured by", _measured_by(run)))
    for name, value in rows:
        found.add_row(plain(name), plain(_fact(name, value)))
    return found


def _no_runtime(run: RunResult) -> str:
    return "in the firmware, which does not name it" if run.windows else "not reached"


def _measured_by(run: RunResult) -> str:
    return "the device's own clock, over MLPerf Tiny's protocol" if run.windows else f"{run.origin}, not by edgeprof"


def _fact(name: str, value: str) -> str:
    if name.endswith("_bytes"):
        return units.size(int(value))
    return units.celsius(int(value)) if name.startswith("temp_mc") else value


def _metrics(run: RunResult) -> Table:
    numbers = ("value", "launches", "samples")
    names = ("metric", "statistic", "value", "95 % interval", *numbers[1:])
    found = table(*names, right=numbers, whole=names[:4], spare=numbers[1:])
    for estimate in estimates(run):
        if estimate.point is not None:
            name = estimate.name
            known = estimate.low is not None
            interval = units.interval(name, estimate.low, estimate.point, estimate.high) if known else ""
            counts = (str(estimate.n_launches or ""), str(estimate.n_samples or ""))
            found.add_row(name, estimate.statistic, figure(estimate), interval, *counts)
    return found


def _not_measured(run: RunResult) -> str:
    """Return the figures that are not there, what shares a reason together."""
    pairs = [
        (f"{estimate.name} {estimate.statistic}", estimate.not_measured)
        for estimate in estimates(run)
        if estimate.point is None and estimate.not_measured
    ]
    return f"not measured: {by_reason(pairs)}" if pairs else ""


def _launch_table(run: RunResult) -> Table:
    names = ["launch", "median", "fastest", "slowest", "runs", "warm-up"]
    states = [_state(state) for state in run.states] or [{} for _ in run.launches]
    wall = run.plan.clock == CLOCK_WALL
    names += ["on a core"] if wall else []
    fixed = len(names)
    seen = ("temperature", "clocks", "others", "held back", "thermal status")
    names += [name for name in seen if any(name in state for state in states)]
    found = table(*names, right=tuple(names[1:]))
    for launch, state in zip(run.launches, states, strict=False):
        ordered = (median(launch.latency_ns), min(launch.latency_ns), max(launch.latency_ns))
        shown = (units.quantity(run.plan.metric, run.plan.amount(value)) for value in ordered)
        texts = [launch.index + 1, *shown, len(launch.latency_ns), len(launch.warmup_ns)]
        texts += [_on_a_core(launch)] if wall else []
        found.add_row(*(str(text) for text in texts), *(state.get(name, "not seen") for name in names[fixed:]))
    return found


def _summary_table(run: RunResult) -> Table:
    """Return a line for each launch of a vendor's tool: its own figures."""
    names = ("launch", "median", "mean", "fastest", "slowest", "first inference", "runs", "warm-up")
    found = table(*names, right=names[1:])
    for one in run.summaries:
        times = (one.median_ns, one.mean_ns, one.min_ns, one.max_ns, one.first_inference_ns)
        counts = (str(one.runs), str(one.warmup_runs))
        found.add_row(str(one.index + 1), *(units.duration(value) for value in times), *counts)
    return found


def _on_a_core(launch: RawLaunch) -> str:
    return units.percent(launch.cpu_time_ns / launch.wall_time_ns) if launch.wall_time_ns else ""


def _state(state: State | None) -> dict[str, str]:
    """Return what was seen of a launch's conditions, by column."""
    found = {}
    if state and state.temp_mc is not None:
        found["temperature"] = units.celsius(state.temp_mc)
    if state and state.freq_khz_low is not None and state.freq_khz_high is not None:
        found["clocks"] = f"{state.freq_khz_low / 1000:.0f} … {state.freq_khz_high / 1000:.0f} MHz"
    if state and state.others_cores is not None:
        found["others"] = f"{state.others_cores:.2f} cores"
    if state and state.throttled is not None and (words := throttling_words(state.throttled)):
        found["held back"] = words
    if state and state.thermal_status is not None:
        found["thermal status"] = f"{state.thermal_status} of 6"
    return found
