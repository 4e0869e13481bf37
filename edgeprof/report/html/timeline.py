"""Charts over time: latency, and whatever was recorded beside it, on one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from markupsafe import Markup

from edgeprof import units
from edgeprof.power import power_series
from edgeprof.records import PowerTrace, RunResult, State, SustainedWindow
from edgeprof.report.html.distribution import WIDTH
from edgeprof.report.html.svg import Drawing, Scale, scale

_LEFT, _RIGHT, _EACH, _GAP = 90, 20, 90, 36
_MOST_POINTS = 150
# Of each of the three windows of a power trace.
_POWER_POINTS = 60
# So many are seen as dots too.
_FEW_POINTS = 16
_QUANTITIES = {
    "ns": "latency",
    "mc": "temperature",
    "khz": "clock",
    "cores": "cores kept busy by others",
}
_ENDS = ("low", "high")
_NOT_SERIES = ("start_s", "runs", "throttled")

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity over time.

    Attributes:
        title: What it is, for people.
        name: Any of its metrics, whose ending says the unit.
        lines: Each series with its name: points of time in seconds and value.
        spans: Vertical bars, each a time with a low and a high value.
    """

    title: str
    name: str
    lines: tuple[tuple[str, Points], ...]
    spans: tuple[tuple[float, float, float], ...] = ()


def launch_panels(run: RunResult) -> tuple[Panel, ...]:
    """Return latency, launch by launch, and every series of its states that was recorded."""
    first_ns = run.launches[0].started_unix_ns
    times = [units.ns_to_seconds(launch.started_unix_ns - first_ns) for launch in run.launches]
    quantiles = [np.quantile(launch.latency_ns, (0.05, 0.5, 0.9)) for launch in run.launches]
    low, middle, high = ([run.plan.amount(float(found[i])) for found in quantiles] for i in range(3))
    medians = tuple(zip(times, middle, strict=True))
    spans = tuple(zip(times, low, high, strict=True))
    what = "instructions" if run.plan.ns_per_instruction else "latency"
    cost = Panel(f"{what}: median, and from p05 to p90", run.plan.metric, (("median", medians),), spans)
    return (cost, *_panels(times, run.states))


def sustained_panels(run: RunResult) -> tuple[Panel, ...]:
    """Return every series of a long run, second by second; nothing where there was none."""
    return _panels([window.start_s for window in run.sustained], run.sustained)


def power_panels(trace: PowerTrace) -> tuple[Panel, ...]:
    """Return power while the model waited, ran and waited again; nothing where no reading lies in any of them."""
    series, first_ns = power_series(trace), trace.idle_before_ns[0]
    windows = {
        "waiting, model loaded": trace.idle_before_ns,
        "running": trace.run_ns,
        "waiting again": trace.idle_after_ns,
    }
    lines = []
    for name, ends_ns in windows.items():
        seen = series.between(*(units.ns_to_seconds(at_ns - first_ns) for at_ns in ends_ns))
        read = np.isfinite(seen.power_w)
        points = zip(seen.time_s[read].tolist(), (seen.power_w[read] * units.MW_PER_W).tolist(), strict=True)
        lines.append((name, _thinned(tuple(points), _POWER_POINTS)))
    shown = tuple(line for line in lines if line[1])
    return (Panel("power", "power_mw", shown),) if shown else ()


def over_time(panels: Sequence[Panel], title: str) -> Markup:
    """Return the panels one above the other on one axis of seconds."""
    ends = [point[0] for panel in panels for _, points in panel.lines for point in points]
    along = Scale(min(ends), max(*ends, min(ends) + 1), _LEFT, WIDTH - _RIGHT)
    height = len(panels) * (_EACH + _GAP)
    drawn = Drawing(WIDTH, height + 24, title)
    for index, panel in enumerate(panels):
        top = index * (_EACH + _GAP) + _GAP
        _panel(drawn, panel, along, top)
    drawn.line((along.start, height), (along.end, height), "axis")
    for tick in along.ticks():
        drawn.text((along(tick), height + 15), f"{tick:g} s", "middle")
    return drawn.done()


def _panel(drawn: Drawing, panel: Panel, along: Scale, top: float) -> None:
    values = [value for _, points in panel.lines for _, value in points]
    values += [value for _, *span in panel.spans for value in span]
    up = scale(values, top + _EACH, top)
    names = [name for name, _ in panel.lines]
    drawn.text((_LEFT, top - 8), panel.title if len(names) == 1 else f"{panel.title}: {', '.join(names)}", "head")
    drawn.upright(up, panel.name, along.start, along.end)
    if panel.spans:
        drawn.bars([(along(at), up(low), up(high)) for at, low, high in panel.spans], "span")
    for index, (name, points) in enumerate(panel.lines):
        drawn.path([(along(x), up(y)) for x, y in _thinned(points)], f"line l{index % 4}", name)
        if len(points) <= _FEW_POINTS:
            drawn.dots([(along(x), up(y)) for x, y in points], f"point l{index % 4}")


def _panels(times: Sequence[float], records: Sequence[State | SustainedWindow | None]) -> tuple[Panel, ...]:
    """Return a panel for each unit among the numbers of `records`, whatever they are called."""
    seen = next((record for record in records if record is not None), None)
    if seen is None:
        return ()
    by_unit: dict[str, list[tuple[str, Points]]] = {}
    for item in fields(seen):
        values = [None if record is None else getattr(record, item.name) for record in records]
        points = tuple((t, v) for t, v in zip(times, values, strict=False) if isinstance(v, int | float))
        if points and item.name not in _NOT_SERIES:
            by_unit.setdefault(_unit(item.name), []).append((item.name, points))
    return tuple(_named(unit, lines) for unit, lines in by_unit.items())


def _named(unit: str, lines: list[tuple[str, Points]]) -> Panel:
    shown = tuple((_words(name, unit), points) for name, points in lines)
    return Panel(_QUANTITIES.get(unit, shown[0][0]), f"x_{unit}", shown)


def _unit(name: str) -> str:
    """Return `khz` of `freq_khz_low`."""
    return next(part for part in reversed(name.split("_")) if part not in _ENDS)


def _words(name: str, unit: str) -> str:
    words = {"low": "lowest", "high": "highest"}
    parts = [words.get(part, part) for part in name.split("_") if part != unit]
    return "hottest zone" if parts == ["temp"] else " ".join(part for part in parts if part != "freq")


def _thinned(points: Points, most: int = _MOST_POINTS) -> Points:
    """Return the means of equal parts, few enough for a line as wide as a page."""
    if len(points) <= most:
        return points
    parts = np.array_split(np.asarray(points, dtype=float), most)
    return tuple((float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts)
