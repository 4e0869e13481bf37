"""The roofline: what each operator reached, below what the board allows."""

from dataclasses import dataclass

from markupsafe import Markup

from edgeprof import units
from edgeprof.records import RunResult
from edgeprof.report.html.distribution import WIDTH
from edgeprof.report.html.svg import Drawing, Scale
from edgeprof.report.ops import shares
from edgeprof.report.roofline import bytes_rate, limit_of, limit_text, macs_rate, roof_of
from edgeprof.stats import OpShare
from edgeprof.stats.roofline import OpLimit, Roof

_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 20, 14, 280
_LEAST_SIDE, _MOST_SIDE = 5.0, 24.0
_ROOM = 1.6


@dataclass(frozen=True, slots=True)
class _Spot:
    row: OpShare
    limit: OpLimit
    intensity: float
    macs_per_s: float


def roofline(run: RunResult) -> Markup | None:
    """Return the chart; `None` where no operator with products was held against the board."""
    found, above = shares(run), roof_of(run)
    if found is None or above is None or above.bytes_per_s is None:
        return None
    limits = [(row, limit_of(row, above)) for row in found.rows]
    spots = [_Spot(r, m, m.intensity, m.macs_per_s) for r, m in limits if m.intensity and m.macs_per_s]
    if not spots:
        return None
    along, up = _scales(spots, above)
    drawn = Drawing(WIDTH, _BOTTOM + 38, "Operators against what the board reaches at most")
    drawn.across(along, "intensity", _TOP, _BOTTOM)
    drawn.upright(up, "peak_macs_per_s", _LEFT, WIDTH - _RIGHT)
    drawn.text(((_LEFT + WIDTH - _RIGHT) / 2, _BOTTOM + 32), "MACs for each byte read or written", "middle")
    _roofs(drawn, along, up, above, spots)
    for spot in sorted(spots, key=lambda spot: -(spot.row.share_ratio or 0)):
        _spot(drawn, along, up, spot)
    return drawn.done()


def _scales(spots: list[_Spot], above: Roof) -> tuple[Scale, Scale]:
    used = [above.macs_per_s[kind] for kind in _used(spots)]
    intensities = [spot.intensity for spot in spots]
    ridge = max(used) / (above.bytes_per_s or 1)
    low, high = min(*intensities, ridge) / _ROOM, max(*intensities, ridge) * _ROOM
    rates = [spot.macs_per_s for spot in spots]
    return (
        Scale(low, high, _LEFT, WIDTH - _RIGHT, log=True),
        Scale(min(rates) / _ROOM, max(*rates, *used) * _ROOM, _BOTTOM, _TOP, log=True),
    )


def _used(spots: list[_Spot]) -> list[str]:
    return sorted({spot.row.op.arithmetic for spot in spots if spot.row.op and spot.row.op.arithmetic})


def _roofs(drawn: Drawing, along: Scale, up: Scale, above: Roof, spots: list[_Spot]) -> None:
    rate = above.bytes_per_s or 1.0
    for kind in _used(spots):
        peak = above.macs_per_s[kind]
        ridge, first = peak / rate, max(along.low, up.low / rate)
        drawn.line((along(first), up(first * rate)), (along(ridge), up(peak)), "mid")
        drawn.line((along(ridge), up(peak)), (along.end, up(peak)), "mid")
        drawn.text((along.end, up(peak) - 5), f"{kind} {macs_rate(peak)}", "end")
    text = f"{above.working_set_in or 'memory'} {bytes_rate(rate)}"
    at = max(along.low, up.low / rate) * _ROOM
    drawn.text((along(at) + 12, up(min(up.high, at * rate)) + 14), text)


def _spot(drawn: Drawing, along: Scale, up: Scale, spot: _Spot) -> None:
    op, share = spot.row.op, spot.row.share_ratio or 0.0
    side = max(_LEAST_SIDE, _MOST_SIDE * share**0.5)
    name = "" if op is None else f"{op.op} {op.node}"
    title = (
        f"{name}: {macs_rate(spot.macs_per_s)}, {units.percent(share)} of a run; {limit_text(spot.limit)} of its limit"
    )
    at = (along(spot.intensity) - side / 2, up(spot.macs_per_s) - side / 2)
    drawn.box(at, (side, side), "part s0" if spot.limit.bound == "compute" else "part s2", title)
