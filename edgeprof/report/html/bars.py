"""Charts of parts that make a whole: stages of a start, kinds of memory."""

from collections.abc import Sequence

from markupsafe import Markup

from edgeprof import units
from edgeprof.records import Estimate
from edgeprof.report.html.distribution import WIDTH
from edgeprof.report.html.svg import Drawing, scale
from edgeprof.report.words import metric_words

_LEFT, _RIGHT, _EACH, _LEGEND = 20, 20, 34, 22


def stacked(estimates: Sequence[Estimate], whole: Estimate | None = None) -> Markup | None:
    """Return parts side by side in one bar, with another bar for a figure beside them; `None` if nothing was measured.

    Args:
        estimates: The parts; those that were not measured are left out.
        whole: What the parts are held against, such as a peak.
    """
    parts = [(e, e.point) for e in estimates if e.point is not None]
    if not parts:
        return None
    top = max(sum(max(0.0, value) for _, value in parts), (whole.point if whole else None) or 0.0)
    along = scale([0.0, top], _LEFT, WIDTH - _RIGHT, zero=True)
    beside = whole is not None and whole.point is not None
    height = 8 + _EACH * (1 + beside)
    rows = -(-(len(parts) + beside) // 2)
    drawn = Drawing(WIDTH, height + 26 + _LEGEND * rows, "Parts of a whole")
    drawn.across(along, parts[0][0].name, 4, height)
    at = 0.0
    for index, (estimate, value) in enumerate(parts):
        drawn.box(
            (along(at), 10), (along(at + max(0.0, value)) - along(at), _EACH - 12), f"part s{index}", _label(estimate)
        )
        at += max(0.0, value)
    if whole is not None and whole.point is not None:
        drawn.box((_LEFT, 10 + _EACH), (along(whole.point) - _LEFT, _EACH - 12), "part s6", _label(whole))
    _legend(drawn, [*(e for e, _ in parts), *([whole] if beside and whole else [])], height + 26, beside=beside)
    return drawn.done()


def _legend(drawn: Drawing, shown: Sequence[Estimate], top: float, *, beside: bool) -> None:
    for index, estimate in enumerate(shown):
        x, y = _LEFT + (index % 2) * 370, top + (index // 2) * _LEGEND
        style = 6 if beside and index == len(shown) - 1 else index
        drawn.box((x, y), (12, 12), f"part s{style}")
        drawn.text((x + 20, y + 11), _label(estimate))


def _label(estimate: Estimate) -> str:
    value = "" if estimate.point is None else units.quantity(estimate.name, estimate.point)
    return f"{metric_words(estimate.name)}: {value}"
