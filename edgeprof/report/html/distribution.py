"""Charts of how values are spread: every launch of a run, and every run beside the others."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from edgeprof import units
from edgeprof.records import Estimate, RunResult
from edgeprof.report.html.svg import Columns, Drawing, Scale, scale

WIDTH = 760
_LEFT, _RIGHT = 190, 20
# Columns of a histogram, and how wide each is.
_FINE, _COARSE = (48, 14), (16, 42)
_START = 70
# Further apart than so many times, equal ratios read better than equal differences.
_LOG_RATIO = 20
# So many times the distance from p05 to p90 beyond either, a chart ends, so that its middle can be seen; how many runs
# lie farther out is written below.
_REACH = 2
_LONGEST_LABEL = 28


def overview(rows: Sequence[tuple[str, RunResult, Estimate]]) -> Markup:
    """Return a row a run: the median of every launch as a dot, the estimate with its interval as a bar.

    Args:
        rows: Each run with its name and the estimate of its median, all in the same metric; each has launches.
    """
    medians = [_medians(run) for _, run, _ in rows]
    ends = [end for _, _, e in rows for end in (e.low, e.high) if end is not None]
    everything = [*ends, *(value for values in medians for value in values)]
    along = scale(everything, _LEFT, WIDTH - _RIGHT, log=max(everything) > _LOG_RATIO * min(everything) > 0)
    height = 12 + 30 * len(rows)
    metric = rows[0][1].plan.metric
    drawn = Drawing(WIDTH, height + 24, "Median of every launch, run by run")
    drawn.across(along, metric, 6, height)
    for index, ((name, _, estimate), values) in enumerate(zip(rows, medians, strict=True)):
        middle = 24 + 30 * index
        drawn.text((_LEFT - 10, middle + 4), _short(name), "end")
        drawn.dots([(along(value), middle) for value in values], "dot")
        _interval(drawn, along, estimate, middle)
    return drawn.done()


def every_launch(run: RunResult, estimate: Estimate, *, fine: bool = True) -> Markup:
    """Return a histogram a launch, on one axis, with its median; and the estimate's interval behind all."""
    bins, width = _FINE if fine else _COARSE
    launches = [np.asarray(launch.latency_ns, dtype=float) for launch in run.launches]
    whole = np.concatenate(launches)
    amounts = (*(run.plan.amount(end) for end in _ends(whole)), *_medians(run))
    along = scale(amounts, _START, _START + bins * width)
    each = 26 if len(launches) <= 16 else 17
    height = 8 + each * len(launches)
    drawn = Drawing(WIDTH, height + 24, "Every run of every launch")
    if estimate.low is not None and estimate.high is not None:
        drawn.box((along(estimate.low), 4), (along(estimate.high) - along(estimate.low), height - 4), "band")
    drawn.across(along, run.plan.metric, 4, height)
    edges = np.linspace(along.low, along.high, bins + 1)
    most = 0.0
    counts = []
    for values in launches:
        found = np.histogram(np.asarray([run.plan.amount(v) for v in values]), edges)[0] / len(values)
        most = max(most, float(found.max()))
        counts.append(found)
    rows, middles, every = [], [], 1 if len(launches) <= 16 else 4
    for index, (found, median) in enumerate(zip(counts, _medians(run), strict=True)):
        base = 4 + each * (index + 1)
        rows.append(_histogram(width, found / (most or 1) * (each - 4), base))
        if index % every == 0:
            drawn.text((62, base - 3), str(index + 1), "end")
        middles.append((along(median), base - each + 5, base))
    drawn.steps(rows, "area")
    drawn.bars(middles, "mid")
    return drawn.done()


def beyond(run: RunResult) -> str:
    """Return how many runs `every_launch` cuts off, and the slowest; empty where it shows all."""
    whole = np.concatenate([np.asarray(launch.latency_ns, dtype=float) for launch in run.launches])
    low, high = _ends(whole)
    count = int(((whole < low) | (whole > high)).sum())
    if not count:
        return ""
    slowest = units.quantity(run.plan.metric, run.plan.amount(float(whole.max())))
    return f"{count:,} of {len(whole):,} runs lie beyond the edges, the slowest at {slowest}"


def _ends(whole: np.ndarray) -> tuple[float, float]:
    low, high = (float(value) for value in np.quantile(whole, (0.05, 0.90)))
    reach = _REACH * (high - low)
    return max(float(whole.min()), low - reach), min(float(whole.max()), high + reach)


def _histogram(width: int, heights: np.ndarray, base: float) -> Columns:
    """Return columns from the first that holds anything to the last; what holds little still shows."""
    filled = np.flatnonzero(heights)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, -1)
    shown = [max(0.5, float(height)) if height else 0.0 for height in heights[first : last + 1]]
    return Columns((_START + first * width, base), width, shown)


def _interval(drawn: Drawing, along: Scale, estimate: Estimate, middle: float) -> None:
    if estimate.low is not None and estimate.high is not None:
        drawn.line((along(estimate.low), middle), (along(estimate.high), middle), "range")
    if estimate.point is not None:
        drawn.line((along(estimate.point), middle - 9), (along(estimate.point), middle + 9), "mid")


def _medians(run: RunResult) -> list[float]:
    return [run.plan.amount(float(np.median(launch.latency_ns))) for launch in run.launches]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
