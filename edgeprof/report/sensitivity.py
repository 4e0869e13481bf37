"""A sensitivity scan as a table and as JSON."""

from typing import Any

from edgeprof.compress.sensitivity import LayerSensitivity, Sensitivity
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write
from edgeprof.stats.proportions import Discordant

_METRICS = {
    "accuracy": "accuracy by your labels",
    "agreement": "agreement with the model as it is, on the class it chooses",
    "sqnr_db": "signal to what the change adds, in dB; higher is better",
}
_CHANGES = {
    "channels": "share of channels removed",
    "prune": "share of weights set to zero",
    "quantise": "bits a weight",
}


def print_sensitivity(found: Sensitivity, *, as_json: bool) -> None:
    """Print how each layer bears each level: the loss in points with its 95 % interval, or decibels."""
    if as_json:
        write(document("sensitivity", [sensitivity_item(found)]))
        return
    levels = list(dict.fromkeys(row.level for row in found.rows))
    names = [_level(found, level) for level in levels]
    grid = table("layer", *names, right=tuple(names))
    for layers in dict.fromkeys(row.layers for row in found.rows):
        cells = [_cell(row, found.n) for row in found.rows if row.layers == layers]
        grid.add_row(plain(" + ".join(layers)), *cells)
    base = "" if found.base is None else f"; as it is {found.base:.1%}"
    loss = "" if found.base is None else "; loss in points, 95 % interval of pairs"
    console().print(plain(f"{found.model}: {_METRICS[found.metric]}, {found.n} {found.data} samples{base}{loss}"))
    console().print(plain(f"one layer changed at a time, nothing fine-tuned; columns: {_CHANGES[found.what]}"))
    console().print(grid)


def sensitivity_item(found: Sensitivity) -> dict[str, Any]:
    """Return a scan for a document."""
    return {
        "model": found.model,
        "what": found.what,
        "metric": found.metric,
        "base": found.base,
        "n": found.n,
        "data": found.data,
        "rows": [_row(row, found.n) for row in found.rows],
    }


def _row(row: LayerSensitivity, n: int) -> dict[str, Any]:
    loss = _loss(row, n)
    return {
        "layers": list(row.layers),
        "level": row.level,
        "score": row.score,
        "loss_points": None if loss is None else loss[0],
        "loss_low_points": None if loss is None else loss[1],
        "loss_high_points": None if loss is None else loss[2],
    }


def _cell(row: LayerSensitivity, n: int) -> str:
    loss = _loss(row, n)
    if loss is None:
        return f"{row.score:.1f} dB"
    return f"{loss[0]:.1f} [{loss[1]:.1f}, {loss[2]:.1f}]"


def _loss(row: LayerSensitivity, n: int) -> tuple[float, float, float] | None:
    if row.lost is None or row.won is None:
        return None
    pairs = Discordant(row.lost, row.won, n)
    low, high = pairs.interval()
    return 100 * pairs.share, 100 * low, 100 * high


def _level(found: Sensitivity, level: float) -> str:
    return f"{level:g} bits" if found.what == "quantise" else f"{level:.0%}"
