"""Quantities for people: integers in ns, bytes and ratios become three digits and a unit.

The only place where quantities are converted; everything else keeps integers with the unit in the name.
"""

from collections.abc import Callable

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

_Scale = tuple[tuple[float, str], ...]

_COUNT = ((1, ""), (1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G"))
_TIME = ((1, "ns"), (1_000, "µs"), (NS_PER_MS, "ms"), (NS_PER_S, "s"))
_ENERGY = ((0.001, "nJ"), (1, "µJ"), (1_000, "mJ"), (1_000_000, "J"))
_POWER = ((0.001, "µW"), (1, "mW"), (1_000, "W"))
_BYTES = ((1, "B"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"))


def seconds_to_ns(seconds: float) -> int:
    """Return whole nanoseconds."""
    return round(seconds * NS_PER_S)


def ns_to_seconds(ns: float) -> float:
    """Return seconds."""
    return ns / NS_PER_S


def duration(ns: float | None) -> str:
    """Return a time such as `1.23 ms`; `not measured` for `None`."""
    return _scaled(ns, _TIME)


def size(byte_count: float | None) -> str:
    """Return a size such as `96.2 KiB`; `not measured` for `None`."""
    return _scaled(byte_count, _BYTES)


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
    counted = name.endswith("_instructions")
    scale = next((scale for ending, scale in _SCALES.items() if name.endswith(ending)), _TIME)
    divisor, unit = _unit_for(point, scale)
    digits = _five_digits if counted else three_digits
    return f"{digits(low / divisor)} … {digits(high / divisor)} {unit.strip()}".rstrip()


def quantity(name: str, value: float) -> str:
    """Return a metric's value in its unit; the ending of its name says which."""
    for ending, convert in _BY_ENDING.items():
        if name.endswith(ending):
            return convert(value)
    return three_digits(value)


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
    return f"{value:+.1f} pp".replace("-", "−")


def change(ratio: float) -> str:
    """Return a ratio as the change it is, such as `−3.2 %`."""
    return f"{(ratio - 1) * 100:+.1f} %".replace("-", "−")


def clock(seconds: float) -> str:
    """Return a time left such as `0:42` or `1:03:20`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


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


def _unit_for(value: float, units: _Scale) -> tuple[float, str]:
    # 999.6 ms would read "1,000 ms": half a digit below the next unit already belongs to it.
    fitting = [unit for unit in units if abs(value) >= unit[0] * 0.9995]
    return fitting[-1] if fitting else units[0]


_SCALES: dict[str, _Scale] = {"_instructions": _COUNT, "_uj": _ENERGY, "_mw": _POWER}
_BY_ENDING: dict[str, Callable[[float], str]] = {
    "_s": clock,
    "_ns": duration,
    "_instructions": instructions,
    "_bytes": size,
    "_ratio": percent,
    "_points": points,
    "_uj": energy,
    "_mw": power,
}
