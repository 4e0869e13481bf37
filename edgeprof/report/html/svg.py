"""Drawing: scales, and elements of an inline SVG whose every text is escaped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape

from edgeprof import units

_NICE = (1, 2, 5, 10)
_FEW_POINTS = 16


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to places on the page.

    Attributes:
        low: The value at `start`.
        high: The value at `end`; above `low`.
        start: A place in pixels.
        end: Another.
        log: Equal ratios, instead of equal differences, are equally far apart; `low` is then above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value; one beyond an end stands at that end."""
        inside = min(max(value, self.low), self.high)
        low, high, at = (
            (math.log(v) for v in (self.low, self.high, inside)) if self.log else (self.low, self.high, inside)
        )
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 5, unit: float = 1) -> list[float]:
        """Return about so many values between the ends that are round in a unit."""
        if self.log:
            return _decades(self.low, self.high)
        return [unit * tick for tick in _steps(self.low / unit, self.high / unit, count)]


def scale(values: Sequence[float], start: float, end: float, *, zero: bool = False, log: bool = False) -> Scale:
    """Return a scale with room for all values; from 0 on, or logarithmic, if asked."""
    low, high = (0.0 if zero else min(values)), max(values)
    if log:
        return Scale(low / 1.15, high * 1.15, start, end, log=True)
    room = (high - low) * 0.06 or abs(high) * 0.02 or 1.0
    return Scale(low if zero else low - room, high + room, start, end)


def _steps(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(nice for nice in _NICE if nice * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wanted = _NICE[:3] if len(powers) <= 3 else _NICE[:1]
    return [tick for power in powers for nice in wanted if low <= (tick := nice * 10.0**power) <= high]


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of the same width, side by side above `start`."""

    start: tuple[float, float]
    width: float
    heights: Sequence[float]


class Drawing:
    """An SVG under construction."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_n(width), _n(height), title)
        self._parts: list[str] = []

    def line(self, start: tuple[float, float], end: tuple[float, float], style: str) -> None:
        """Draw a straight line of a style that the page's CSS knows."""
        self._parts.append(f'<path class="{style}" d="M{_n(start[0])} {_n(start[1])}L{_n(end[0])} {_n(end[1])}"/>')

    def path(self, points: Sequence[tuple[float, float]], style: str, title: str | None = None) -> None:
        """Draw a line through points, each written as its step from the one before."""
        if not points:
            return
        # Of many points, none is seen to a tenth of a pixel.
        fine = 10 if len(points) <= _FEW_POINTS else 1
        (x, y), *rest = [(round(fine * x), round(fine * y)) for x, y in points]
        steps = [f"M{_n(x / fine)} {_n(y / fine)}"]
        for to_x, to_y in rest:
            steps.append(f"l{_n((to_x - x) / fine)} {_n((to_y - y) / fine)}")
            x, y = to_x, to_y
        self._parts.append(f'<path class="{style}" d="{"".join(steps)}"{_close("path", title)}')

    def box(self, at: tuple[float, float], size: tuple[float, float], style: str, title: str | None = None) -> None:
        """Draw a rectangle."""
        place = f'x="{_n(at[0])}" y="{_n(at[1])}" width="{_n(max(0, size[0]))}" height="{_n(size[1])}"'
        self._parts.append(f'<rect class="{style}" {place}{_close("rect", title)}')

    def dots(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Draw dots: strokes without length, whose round ends the style makes visible."""
        places = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in points)
        self._parts.append(f'<path class="{style}" d="{places}"/>')

    def bars(self, bars: Sequence[tuple[float, float, float]], style: str) -> None:
        """Draw vertical lines: each a place across, and two places upright."""
        places = "".join(f"M{_n(x)} {_n(start)}V{_n(end)}" for x, start, end in bars)
        self._parts.append(f'<path class="{style}" d="{places}"/>')

    def steps(self, columns: Sequence[Columns], style: str) -> None:
        """Fill rows of columns, all in one path: pages have many."""
        self._parts.append(f'<path class="{style}" d="{"".join(map(_steps_path, columns))}"/>')

    def text(self, at: tuple[float, float], text: str, style: str = "") -> None:
        """Write text; its anchor is the style's."""
        named = f' class="{style}"' if style else ""
        self._parts.append(f'<text{named} x="{_n(at[0])}" y="{_n(at[1])}">{escape(text)}</text>')

    def across(self, along: Scale, name: str, top: float, bottom: float) -> None:
        """Draw a horizontal axis of the metric `name`: lines from `top` to `bottom`, labels below."""
        for tick, label in _labelled(along, name, 5):
            self.line((along(tick), top), (along(tick), bottom), "grid")
            self.text((along(tick), bottom + 14), label, "middle")

    def upright(self, along: Scale, name: str, left: float, right: float, count: int = 4) -> None:
        """Draw a vertical axis of the metric `name`: lines from `left` to `right`, labels on their left."""
        for tick, label in _labelled(along, name, count):
            self.line((left, along(tick)), (right, along(tick)), "grid")
            self.text((left - 6, along(tick) + 4), label, "end")

    def done(self) -> Markup:
        """Return the whole."""
        return self._head + Markup("".join(self._parts)) + Markup("</svg>")  # noqa: S704 - every text went through escape


def _steps_path(columns: Columns) -> str:
    x, base = columns.start
    path, level = [f"M{_n(x)} {_n(base)}"], 0.0
    for height, alike in groupby(round(2 * height) / 2 for height in columns.heights):
        path.append(f"v{_n(level - height)}h{_n(columns.width * len(list(alike)))}")
        level = height
    return f"{''.join(path)}V{_n(base)}"


def _labelled(along: Scale, name: str, count: int) -> list[tuple[float, str]]:
    ticks = along.ticks(count, units.axis_unit(name, along.high)[0])
    if along.log:
        return [(tick, units.quantity(name, tick)) for tick in ticks]
    return list(zip(ticks, units.axis(name, ticks), strict=True)) if ticks else []


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".") if number % 1 else f"{number:.0f}"


def _close(element: str, title: str | None) -> str:
    return "/>" if title is None else f"><title>{escape(title)}</title></{element}>"
