"""Cells of devices that tell windows of runs only, as MLPerf Tiny's firmwares do."""

from collections.abc import Sequence

from rich.table import Table

from edgeprof import units
from edgeprof.metrics import estimates
from edgeprof.records import RunResult
from edgeprof.report.accuracy import accuracy_heading, headline_texts
from edgeprof.report.text import plain, table


def windows_table(runs: Sequence[RunResult]) -> Table:
    """Return a line a cell: the median of its windows' means, and between which those lie."""
    heads = ("device", "model", "recipe", "size ↓", "latency (mean) ↓", "lowest … highest window")
    accuracy = accuracy_heading(runs)
    found = table(*heads, accuracy, "drop ↓", right=(*heads[3:], accuracy, "drop ↓"))
    for run in runs:
        by_name = {e.statistic: e.point for e in estimates(run) if e.name == "latency_ns"}
        ends = " … ".join(units.duration(by_name[end]) for end in ("window_low", "window_high"))
        artifact = run.artifact
        texts = (run.device, artifact.model, artifact.recipe, units.size(artifact.size_bytes))
        found.add_row(*(plain(text) for text in (*texts, units.duration(by_name["mean"]), ends, *headline_texts(run))))
    return found


def windows_conditions(run: RunResult) -> str:
    """Return under which conditions a cell was measured, as a sentence."""
    windows, said = run.windows, dict(run.environment)
    firmware = " ".join(said[name] for name in ("vendor", "firmware", "firmware_model") if name in said)
    longest = units.duration(max(window.elapsed_ns for window in windows))
    text = f"{len(windows)} windows of {windows[0].runs} runs, up to {longest}; firmware: {firmware or 'unnamed'}"
    step = units.duration(windows[-1].resolution_ns)
    return f"{text}; timed by the device, whose clock was seen to move in steps of {step}; one start of it, no interval"
