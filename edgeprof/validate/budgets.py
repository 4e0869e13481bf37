"""A `[[budget]]` of a release file to its checks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean, refuse_unknown_keys
from edgeprof.validate.figures import BY_KEY, OF_SAMPLES, Figure
from edgeprof.validate.release import Check, Released
from edgeprof.validate.written import Table, quantity

_BUDGET = ("device", "artifact", "baseline", "older", "no_worse")


@dataclass(frozen=True, slots=True)
class _Limit:
    """What a figure may be at most or at least, on which set, and where that is written."""

    figure: Figure
    limit: float
    data: str | None
    line: int


@dataclass(frozen=True, slots=True)
class _Allowance:
    """How much worse than an older build a figure may be, and where that is written."""

    figure: Figure
    worse_ratio: float
    worse_by: float
    line: int


def budget_checks(table: Table, artifacts: list[Released]) -> list[Check]:
    """Return what a budget asks of each of its artifacts.

    Raises:
        UsageError: It has an unknown key, a value that is no such quantity, or needs what an artifact has not.
    """
    where, values = table.where, table.values
    refuse_unknown_keys(values, (*_BUDGET, *BY_KEY), where)
    device = table.text("device")
    if device is None:
        raise UsageError(
            f"{where} has no `device`", '`edgeprof device list` shows yours; device = "local" is this machine'
        )
    baseline, older = _before(table)
    limits = [limit for key in BY_KEY if key in values for limit in _limits(table, key)]
    allowed = [_allowance(table, key) for key in values.get("no_worse", {})]
    if not limits and not allowed:
        raise UsageError(
            f"{where} limits nothing", f'figures: {", ".join(BY_KEY)}; or no_worse = {{ latency = "5 %" }}'
        )
    found = []
    for artifact in _named(table, artifacts):
        for one in limits:
            _refuse_impossible(one, artifact, where)
            found.append(Check(artifact, device, one.figure, one.limit, data=one.data, line=one.line))
        for most in allowed:
            how = (most.figure, None, baseline, most.worse_ratio, most.worse_by, older)
            found.append(Check(artifact, device, *how, line=most.line))
    return found


def _before(table: Table) -> tuple[Path | None, Path | None]:
    """Return what `no_worse` is held against: a file of baselines, or an older build."""
    texts = (table.text("baseline"), table.text("older"))
    baseline, older = (None if text is None else table.path.parent / text for text in texts)
    worse = table.values.get("no_worse", {})
    if not isinstance(worse, dict) or (worse and (baseline is None) == (older is None)):
        hint = 'baseline = "baselines.json" for figures of an older run; older = "old.tflite" to measure it in turns'
        raise UsageError(f"{table.where}: `no_worse` needs a `baseline` or an `older` build, one of them", hint)
    if older is not None and (older.suffix != ".tflite" or not older.is_file()):
        raise UsageError(f"{table.where}: `{older}` is no older build", "name a .tflite that is there")
    return baseline, older


def _limits(table: Table, key: str) -> Iterator[_Limit]:
    """Return the limits under a key: one, or of a figure of samples one for each set that is named."""
    value, figure = table.values[key], BY_KEY[key]
    by_set = value.items() if isinstance(value, dict) and key in OF_SAMPLES else [(None, value)]
    for data, written in by_set:
        inner = () if data is None else (data,)
        limit = quantity(_written(key), written, f"{table.where}: {' '.join((key, *inner))}")
        yield _Limit(figure, limit, data, table.line(key, *inner))


def _refuse_impossible(limit: _Limit, artifact: Released, where: str) -> None:
    """Refuse a limit on something that is not measured of this artifact."""
    key, sets = limit.figure.key, (*(name for name, _ in artifact.evaluations), *artifact.corruptions)
    if key in OF_SAMPLES and not sets:
        raise UsageError(f"{where}: `{key}` needs samples", f"add `eval` to `{artifact.name}`")
    if limit.data is not None and limit.data not in sets:
        hint = did_you_mean(limit.data, sets) + f"`{artifact.name}` has {', '.join(sets)}"
        raise UsageError(f"{where}: `{key}` is about an unknown set `{limit.data}`", hint)
    if key == "score" and not artifact.metrics:
        hint = f'add metric = "metrics.py:name" to `{artifact.name}`'
        raise UsageError(f"{where}: `score` is that of a `metric`, and there is none", hint)
    if key == "missed" and artifact.rate_hz is None:
        raise UsageError(f"{where}: `missed` needs a rate", f'add rate = "30 Hz" to `{artifact.name}`')
    if key == "missed" and not 0 < limit.limit < 1:
        raise UsageError(f"{where}: `missed` is a share above 0 and below 1", 'such as missed = "1 %"')


def _named(table: Table, artifacts: list[Released]) -> list[Released]:
    wanted = table.text("artifact")
    names = [artifact.name for artifact in artifacts]
    if wanted is not None and wanted not in names:
        hint = did_you_mean(wanted, names) + f"known: {', '.join(names)}"
        raise UsageError(f"{table.where}: unknown artifact `{wanted}`", hint)
    return [artifact for artifact in artifacts if wanted in (None, artifact.name)]


def _written(key: str) -> str:
    """Return the metric in whose unit a limit is written: that of misses is a share, though a latency is measured."""
    return "missed_ratio" if key == "missed" else BY_KEY[key].metric


def _allowance(table: Table, key: str) -> _Allowance:
    """Return what `"5 %"`, or `{ by = "5 %", floor = "20 µs" }`, allows."""
    known = [figure.key for figure in BY_KEY.values() if figure.in_turns]
    if key not in known:
        hint = did_you_mean(key, known) + f"a baseline holds {', '.join(known)}"
        raise UsageError(f"{table.where}: `no_worse` cannot hold `{key}`", hint)
    value, where = table.values["no_worse"][key], f"{table.where}: no_worse.{key}"
    line, figure = table.line("no_worse", key), BY_KEY[key]
    if not isinstance(value, dict):
        return _Allowance(figure, quantity("worse_ratio", value, where), 0.0, line)
    refuse_unknown_keys(value, ("by", "floor"), f"no_worse.{key} of {table.where}")
    floor = quantity(figure.metric, value["floor"], where) if "floor" in value else 0.0
    return _Allowance(figure, quantity("worse_ratio", value.get("by", 0), where), floor, line)
