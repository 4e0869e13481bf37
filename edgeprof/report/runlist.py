"""What is stored, a line a run."""

import time
from collections.abc import Sequence
from typing import Any

from edgeprof.records import ORIGIN, TINY_DEVICE
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write
from edgeprof.store import RunRow

# Measured by edgeprof, or by a device that it asked.
_OURS = (ORIGIN, TINY_DEVICE)


def print_rows(rows: Sequence[RunRow], store: str, *, as_json: bool) -> None:
    """Print `run list`."""
    if as_json:
        write(document("run_list", [row_item(row) for row in rows]))
        return
    if not rows:
        console().print(plain(f"no such runs are stored in {store}; edgeprof profile MODEL -d local makes one"))
        return
    found = table(
        "run", "when", "device", "model", "recipe", "launches", "status", right=("launches",), whole=("run", "when")
    )
    for row in rows:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_unix_s))
        status = row.status if row.origin in _OURS else f"foreign ({row.origin})"
        launches = row.n_launches if row.origin == ORIGIN else ""  # a summary has none of ours
        texts = (row.run_id, when, row.device, row.model, row.recipe, launches, status)
        found.add_row(*(plain(text) for text in texts))
    console().print(found)


def row_item(row: RunRow) -> dict[str, Any]:
    """Return a line of `run list`."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}
