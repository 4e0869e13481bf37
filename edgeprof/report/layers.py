"""Where two artifacts part, for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from edgeprof import units
from edgeprof.compress import LayerError
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write

# An error of a tenth of the signal's size: what quantisation to 8 bits leaves behind is some 30 dB and more.
PARTED_DB = 20.0
_LONGEST = 48


def parting(layers: Sequence[LayerError]) -> LayerError | None:
    """Return the first layer whose signal is less than 20 dB above its error, or `None`."""
    return next((one for one in layers if one.sqnr_db is not None and one.sqnr_db < PARTED_DB), None)


def print_layers(names: tuple[str, str], layers: Sequence[LayerError], what: str, *, as_json: bool) -> None:
    """Print each layer's error, and the first where the models part.

    Args:
        names: Of the model and of what it is held against.
        layers: In the model's order.
        what: Which inputs they were given.
        as_json: Print the document instead.
    """
    first = parting(layers)
    if as_json:
        write(document("layers", [{**asdict(one), "parts_here": one is first} for one in layers]))
        return
    found = table("node", "operator", "layer", "output", "signal to error", "largest error", "", right=("node",))
    for one in layers:
        quality = "no match" if one.matched is None else "equal" if one.sqnr_db is None else units.decibel(one.sqnr_db)
        error = "" if one.max_error is None else units.three_digits(one.max_error)
        note = "◀ the first below 20 dB" if one is first else "by order" if one.matched == "order" else ""
        shape = f"{'×'.join(map(str, one.shape))} {one.dtype}"
        found.add_row(*(plain(text) for text in (one.node, one.op, _short(one.layer), shape, quality, error, note)))
    out = console()
    out.print(found)
    for line in _whole(names, layers, first, what):
        out.print(plain(line))


def _whole(names: tuple[str, str], layers: Sequence[LayerError], first: LayerError | None, what: str) -> list[str]:
    matched = [one for one in layers if one.matched]
    lines = [f"{names[0]} against {names[1]} on {what}; errors of earlier layers are in those of later ones"]
    if len(matched) < len(layers):
        missing = len(layers) - len(matched)
        which = f"{missing} of {len(layers)} layers have no match in {names[1]}"
        lines.append(f"{which}: it has no output of that name, and none of that kind and shape at that place")
    known = [one for one in matched if one.sqnr_db is not None]
    if not matched:
        lines.append("so nothing can be said of where they part")
    elif not known:
        lines.append("they do not part: every output that has a match is equal")
    elif first is None:
        worst = min(known, key=lambda one: one.sqnr_db or 0)
        lowest = units.decibel(worst.sqnr_db or 0)
        lines.append(f"no layer is below 20 dB; the lowest is node {worst.node} with {lowest}")
    else:
        lines.append(f"they part at node {first.node}, {first.op}: `{_short(first.layer)}`")
    return lines


def _short(name: str) -> str:
    first = name.partition(";")[0]
    return first if len(first) <= _LONGEST else f"…{first[1 - _LONGEST :]}"
