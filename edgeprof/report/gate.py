"""A gate's verdicts, for people, as Markdown and as JSON."""

import math
from collections.abc import Sequence

from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write
from edgeprof.report.words import reason_words
from edgeprof.units import percent
from edgeprof.validate import GateResult, Verdict
from edgeprof.validate.verdicts import shown

_OBEYED = r"\`*_{}[]<>()#+!|~&"
_COLUMNS = ("verdict", "device", "artifact", "figure", "value", "interval", "limit")


def print_gate(result: GateResult, whole: str, *, as_json: bool) -> None:
    """Print a gate, each check with its value, interval and limit; `whole` is the verdict on all."""
    if as_json:
        write(gate_document(result, whole))
        return
    out = console()
    found = table(*_COLUMNS, right=("value", "interval", "limit"))
    for verdict in result.verdicts:
        found.add_row(*(plain(text) for text in _row(verdict)))
    out.print(found)
    for verdict in result.verdicts:
        for line in notes(verdict):
            out.print(plain(line))
    out.print(plain(summary(result, whole)))


def summary(result: GateResult, whole: str) -> str:
    """Return the whole gate in a line."""
    kinds = [one.verdict for one in result.verdicts]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("pass", "fail", "inconclusive") if kind in kinds)
    runs = ", ".join(run.run_id for run in result.runs)
    chance = "that any of these verdicts is wrong has a chance of at most 1 %"
    return f"{whole.upper()}: {counts}; {chance}; runs: {runs or 'none'}"


def title(verdict: Verdict) -> str:
    """Return what a check is about: artifact, device and figure."""
    return f"{verdict.check.artifact.name} on {verdict.check.device}: {figure_name(verdict)}"


def figure_name(verdict: Verdict) -> str:
    """Return a figure's name, and whether it is held against a baseline."""
    check = verdict.check
    if check.baseline is not None or check.older is not None:
        return f"{check.figure.key} against the {'baseline' if check.older is None else 'older build'}"
    if check.figure.key == "missed":
        return f"{check.figure.key} {percent(check.limit)}"
    return check.figure.key if check.data is None else f"{check.figure.key} on {check.data}"


def sentence(verdict: Verdict) -> str:
    """Return a verdict in a line: value, interval, limit, or why there is none."""
    if verdict.value is None:
        return f"not measured: {_reason(verdict)}"
    _, _, _, _, value, interval, limit = _row(verdict)
    sure = f", {verdict.confidence * 100:g} %" if " … " in interval else ""
    between = f" ({interval or 'no interval'}{sure})"
    reason = f"; {_reason(verdict)}" if verdict.reason else ""
    return f"{value}{between}; limit {limit}; n = {verdict.n}{reason}"


def notes(verdict: Verdict) -> list[str]:
    """Return what must be said beside a verdict: why nothing was measured, what the first stage said, warnings."""
    lines = []
    if verdict.reason:
        lines.append(f"{title(verdict)}: {_reason(verdict)}")
    if verdict.first:
        lines.append(f"{title(verdict)}: measured twice; at first {verdict.first.verdict}, {sentence(verdict.first)}")
    if verdict.verdict == "inconclusive" and verdict.value is not None and not verdict.sampled:
        lines.append(f"{title(verdict)}: {verdict.n} samples do not tell: a larger evaluation set would")
    if verdict.warnings:
        lines.append(f"warning: {title(verdict)}: may be spoiled by {', '.join(verdict.warnings)}")
    return lines


def markdown(result: GateResult, whole: str) -> str:
    """Return a gate as Markdown, such as for a job's summary or a comment on a change."""
    lines = [f"### edgeprof: {whole.upper()}", "", _markdown_row(_COLUMNS), "|---" * len(_COLUMNS) + "|"]
    lines += [_markdown_row(_row(verdict)) for verdict in result.verdicts]
    lines += ["", *(f"- {_escaped(line)}" for verdict in result.verdicts for line in notes(verdict))]
    return "\n".join([*lines, "", _escaped(summary(result, whole)), ""])


def gate_document(result: GateResult, whole: str) -> str:
    """Return a gate as the JSON that schema.json describes."""
    items = [verdict_item(verdict) for verdict in result.verdicts]
    errors = [{"error": error.message, "hint": error.hint} for error in result.errors]
    return document("gate", items, verdict=whole, runs=[run.run_id for run in result.runs], errors=errors)


def verdict_item(verdict: Verdict) -> dict[str, object]:
    """Return a verdict; what the first measurement said stands in `first`."""
    names = ("verdict", "metric", "value", "low", "high", "limit", "confidence", "n", "run_id", "reason")
    return {
        "artifact": verdict.check.artifact.name,
        "device": verdict.check.device,
        "figure": verdict.check.figure.key,
        "data": verdict.check.data,
        "line": verdict.check.line,
        "baseline": None if verdict.check.baseline is None else str(verdict.check.baseline),
        "older": None if verdict.check.older is None else str(verdict.check.older),
        **{name: getattr(verdict, name) for name in names},
        "warnings": list(verdict.warnings),
        "first": None if verdict.first is None else verdict_item(verdict.first),
    }


def _row(verdict: Verdict) -> tuple[str, ...]:
    value = shown(verdict, verdict.value) or "not measured"
    interval = _between(verdict)
    limit = (
        f"{'≥' if verdict.check.figure.floor else '≤'} {shown(verdict, verdict.limit)}"
        if verdict.limit is not None
        else ""
    )
    check = verdict.check
    return verdict.verdict.upper(), check.device, check.artifact.name, figure_name(verdict), value, interval, limit


def _between(verdict: Verdict) -> str:
    """Return the interval; where all launches agree it has no width, which is not to know exactly."""
    if verdict.low is None or verdict.high is None:
        return ""
    if math.isclose(verdict.low, verdict.high):
        return f"alike in all {verdict.n}" if verdict.sampled else "exact"
    return f"{shown(verdict, verdict.low)} … {shown(verdict, verdict.high)}"


def _reason(verdict: Verdict) -> str:
    reason = verdict.reason or ""
    return reason if " " in reason else reason_words(reason)


def _markdown_row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(text) for text in texts)} |"


def _escaped(text: str) -> str:
    """Return text in which Markdown and HTML find nothing to obey."""
    printable = (char if char.isprintable() else "?" for char in text)
    return "".join(f"\\{char}" if char in _OBEYED else char for char in printable)
