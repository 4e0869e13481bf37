"""What a page shows of runs, as values its template only has to lay out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

from markupsafe import Markup

from edgeprof import units
from edgeprof.metrics import estimates
from edgeprof.records import CLOCK_INSTRUCTIONS, ORIGIN, Estimate, RunResult, Warning_
from edgeprof.report.missing import unseen_states
from edgeprof.report.modelfile import file_text
from edgeprof.report.names import cell_name
from edgeprof.report.ops import amount_text, method, not_measured, op_names, shares
from edgeprof.report.words import metric_words, reason_words


@dataclass(frozen=True, slots=True)
class Value:
    """A figure in a table.

    Attributes:
        text: As people read it.
        sort: What it is sorted by; `None` where it was not measured.
        note: Its interval, or the reason for which there is none; may be empty.
        warnings: Codes of what may spoil it.
    """

    text: str
    sort: float | None
    note: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """A line of a run's table of figures."""

    name: str
    statistic: str
    value: Value
    counts: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with what must stand beside it.

    Attributes:
        title: What it shows.
        chart: The drawing.
        caption: How to read it.
        conditions: What it was measured on and how.
        warnings: What may spoil it.
    """

    title: str
    chart: Markup
    caption: str
    conditions: str
    warnings: tuple[Warning_, ...]


@dataclass(frozen=True, slots=True)
class OpRow:
    """A line of the table of operators."""

    share: Value
    amount: Value
    names: tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Ops:
    """The operators of a run, the costliest first.

    Attributes:
        rows: At most as many as fit.
        hidden: How many more there are.
        method: How they were measured.
        reason: Why there are none, or empty.
        warnings: What may spoil them.
    """

    rows: tuple[OpRow, ...]
    hidden: int
    method: str
    reason: str
    warnings: tuple[Warning_, ...]


# Columns of the summary: name, statistic, heading; a metric that no run has leaves no column.
_COLUMNS = (
    ("latency_ns", "median", "latency (median)"),
    ("guest_instructions", "median", "instructions (median)"),
    ("latency_ns", "p90", "p90"),
    ("first_inference_ns", "median", "first inference"),
    ("peak_rss_bytes", "median", "peak RSS"),
    ("energy_per_inference_uj", "mean", "energy / inference"),
    ("power_mw", "mean", "power"),
    ("top1_ratio", "share", "top-1"),
    ("mae", "mean", "mean absolute error"),
    ("iou_ratio", "macro", "IoU"),
    ("drop_points", "difference", "drop"),
    ("mae_loss", "difference", "worse by"),
    ("iou_drop_points", "difference", "drop of IoU"),
    ("float_model_agreement_ratio", "share", "agreement with the float model"),
)
_ARROWS = {"higher": " ↑", "lower": " ↓"}


def name(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return what tells a run from the others on the page; its first digits where nothing else does."""
    names = [cell_name(other, runs) for other in runs]
    own = cell_name(run, runs)
    return own if names.count(own) == 1 else f"{own} {run.run_id[:4]}"


def conditions(run: RunResult) -> str:
    """Return in a line what a figure was measured on and how."""
    plan, runtime = run.plan, run.runtime
    pace = "back-to-back" if plan.rate_hz is None else f"{plan.rate_hz:g} Hz"
    cores = "" if plan.cpus == "all" else f" on cores {plan.cpus}"
    samples = sum(len(launch.latency_ns) for launch in run.launches)
    parts = [
        run.device,
        f"{runtime.name} {runtime.version} ({runtime.delegate})" if runtime else "runtime not reached",
        f"{plan.accelerator.upper()} only, {plan.threads} thread{'s' if plan.threads > 1 else ''}{cores}",
        f"{pace}, in turns with others" if run.group else pace,
        f"{len(run.launches)} launches, {samples:,} runs",
    ]
    if plan.clock == CLOCK_INSTRUCTIONS:
        parts.append("counted instructions of a virtual board: no latency")
    return " · ".join(parts)


def facts(run: RunResult) -> list[tuple[str, str]]:
    """Return every condition of a run, as pairs for people."""
    artifact, runtime = run.artifact, run.runtime
    pairs = [
        ("run", f"{run.run_id}, {run.status}"),
        ("measured", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.created_unix_s))),
        ("artifact", f"{artifact.model} {artifact.recipe}, {units.size(artifact.size_bytes)}"),
        *((("model's file", text),) if (text := file_text(run)) else ()),
        ("sha256", artifact.sha256),
        ("device", f"{run.device}, {run.target or 'no target given'}"),
        ("runtime", f"{runtime.name} {runtime.version}, {runtime.delegate}" if runtime else "not reached"),
        ("library", runtime.library_sha256 if runtime else "not reached"),
        ("accelerator", run.plan.accelerator),
        ("threads, cores", f"{run.plan.threads}, {run.plan.cpus}"),
        ("golden vectors", _golden(run)),
        *((key.replace("_", " "), _fact(key, value)) for key, value in run.environment),
    ]
    if run.origin != ORIGIN:
        pairs.insert(0, ("measured by", f"{run.origin}, not by edgeprof"))
    return pairs if run.failure is None else [("failed", run.failure), *pairs]


def metrics(run: RunResult) -> tuple[list[Metric], list[tuple[str, str]]]:
    """Return the figures that were measured; and those that were not, by reason."""
    shown: list[Metric] = []
    reasons: dict[str, list[str]] = {}
    found = estimates(run)
    measured = {estimate.name for estimate in found if estimate.point is not None}
    for estimate in found:
        words = metric_words(estimate.name)
        if estimate.point is None:
            which = f"{words} ({estimate.statistic})" if estimate.name in measured else words
            reasons.setdefault(reason_words(estimate.not_measured), []).append(which)
            continue
        counts = f"{estimate.n_samples:,} from {estimate.n_launches}"
        shown.append(Metric(words, estimate.statistic, value(estimate, run), counts))
    if run.op_profile is None:
        reasons.setdefault(reason_words(not_measured(run)), []).append("time by operator")
    for words, reason in unseen_states(run):
        reasons.setdefault(reason_words(reason), []).append(words)
    if not run.sustained:
        reasons.setdefault(reason_words(dict(run.not_measured).get("sustained", "not_asked")), []).append("a long run")
    return shown, [(reason, ", ".join(dict.fromkeys(names))) for reason, names in reasons.items()]


def value(estimate: Estimate, run: RunResult) -> Value:
    """Return an estimate as a figure with its interval and what may spoil it."""
    codes = tuple(dict.fromkeys(w.code for w in run.warnings if estimate.name in w.spoils))
    if estimate.point is None:
        return Value("not measured", None, reason_words(estimate.not_measured))
    note = ""
    if estimate.low is not None and estimate.high is not None:
        ends = (units.quantity(estimate.name, end) for end in (estimate.low, estimate.high))
        note = "all alike" if isclose(estimate.low, estimate.high) else unbroken(" … ".join(ends))
    return Value(units.quantity(estimate.name, estimate.point), estimate.point, note, codes)


def unbroken(text: str) -> str:
    """Return an interval that a narrow column breaks before its second end, and nowhere else."""
    return text.replace(" ", "\u00a0").replace("\u00a0…", " …")


def summary(runs: Sequence[RunResult]) -> tuple[list[str], list[list[Value]]]:
    """Return the headings and the rows of the summary, without its first column."""
    found = [{(e.name, e.statistic): e for e in estimates(run)} for run in runs]
    wanted = [
        column
        for column in _COLUMNS
        if any((e := by_name.get(column[:2])) is not None and e.point is not None for by_name in found)
    ]
    rows = []
    for run, by_name in zip(runs, found, strict=True):
        row = [Value(units.size(run.artifact.size_bytes), run.artifact.size_bytes)]
        row += [_cell(by_name.get((metric, statistic)), run) for metric, statistic, _ in wanted]
        rows.append(row)
    better = {key: estimate.better for by_name in found for key, estimate in by_name.items()}
    return ["size ↓", *(f"{heading}{_ARROWS.get(better[key[0], key[1]] or '', '')}" for *key, heading in wanted)], rows


def ops(run: RunResult, most: int) -> Ops:
    """Return the `most` costliest operators of a run and the rest, or why there are none."""
    found = shares(run)
    about = spoiling(run, "ops")
    if found is None:
        return Ops((), 0, "", reason_words(not_measured(run)), about)
    ordered = sorted(found.rows, key=lambda row: -(row.amount or 0))
    rows = tuple(
        OpRow(
            Value("" if row.share_ratio is None else units.percent(row.share_ratio), row.share_ratio),
            Value(amount_text(row, run.plan), row.amount),
            op_names(row.op),
        )
        for row in ordered[:most]
    )
    return Ops(rows, len(ordered) - len(rows), method(found, run.plan), "", about)


def spoiling(run: RunResult, *metrics: str) -> tuple[Warning_, ...]:
    """Return the warnings about any of the metrics, and those about the run as a whole."""
    return tuple(w for w in run.warnings if not w.spoils or set(w.spoils) & set(metrics))


def _cell(estimate: Estimate | None, run: RunResult) -> Value:
    if estimate is None:
        counted = run.plan.clock == CLOCK_INSTRUCTIONS
        return Value("not measured", None, "clock counts instructions" if counted else "no such metric")
    return value(estimate, run)


def _golden(run: RunResult) -> str:
    if run.golden is None:
        return "not checked"
    return f"{'agree' if run.golden.passed else 'DIFFER'}, largest error {run.golden.max_error:g}"


def _fact(key: str, text: str) -> str:
    if key.endswith("_bytes"):
        return units.size(int(text))
    return units.celsius(int(text)) if key.startswith("temp_mc") else text
