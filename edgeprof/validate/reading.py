"""`release.toml` to a release."""

from pathlib import Path

from edgeprof.accuracy import parse_corruption
from edgeprof.accuracy.evaluation import DEFAULT_NAME
from edgeprof.accuracy.tasks import check_metric, is_function
from edgeprof.boards import wishes
from edgeprof.compress.sampling import EVEN, Sampling
from edgeprof.errors import UsageError
from edgeprof.names import refuse_unknown_keys
from edgeprof.validate.budgets import budget_checks
from edgeprof.validate.release import Release, Released
from edgeprof.validate.written import Table, quantity, read

LAUNCHES = 10
_TOP = ("launches", "artifact", "budget")
_ARTIFACT = (
    "name", "file", "recipe", "calibration", "calibration_samples", "calibration_choice", "seed", "train", "preprocess",
    "eval", "corrupt", "metric", "threads", "cpus", "runtime", "rate", "pin_clocks", "pin_mhz", "power_mode",
)  # fmt: skip


def load_release(path: Path) -> Release:
    """Return a release file's checks.

    Raises:
        UsageError: It cannot be read, has an unknown key, or a value that is no such quantity; the message says which.
    """
    table = read(path)
    refuse_unknown_keys(table.values, _TOP, table.where)
    launches = table.number("launches", LAUNCHES, least=2)
    artifacts = [_artifact(part) for part in table.tables("artifact")]
    names = [artifact.name for artifact in artifacts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"`{path}` has two artifacts called `{twice}`", "give each a `name`")
    checks = tuple(check for part in table.tables("budget") for check in budget_checks(part, artifacts))
    return Release(path, launches, checks)


def _artifact(table: Table) -> Released:
    refuse_unknown_keys(table.values, _ARTIFACT, table.where)
    file, recipe = table.text("file"), table.text("recipe")
    if file is None:
        raise UsageError(f"{table.where} has no `file`", 'such as file = "model.tflite"')
    evaluations = _evaluations(table)
    if table.values.get("corrupt") and not evaluations:
        raise UsageError(f"{table.where}: `corrupt` needs samples to spoil", 'add eval = "test.npz"')
    return Released(
        name=table.text("name") or " ".join(part for part in (Path(file).stem, recipe) if part),
        file=table.there(file),
        recipe=recipe,
        calibration=table.file("calibration"),
        sampling=_sampling(table),
        preprocessing=table.text("preprocess"),
        evaluations=evaluations,
        threads=table.number("threads", 1, least=1),
        cpus=table.text("cpus") or "all",
        runtime=table.text("runtime"),
        rate_hz=quantity("rate_hz", table.values["rate"], table.where) if "rate" in table.values else None,
        corruptions=_corruptions(table),
        metrics=tuple(_metric(name, table) for name in table.texts("metric")),
        train=table.file("train"),
        pin_clocks=_pinned(table),
        power_mode=_power_mode(table),
    )


def _sampling(table: Table) -> Sampling:
    """Return which calibration samples are used, as `compress --calibration-samples` and its like have it."""
    asked, most = "calibration_samples" in table.values, 2**31
    count = table.number("calibration_samples", 1, least=1, most=most) if asked else None
    found = Sampling(count, table.text("calibration_choice") or EVEN, table.number("seed", 0, least=0, most=most))
    try:
        found.check()
    except UsageError as exc:
        raise UsageError(f"{table.where}: {exc.message}", exc.hint) from exc
    if found.chosen and "calibration" not in table.values:
        raise UsageError(
            f"{table.where}: calibration samples are to be chosen, and there are none", 'add calibration = "calib.npz"'
        )
    return found


def _evaluations(table: Table) -> tuple[tuple[str, Path], ...]:
    """Return the sets of `eval = "test.npz"`, or of `eval = { clean = "test.npz", night = "night.npz" }`."""
    named = table.values.get("eval")
    if not isinstance(named, dict):
        file = table.file("eval")
        return () if file is None else ((DEFAULT_NAME, file),)
    if not named or not all(name and isinstance(file, str) for name, file in named.items()):
        hint = 'eval = { clean = "test.npz", night = "night.npz" }'
        raise UsageError(f"{table.where}: `eval` must be a file, or files by name", hint)
    return tuple((name, table.there(file)) for name, file in named.items())


def _corruptions(table: Table) -> tuple[str, ...]:
    """Return the sets that `corrupt` makes of the first, by the names that they have."""
    ways = [way for text in table.texts("corrupt") for way in parse_corruption(text)]
    return tuple(dict.fromkeys(f"{name}:{severity}" for name, severity in ways))


def _pinned(table: Table) -> str | None:
    """Return what `pin_clocks = true`, `pin_mhz = 1500` or `pin_mhz = ["big=1800", "little=1200"]` asks for."""
    pin = table.values.get("pin_clocks", False)
    if not isinstance(pin, bool):
        raise UsageError(f"{table.where}: `pin_clocks` must be true or false", "a clock is `pin_mhz = 1500`")
    try:
        return wishes(pin, table.words("pin_mhz"))
    except UsageError as exc:
        raise UsageError(f"{table.where}: {exc.message.replace('--pin-mhz', '`pin_mhz`')}", exc.hint) from exc


def _power_mode(table: Table) -> str | None:
    found = table.words("power_mode")
    if len(found) > 1:
        raise UsageError(f"{table.where}: `power_mode` names {len(found)} modes", "a board is in one")
    return next(iter(found), None)


def _metric(name: str, table: Table) -> str:
    check_metric(name)
    if not is_function(name):
        return name
    file, _, function = name.rpartition(":")
    return f"{table.there(file)}:{function}"
