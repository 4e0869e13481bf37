"""What is stored, a line a run."""

import time
from collections.abc import Sequence
from typing import Any

from edgeprof.records import ORIGIN, TINY_DEVICE
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write
from edgeprof.store import RunRow
from edgeprof.units import quantity

# Measured by edgeprof, or by a device that it asked.
_OURS = (ORIGIN, TINY_DEVICE)
_COLUMNS = ("run", "when", "device", "model", "recipe", "cost", "launches", "status")


def print_rows(rows: Sequence[RunRow], store: str, *, narrowed: bool = False, as_json: bool) -> None:
    """Print `run list`; `narrowed` says that only some runs were asked for."""
    if as_json:
        write(document("run_list", [row_item(row) for row in rows]))
        return
    if not rows:
        none = "no such runs are stored in" if narrowed else "no runs are stored in"
        how = "`edgeprof run list` shows all" if narrowed else "edgeprof profile MODEL -d local makes one"
        console().print(plain(f"{none} {store}; {how}"))
        return
    whole = ("run", "when", "cost", "status")
    found = table(*_COLUMNS, right=("cost", "launches"), whole=whole, spare=("launches", "when"))
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_unix_s))
        status = row.status if row.origin in _OURS else f"foreign ({row.origin})"
        launches = row.n_launches if row.origin == ORIGIN else ""  # a summary has none of ours
        texts = (row.run_id, when, row.device, row.model, row.recipe, _cost(row), launches, status)
        found.add_row(*(plain(text) for text in texts))
    console().print(found)


def _cost(row: RunRow) -> str:
    """Return the median over launches, with what is counted where that is no time."""
    if row.cost is None or row.metric is None:
        return ""
    text = quantity(row.metric, row.cost)
    return text if row.metric.endswith("_ns") else f"{text} instructions"


def row_item(row: RunRow) -> dict[str, Any]:
    """Return a line of `run list`."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}
