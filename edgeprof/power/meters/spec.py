"""What a meter can measure: from a TOML, or known of a kind; and which boards it therefore cannot."""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean, refuse_unknown_keys
from edgeprof.units import micro, ms_to_ns, percent, seconds_to_ns, volts

KINDS = ("serial", "ppk2", "joulescope")
QUANTITIES = {"voltage": ("V", "mV", "µV"), "current": ("A", "mA", "µA", "nA"), "power": ("W", "mW", "µW")}
_COVERS = ("board", "part")
# A supply further than this from what a board is fed with is another supply.
_SUPPLY_RATIO = 0.10
# Instants closer together than this show all that a board's capacitors let through.
_DENSE_NS = 100_000
_TOP = ("kind", "name", "covers", "port", "supply_v")
_LIMITS = ("rate_hz", "averaging_ms", "latency_ms", "min_voltage_v", "max_voltage_v", "max_current_a")
_LINES = ("baud", "line", "columns", "separator", "units", "start", "stop")
_DEFAULT_LATENCY_MS = 20.0


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How a meter that prints numbers prints them.

    Attributes:
        pattern: A line, with groups named as in `QUANTITIES`.
        units: Pairs of quantity and unit.
        baud: Its speed.
        start: What to send it to begin, or nothing.
        stop: What to send it to end, or nothing.
    """

    pattern: str
    units: tuple[tuple[str, str], ...]
    baud: int = 115_200
    start: str = ""
    stop: str = ""


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """A meter and its limits.

    Attributes:
        kind: One of `KINDS`.
        name: For people; part of a result's conditions.
        covers: `board` or `part`, as of a rail.
        port: Where it is, or empty where it is found by itself.
        supply_uv: The voltage that it passes on, where somebody said so.
        period_ns: Between two readings.
        averaging_ns: Each reading is the mean over so long before it.
        latency_ns: A reading may arrive so much later than what it is of.
        min_uv: The lowest voltage that it can measure or pass on.
        max_uv: The highest.
        max_ua: The highest current.
        lines: How it prints, for `serial`.
    """

    kind: str
    name: str
    covers: str = "board"
    port: str = ""
    supply_uv: int | None = None
    period_ns: int = ms_to_ns(10)
    averaging_ns: int = ms_to_ns(10)
    latency_ns: int = ms_to_ns(_DEFAULT_LATENCY_MS)
    min_uv: int = 0
    max_uv: int = 0
    max_ua: int = 0
    lines: LineFormat | None = None

    @property
    def says_voltage(self) -> bool:
        """Return whether it measures voltage, or power itself."""
        quantities = {name for name, _ in self.lines.units} if self.lines else set()
        return self.kind == "joulescope" or bool(quantities & {"voltage", "power"})


# A PPK2 passes on 0.8 to 5 V (`vdd_low`, `vdd_high` in ppk2-api 0.9.2) and 1 A (Nordic, "Power Profiler Kit II",
# product brief); it samples 100,000 times a second, of which 1,000 make a reading here.
PPK2 = MeterSpec("ppk2", "PPK2", min_uv=micro(0.8, "V"), max_uv=micro(5, "V"), max_ua=micro(1, "A"))
# The narrower of JS110 and JS220: range 15 V, and 10 A for moments. Source: forum.joulescope.com/t/175.
JOULESCOPE = MeterSpec(
    "joulescope",
    "Joulescope",
    period_ns=ms_to_ns(20),
    averaging_ns=ms_to_ns(20),
    max_uv=micro(15, "V"),
    max_ua=micro(10, "A"),
)


def find_meter(argument: str) -> MeterSpec:
    """Return the meter that `--meter` names: a TOML, `ppk2:PORT` or `joulescope`.

    Raises:
        UsageError: There is no such kind or file, or the file does not say what it must.
    """
    kind, _, port = argument.partition(":")
    if kind == "ppk2" and port:
        return replace(PPK2, port=port)
    if argument == "joulescope":
        return JOULESCOPE
    path = Path(argument)
    if path.suffix != ".toml" or not path.is_file():
        hint = f"{did_you_mean(kind, KINDS)}name a TOML, `ppk2:/dev/ttyACM0` or `joulescope`; docs/meters.md shows both"
        raise UsageError(f"there is no meter `{argument}`", hint)
    return _read(path)


def check_supply(meter: MeterSpec, board_uv: int | None, device: str) -> int | None:
    """Return the voltage at which power is counted, or `None` where the meter measures that itself.

    Args:
        meter: The meter.
        board_uv: What the kind of board is fed with, or `None` where its target does not say.
        device: The board's name, for messages.

    Raises:
        UsageError: The meter cannot be between this board and its supply, or nobody says at which voltage it is.
    """
    for fed_uv, who in ((board_uv, f"`{device}` is fed with"), (meter.supply_uv, "`supply_v` says")):
        if fed_uv is not None and not meter.min_uv <= fed_uv <= meter.max_uv:
            span = f"{volts(meter.min_uv)} to {volts(meter.max_uv)}"
            raise UsageError(f"{who} {volts(fed_uv)}, and {meter.name} can take {span}", "use another meter")
    if board_uv is not None and meter.supply_uv is not None and not alike(meter.supply_uv, board_uv):
        text = f"`supply_v` says {volts(meter.supply_uv)}, and `{device}` is fed with {volts(board_uv)}"
        raise UsageError(text, "mend the meter's TOML, or the device's `--target`")
    if meter.says_voltage:
        return None
    if meter.supply_uv is None and board_uv is None:
        hint = f'say it in a TOML: kind = "{meter.kind}", port = "{meter.port}", supply_v = 5.0'
        raise UsageError(f"{meter.name} measures current, and nobody says at which voltage `{device}` is fed", hint)
    return meter.supply_uv or board_uv


def alike(one_uv: int, other_uv: int) -> bool:
    """Return whether two voltages may be of one supply."""
    return abs(one_uv - other_uv) <= _SUPPLY_RATIO * other_uv


def _read(path: Path) -> MeterSpec:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as exc:
        raise UsageError(f"`{path}` is not valid TOML: {exc}", "mend that line") from exc
    kind = table.get("kind", "serial")
    if kind not in KINDS:
        raise UsageError(f"unknown kind of meter in {path}: `{kind}`", f"known kinds: {', '.join(KINDS)}")
    refuse_unknown_keys(table, (*_TOP, *_LIMITS, *_LINES) if kind == "serial" else _TOP, str(path))
    if kind != "serial":
        return _known(table, PPK2 if kind == "ppk2" else JOULESCOPE, path)
    spec = _limits(table, path)
    _refuse_gaps(spec, path)
    return replace(spec, lines=_lines(table, path))


def _known(table: dict[str, Any], spec: MeterSpec, path: Path) -> MeterSpec:
    port = _text(table, "port", path, "" if spec.kind == "joulescope" else None)
    name, covers = _text(table, "name", path, spec.name), _covers(table, path)
    return replace(spec, port=port, name=name, covers=covers, supply_uv=_supply(table, path))


def _limits(table: dict[str, Any], path: Path) -> MeterSpec:
    rate = _number(table, "rate_hz", path)
    return MeterSpec(
        kind="serial",
        name=_text(table, "name", path),
        covers=_covers(table, path),
        port=_text(table, "port", path),
        supply_uv=_supply(table, path),
        period_ns=seconds_to_ns(1 / rate),
        averaging_ns=ms_to_ns(_number(table, "averaging_ms", path)),
        latency_ns=ms_to_ns(_number(table, "latency_ms", path, _DEFAULT_LATENCY_MS)),
        min_uv=micro(_number(table, "min_voltage_v", path), "V"),
        max_uv=micro(_number(table, "max_voltage_v", path), "V"),
        max_ua=micro(_number(table, "max_current_a", path), "A"),
    )


def _refuse_gaps(spec: MeterSpec, path: Path) -> None:
    """Refuse a meter that looks at instants on a regular beat: a load with a beat of its own would alias."""
    if spec.averaging_ns >= 0.95 * spec.period_ns or spec.period_ns <= _DENSE_NS:
        return
    share = percent(spec.averaging_ns / spec.period_ns)
    text = f"{path}: `averaging_ms` covers {share} of the time between two readings"
    hint = (
        "what lies between is not seen, and a load with a beat of its own would alias; "
        "set the meter to average over its whole period, or to print more often"
    )
    raise UsageError(text, hint)


def _lines(table: dict[str, Any], path: Path) -> LineFormat:
    pattern = _pattern(table, path)
    names = set(re.compile(pattern).groupindex) & set(QUANTITIES)
    units = table.get("units", {})
    refuse_unknown_keys(units, tuple(QUANTITIES), f"`units` of {path}")
    for name in sorted(names):
        if units.get(name) not in QUANTITIES[name]:
            hint = f'units = {{ {name} = "{QUANTITIES[name][1]}" }}; one of {", ".join(QUANTITIES[name])}'
            raise UsageError(f"{path} does not say the unit of `{name}`: {units.get(name)!r}", hint)
    if not names & {"current", "power"}:
        raise UsageError(f"{path} reads neither current nor power", "name a group or a column `current` or `power`")
    return LineFormat(
        pattern,
        tuple((name, units[name]) for name in sorted(names)),
        round(_number(table, "baud", path, 115_200)),
        _text(table, "start", path, ""),
        _text(table, "stop", path, ""),
    )


def _pattern(table: dict[str, Any], path: Path) -> str:
    """Return the pattern of a line, as it was given or made of columns."""
    if ("line" in table) == ("columns" in table):
        raise UsageError(f"{path} must say either `line`, a pattern, or `columns`", "docs/meters.md shows both")
    if "line" in table:
        try:
            return re.compile(_text(table, "line", path)).pattern
        except re.error as exc:
            raise UsageError(f"`line` in {path} is no regular expression: {exc}", "mend that line") from exc
    columns, separator = table["columns"], re.escape(_text(table, "separator", path, ","))
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise UsageError(f"`columns` in {path} must be a list of texts", 'such as ["time", "voltage", "current"]')
    cell = rf"[^{separator}]*"
    cells = (rf"\s*(?P<{name}>{cell}?)\s*" if name in QUANTITIES else cell for name in columns)
    return f"^{separator.join(cells)}$"


def _covers(table: dict[str, Any], path: Path) -> str:
    covers = _text(table, "covers", path, "board")
    if covers not in _COVERS:
        raise UsageError(f"unknown `covers` in {path}: `{covers}`", "`board` (all that it takes) or `part`")
    return covers


def _supply(table: dict[str, Any], path: Path) -> int | None:
    return micro(_number(table, "supply_v", path), "V") if "supply_v" in table else None


def _said(table: dict[str, Any], key: str, path: Path, default: object) -> object:
    if key not in table and default is None:
        raise UsageError(f"{path} does not say `{key}`", "docs/meters.md shows a whole file")
    return table.get(key, default)


def _text(table: dict[str, Any], key: str, path: Path, default: str | None = None) -> str:
    value = _said(table, key, path, default)
    if not isinstance(value, str):
        raise UsageError(f"`{key}` in {path} must be a text, not {value!r}", "docs/meters.md shows an example")
    return value


def _number(table: dict[str, Any], key: str, path: Path, default: float | None = None) -> float:
    value = _said(table, key, path, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        if key == "min_voltage_v" and value == 0:
            return 0.0
        text = f"`{key}` in {path} must be a number above 0, not {value!r}"
        raise UsageError(text, "a meter states its limits: docs/meters.md")
    return float(value)
