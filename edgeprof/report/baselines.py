"""Baselines for people and as JSON."""

import time
from collections.abc import Sequence
from statistics import median

from edgeprof import units
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write
from edgeprof.validate import Baseline
from edgeprof.validate.baselines import baseline_item
from edgeprof.validate.figures import BY_KEY


def print_baselines(found: Sequence[Baseline], *, as_json: bool) -> None:
    """Print `baseline list`."""
    if as_json:
        write(document("baseline", [baseline_item(baseline) for baseline in found]))
        return
    rows = table("run", "when", "device", "model", "recipe", "figures, median over launches")
    for baseline in found:
        when = time.strftime("%Y-%m-%d", time.gmtime(baseline.created_unix_s))
        figures = ", ".join(
            f"{key} {units.quantity(BY_KEY[key].metric, median(values))}"
            for key, values in baseline.figures.items()
            if key in BY_KEY and values
        )
        texts = (baseline.run_id, when, baseline.device, baseline.model, baseline.recipe, figures)
        rows.add_row(*(plain(text) for text in texts))
    console().print(rows)
