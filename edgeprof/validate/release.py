"""`release.toml`: what is released, on which devices, and what it may cost there."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof import units
from edgeprof.errors import UsageError
from edgeprof.targets import did_you_mean, refuse_unknown_keys
from edgeprof.validate.figures import BY_KEY, OF_SAMPLES, Figure

LAUNCHES = 10
_MOST = 500
_TOP = ("launches", "artifact", "budget")
_ARTIFACT = ("name", "file", "recipe", "calibration", "preprocess", "eval", "threads", "cpus", "runtime", "rate")
_BUDGET = ("device", "artifact", "baseline", "older", "no_worse")


@dataclass(frozen=True, slots=True)
class Released:
    """A model to be released.

    Attributes:
        name: What it is called in verdicts.
        file: A Keras model or a `.tflite`.
        recipe: How a Keras model is compressed, or `None`.
        calibration: Data for that, or `None`.
        preprocessing: How a folder of images becomes inputs, or `None`.
        evaluation: Samples with labels, or `None`.
        threads: Of the runtime.
        cpus: Cores, as `profile --cpus` takes them.
        runtime: Its name, or `None` for whichever fits.
        rate_hz: Runs a second, each timed from when it was due; `None` for back to back.
    """

    name: str
    file: Path
    recipe: str | None = None
    calibration: Path | None = None
    preprocessing: str | None = None
    evaluation: Path | None = None
    threads: int = 1
    cpus: str = "all"
    runtime: str | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a gate: a figure of an artifact on a device, and what it is held against.

    Attributes:
        artifact: Whose.
        device: Where.
        figure: Which.
        limit: The most, or for a floor the least, in the figure's unit; `None` for a baseline.
        baseline: The file that holds the older run, or `None`.
        worse_ratio: How much worse than the baseline it may be.
        worse_by: A difference up to this, in the figure's unit, is never too much.
        older: The older build, a `.tflite` that is measured in turns with this one; or `None`.
    """

    artifact: Released
    device: str
    figure: Figure
    limit: float | None = None
    baseline: Path | None = None
    worse_ratio: float = 0.0
    worse_by: float = 0.0
    older: Path | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A release file, read.

    Attributes:
        path: Where it lies; its paths are relative to its folder.
        launches: Fresh processes in the first stage; the second has twice as many.
        checks: All of them.
    """

    path: Path
    launches: int
    checks: tuple[Check, ...]


def load_release(path: Path) -> Release:
    """Return a release file's checks.

    Raises:
        UsageError: It cannot be read, has an unknown key, or a value that is no such quantity; the message says which.
    """
    table = _read(path)
    refuse_unknown_keys(table, _TOP, f"`{path}`")
    launches = _number(table.get("launches", LAUNCHES), f"`{path}`: launches", least=2)
    artifacts = [_artifact(part, path) for part in _tables(table, "artifact", path)]
    names = [artifact.name for artifact in artifacts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"`{path}` has two artifacts called `{twice}`", "give each a `name`")
    checks = tuple(check for part in _tables(table, "budget", path) for check in _checks(part, artifacts, path))
    return Release(path, launches, checks)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        hint = "docs/release-gate.md shows what it holds; name another as `edgeprof validate FILE`"
        raise UsageError(f"cannot read the release file `{path}`: {exc.strerror}", hint) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"`{path}` is not TOML: {exc}", "docs/release-gate.md shows what it holds") from exc


def _tables(table: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    found = table.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(part, dict) for part in found):
        raise UsageError(f"`{path}` has no [[{key}]]", f"it needs at least one table [[{key}]]")
    return found


def _artifact(table: dict[str, Any], path: Path) -> Released:
    where = f"an [[artifact]] of `{path}`"
    refuse_unknown_keys(table, _ARTIFACT, where)
    texts = {key: _text(table, key, where) for key in _ARTIFACT if key not in ("threads", "rate")}
    if texts["file"] is None:
        raise UsageError(f"{where} has no `file`", 'such as file = "model.tflite"')
    file, *data = (_path(texts[key], path) for key in ("file", "calibration", "eval"))
    for there in (file, *data):
        if there is not None and not there.exists():
            raise UsageError(f"{where}: there is no `{there}`", "paths are relative to the release file's folder")
    return Released(
        name=texts["name"] or " ".join(part for part in (Path(texts["file"]).stem, texts["recipe"]) if part),
        file=path.parent / texts["file"],
        recipe=texts["recipe"],
        calibration=data[0],
        preprocessing=texts["preprocess"],
        evaluation=data[1],
        threads=_number(table.get("threads", 1), f"{where}: threads", least=1),
        cpus=texts["cpus"] or "all",
        runtime=texts["runtime"],
        rate_hz=None if "rate" not in table else _quantity("rate_hz", table["rate"], where),
    )


def _checks(table: dict[str, Any], artifacts: list[Released], path: Path) -> list[Check]:
    where = f"a [[budget]] of `{path}`"
    refuse_unknown_keys(table, (*_BUDGET, *BY_KEY), where)
    device = _text(table, "device", where)
    if device is None:
        raise UsageError(
            f"{where} has no `device`", '`edgeprof device list` shows yours; device = "local" is this machine'
        )
    baseline, older = (_path(_text(table, key, where), path) for key in ("baseline", "older"))
    worse = table.get("no_worse", {})
    if not isinstance(worse, dict) or (worse and (baseline is None) == (older is None)):
        hint = 'baseline = "baselines.json" for figures of an older run; older = "old.tflite" to measure it in turns'
        raise UsageError(f"{where}: `no_worse` needs a `baseline` or an `older` build, one of them", hint)
    if older is not None and (older.suffix != ".tflite" or not older.is_file()):
        raise UsageError(f"{where}: `{older}` is no older build", "name a .tflite that is there")
    limits = [(BY_KEY[key], _quantity(_written(key), table[key], where)) for key in BY_KEY if key in table]
    allowed = [(_worse_figure(key, where), _allowance(key, value, where)) for key, value in worse.items()]
    if not limits and not allowed:
        raise UsageError(
            f"{where} limits nothing", f'figures: {", ".join(BY_KEY)}; or no_worse = {{ latency = "5 %" }}'
        )
    found = []
    for artifact in _named(table, artifacts, where):
        found += [Check(artifact, device, figure, limit) for figure, limit in limits]
        found += [Check(artifact, device, figure, None, baseline, *most, older) for figure, most in allowed]
    for check in found:
        if check.figure.key in OF_SAMPLES and check.artifact.evaluation is None:
            raise UsageError(f"{where}: `{check.figure.key}` needs samples", f"add `eval` to `{check.artifact.name}`")
        if check.figure.key == "missed" and check.artifact.rate_hz is None:
            raise UsageError(f"{where}: `missed` needs a rate", f'add rate = "30 Hz" to `{check.artifact.name}`')
        if check.figure.key == "missed" and not 0 < (check.limit or 0) < 1:
            raise UsageError(f"{where}: `missed` is a share above 0 and below 1", 'such as missed = "1 %"')
    return found


def _named(table: dict[str, Any], artifacts: list[Released], where: str) -> list[Released]:
    wanted = _text(table, "artifact", where)
    names = [artifact.name for artifact in artifacts]
    if wanted is not None and wanted not in names:
        raise UsageError(
            f"{where}: unknown artifact `{wanted}`", did_you_mean(wanted, names) + f"known: {', '.join(names)}"
        )
    return [artifact for artifact in artifacts if wanted in (None, artifact.name)]


def _written(key: str) -> str:
    """Return the metric in whose unit a limit is written: that of misses is a share, though a latency is measured."""
    return "missed_ratio" if key == "missed" else BY_KEY[key].metric


def _worse_figure(key: str, where: str) -> Figure:
    known = [figure.key for figure in BY_KEY.values() if figure.in_turns]
    if key not in known:
        hint = did_you_mean(key, known) + f"a baseline holds {', '.join(known)}"
        raise UsageError(f"{where}: `no_worse` cannot hold `{key}`", hint)
    return BY_KEY[key]


def _allowance(key: str, value: object, where: str) -> tuple[float, float]:
    """Return `"5 %"`, or `{ by = "5 %", floor = "20 µs" }`, as a ratio and a difference."""
    if not isinstance(value, dict):
        return _quantity("worse_ratio", value, f"{where}: no_worse.{key}"), 0.0
    refuse_unknown_keys(value, ("by", "floor"), f"no_worse.{key} in {where}")
    ratio = _quantity("worse_ratio", value.get("by", 0), f"{where}: no_worse.{key}")
    metric = BY_KEY[key].metric
    return ratio, _quantity(metric, value["floor"], f"{where}: no_worse.{key}") if "floor" in value else 0.0


def _quantity(metric: str, value: object, where: str) -> float:
    try:
        number = units.parse(metric, value if isinstance(value, str | int | float) else str(value))
    except ValueError as exc:
        raise UsageError(f"{where}: {exc}", "docs/release-gate.md lists the figures with their units") from exc
    if number < 0 or (metric.endswith(("_ns", "_bytes", "_instructions")) and number == 0):
        raise UsageError(f"{where}: `{value}` is no limit", "a limit is above 0")
    return number


def _number(value: object, where: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
        raise UsageError(f"{where} = {value!r} is out of range", f"a whole number from {least} to {_MOST}")
    return value


def _text(table: dict[str, Any], key: str, where: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: `{key}` must be text", f'such as {key} = "{value}"')
    return value


def _path(text: str | None, release: Path) -> Path | None:
    return None if text is None else release.parent / text
