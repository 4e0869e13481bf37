"""Quantities for people: integers in ns, bytes and ratios become three digits and a unit.

The only place where quantities are converted; everything else keeps integers with the unit in the name.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import floor, isclose, log10

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
# And µJ per J.
UW_PER_W = 1_000_000
MW_PER_W = 1_000
BYTES_PER_KIB = 1 << 10
BYTES_PER_MB = 1_000_000

# Of an exported figure: what lies beyond is what binary fractions add (7.600000000000007), whose sums, roots and
# exponentials are right to 14 digits or so; no interval is known to half of these.
EXPORTED_DIGITS = 12

_MICRO = {"": 1e6, "m": 1e3, "µ": 1.0, "n": 1e-3}

_Scale = tuple[tuple[float, str], ...]

_COUNT = ((1, ""), (1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G"))
_TIME = ((1, "ns"), (1_000, "µs"), (NS_PER_MS, "ms"), (NS_PER_S, "s"))
_FREQUENCY = ((1, "kHz"), (1_000, "MHz"), (1_000_000, "GHz"))
_CELSIUS = ((1_000, "°C"),)
_ENERGY = ((0.001, "nJ"), (1, "µJ"), (1_000, "mJ"), (1_000_000, "J"))
_POWER = ((0.001, "µW"), (1, "mW"), (1_000, "W"))
_BYTES = ((1, "B"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"))


def exported(value: float) -> float:
    """Return a figure as documents and files have it: `EXPORTED_DIGITS` significant digits, and all before the point.

    Never for what is calculated with again: samples, stored records, baselines and evidence keep every bit.
    """
    if isinstance(value, int):
        return value
    return float(f"{value:.0f}" if abs(value) >= 10**EXPORTED_DIGITS else f"{value:.{EXPORTED_DIGITS}g}")


def seconds_to_ns(seconds: float) -> int:
    """Return whole nanoseconds."""
    return round(seconds * NS_PER_S)


def ns_to_seconds(ns: float) -> float:
    """Return seconds."""
    return ns / NS_PER_S


def ms_to_ns(ms: float) -> int:
    """Return whole nanoseconds."""
    return round(ms * NS_PER_MS)


def micro(value: float, unit: str) -> int:
    """Return volts, amperes or watts in millionths: `micro(3.7, "mA")` is 3,700.

    Raises:
        KeyError: The unit has no known prefix.
        ValueError: The value is no finite number.
    """
    return round(value * _MICRO[unit[:-1]])


def volts(uv: float) -> str:
    """Return a voltage such as `5.00 V`."""
    return f"{three_digits(uv / UW_PER_W)} V"


def duration(ns: float | None) -> str:
    """Return a time such as `1.23 ms`; `not measured` for `None`."""
    return _scaled(ns, _TIME)


def size(byte_count: float | None) -> str:
    """Return a size such as `96.2 KiB`; `not measured` for `None`."""
    return _scaled(byte_count, _BYTES)


def megabytes(byte_count: float) -> str:
    """Return what a transfer carries, such as `5.0 MB`."""
    return f"{byte_count / BYTES_PER_MB:.1f} MB"


def instructions(count: float | None) -> str:
    """Return a count with five digits, for it repeats to 0.1 %: `3.1872 M`; `not measured` for `None`."""
    if count is None:
        return "not measured"
    divisor, unit = _unit_for(count, _COUNT)
    return f"{_five_digits(count / divisor)} {unit}" if divisor > 1 else f"{count:.0f}"


def count(number: float) -> str:
    """Return a number of things with three digits: `12.5 M`."""
    return _scaled(number, _COUNT).rstrip() if number >= _COUNT[1][0] else f"{number:.0f}"


def interval(name: str, low: float | None, point: float, high: float | None) -> str:
    """Return both ends of an interval of the metric `name` in the point's own unit: `1.20 … 1.26 ms`."""
    if low is None or high is None:
        return "no interval yet"
    if isclose(low, high):
        return "all alike"  # ends that coincide would read as if the figure were known exactly
    if name.endswith("_ratio"):
        return f"{low * 100:.1f} … {percent(high)}"
    if name.endswith("_points"):
        return f"{points(low).removesuffix(' pp')} … {points(high)}"
    counted = name.endswith("_instructions")
    divisor, unit = _unit_for(point, _scale(name))
    digits = _five_digits if counted else three_digits
    return f"{digits(low / divisor)} … {digits(high / divisor)} {unit.strip()}".rstrip()


def quantity(name: str, value: float) -> str:
    """Return a metric's value in its unit; the ending of its name says which."""
    for ending, convert in _BY_ENDING.items():
        if name.endswith(ending):
            return convert(value)
    return three_digits(value)


def axis_unit(name: str, top: float) -> tuple[float, str]:
    """Return the unit for an axis of the metric `name` that ends at `top`: how much it is, and its name."""
    return _unit_for(top, _scale(name))


def axis(name: str, ticks: Sequence[float]) -> list[str]:
    """Return the labels of an axis of the metric `name`, all in one unit, with as many digits as its steps need.

    Args:
        name: The metric with its unit.
        ticks: At least one value in that unit, increasing.
    """
    divisor, unit = axis_unit(name, max(abs(tick) for tick in ticks))
    if not unit and any(name.endswith(ending) for ending in _BY_ENDING):
        return [quantity(name, tick) for tick in ticks]
    step = min((b - a for a, b in pairwise(ticks)), default=max(ticks)) / divisor
    decimals = max(0, -floor(log10(step) + _ROUNDING)) if step > 0 else 0
    return [f"{tick / divisor:,.{decimals}f} {unit}".rstrip() for tick in ticks]


def parse(name: str, text: str | float) -> float:
    """Return what a person wrote for the metric `name` in that metric's unit: 5,000,000 for `5 ms` of `latency_ns`.

    Shares and points may be bare numbers, counts too; a time or a size needs its unit.

    Raises:
        ValueError: It is no such quantity; the message says what would be.
    """
    known = next((table for ending, table in _WRITTEN.items() if name.endswith(ending)), {"": 1.0})
    found = _QUANTITY.fullmatch(str(text).strip())
    unit = found[2] if found else None
    if found is None or unit not in known:
        examples = ", ".join(f"`5 {unit}`" if unit else "`5`" for unit in known)
        raise ValueError(f"`{text}` is none: write {examples}")
    return float(found[1]) * known[unit]


def energy(uj: float | None) -> str:
    """Return an energy such as `1.23 mJ`; `not measured` for `None`."""
    return _scaled(uj, _ENERGY)


def power(mw: float | None) -> str:
    """Return a power such as `3.40 W`; `not measured` for `None`."""
    return _scaled(mw, _POWER)


def rate(latency_ns: float | None) -> str:
    """Return inferences per second at that latency, such as `813 inf/s`."""
    if latency_ns is None:
        return "not measured"
    return f"{three_digits(NS_PER_S / latency_ns)} inf/s"


def percent(ratio: float | None) -> str:
    """Return a share such as `89.0 %`; `not measured` for `None`."""
    return "not measured" if ratio is None else f"{ratio * 100:.1f} %"


def points(value: float | None) -> str:
    """Return a difference in percentage points with its sign, such as `−0.4 pp`."""
    if value is None:
        return "not measured"
    return f"{round(value, 1) + 0.0:+.1f} pp".replace("-", "−")  # + 0.0: no −0.0


def decibel(value: float) -> str:
    """Return a ratio of powers such as `38.2 dB`."""
    return f"{value:.1f} dB".replace("-", "−")


def change(ratio: float) -> str:
    """Return a ratio as the change it is, such as `−3.2 %`."""
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def clock(seconds: float) -> str:
    """Return a time left such as `0:42` or `1:03:20`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def celsius(temp_mc: float) -> str:
    """Return a temperature such as `48.2 °C` from thousandths of a degree."""
    return f"{temp_mc / 1000:.1f} °C"


def frequency(khz: float) -> str:
    """Return a clock such as `1.80 GHz`."""
    return _scaled(khz, _FREQUENCY)


def megahertz(khz: int) -> str:
    """Return a clock in whole megahertz, as people name it: `1500 MHz`."""
    return f"{khz // 1000} MHz"


def three_digits(value: float) -> str:
    """Return `value` with three significant digits and no exponent."""
    if value == 0:
        return "0"
    magnitude = abs(float(f"{value:.3g}"))
    decimals = 2 if magnitude < 10 else 1 if magnitude < 100 else 0
    if magnitude < 1:
        return f"{value:.3g}"
    return f"{value:,.{decimals}f}"


def _five_digits(value: float) -> str:
    whole = len(str(int(abs(value))))
    return f"{value:.{max(0, 5 - whole)}f}"


def _scaled(value: float | None, units: _Scale) -> str:
    if value is None:
        return "not measured"
    divisor, unit = _unit_for(value, units)
    return f"{value / divisor:.0f} {unit}" if divisor == 1 == units[0][0] else f"{three_digits(value / divisor)} {unit}"


def _scale(name: str) -> _Scale:
    return next((scale for ending, scale in _SCALES.items() if name.endswith(ending)), ((1, ""),))


def _unit_for(value: float, units: _Scale) -> tuple[float, str]:
    # 999.6 ms would read "1,000 ms": half a digit below the next unit already belongs to it.
    fitting = [unit for unit in units if abs(value) >= unit[0] * 0.9995]
    return fitting[-1] if fitting else units[0]


_BY_ENDING: dict[str, Callable[[float], str]] = {
    "_macs_per_s": lambda value: f"{count(value)}MAC/s",
    "_s": clock,
    "_ns": duration,
    "_instructions": instructions,
    "_bytes": size,
    "_ratio": percent,
    "_points": points,
    "_mc": celsius,
    "_khz": frequency,
    "_uj": energy,
    "_mw": power,
    "_db": decibel,
}
# What an interval or an axis shares: sizes in MiB, not every tick in a unit of its own.
_SCALES: dict[str, _Scale] = {
    "_ns": _TIME,
    "_instructions": _COUNT,
    "_bytes": _BYTES,
    "_mc": _CELSIUS,
    "_khz": _FREQUENCY,
    "_uj": _ENERGY,
    "_mw": _POWER,
}
_QUANTITY = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\s*([^\s0-9]*)")
_WRITTEN: dict[str, dict[str, float]] = {
    "_ns": {"ns": 1, "µs": 1_000, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S},
    "_instructions": {"": 1, "k": 1e3, "M": 1e6, "G": 1e9},
    "_bytes": {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    "_uj": {"nJ": 0.001, "µJ": 1, "uJ": 1, "mJ": 1_000, "J": 1_000_000},
    "_mw": {"µW": 0.001, "uW": 0.001, "mW": 1, "W": 1_000},
    "_hz": {"Hz": 1, "kHz": 1_000},
    "_ratio": {"": 1, "%": 0.01},
    "_points": {"": 1, "pp": 1},
}
# A step of 0.1 has a logarithm just below −1.
_ROUNDING = 1e-9
