"""Artifacts for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from edgeprof import units
from edgeprof.analysis.weights import StaticCost, static_cost
from edgeprof.records import Artifact
from edgeprof.report.document import document
from edgeprof.report.items import artifact_item
from edgeprof.report.text import console, plain, table, write

_UNBOUNDED = 1000
_NAME_WIDTH, _CELL_WIDTH = 11, 22
# An arrow says which way is better; zeros are no cost or gain by themselves.
_NUMBERS = ("size ↓", "of float ↓", "gzip ↓", "zstd ↓", "parameters ↓", "not zero", "MACs ↓", "activations ↓")


def print_artifacts(artifacts: Sequence[Artifact], *, as_json: bool) -> None:
    """Print what `compress` made, and what each costs before it runs."""
    costs = [static_cost(artifact.path) for artifact in artifacts]
    if as_json:
        items = [_item(artifact, cost) for artifact, cost in zip(artifacts, costs, strict=True)]
        write(document("artifacts", items))
        return
    out = console()
    shown = _tables(artifacts, costs, out)
    for found in shown:
        out.print(found)
    if "file" not in (column.header for column in shown[0].columns):
        for artifact in artifacts:
            out.print(plain(f"{artifact.recipe}: {artifact.path}"))
    if any(cost.uncounted for cost in costs):
        names = sorted({name for cost in costs for name in cost.uncounted})
        out.print(plain(f"MACs without those of {', '.join(names)}: shapes do not say"))
    for artifact in artifacts:
        for code, text in artifact.warnings:
            out.print(plain(f"warning: {artifact.recipe}: {text} [{code}]"))
        for code, text in artifact.notes:
            out.print(plain(f"note: {artifact.recipe}: {text} [{code}]"))


def _tables(artifacts: Sequence[Artifact], costs: Sequence[StaticCost], out: Console) -> list[Table]:
    """Return a table with a row for each artifact, or what fits of it: without the files, then a column for each."""
    figures = [_figures(artifact, cost) for artifact, cost in zip(artifacts, costs, strict=True)]
    for names in (("file", *_NUMBERS), _NUMBERS):
        wide = table("recipe", *names, right=_NUMBERS)
        for artifact, row in zip(artifacts, figures, strict=True):
            file = (str(artifact.path),) if "file" in names else ()
            wide.add_row(*map(plain, (artifact.recipe, *file, *row)))
        if out.measure(wide, options=out.options.update(max_width=_UNBOUNDED)).maximum <= out.width:
            return [wide]
    beside = max(1, (out.width - _NAME_WIDTH) // _CELL_WIDTH)
    starts = range(0, max(1, len(artifacts)), beside)
    return [_upright(artifacts[start : start + beside], figures[start : start + beside]) for start in starts]


def _upright(artifacts: Sequence[Artifact], figures: Sequence[Sequence[str]]) -> Table:
    found = table("recipe", *(str(plain(artifact.recipe)) for artifact in artifacts))
    for i, name in enumerate(_NUMBERS):
        found.add_row(name, *(plain(row[i]) for row in figures))
    return found


def _figures(artifact: Artifact, cost: StaticCost) -> tuple[str, ...]:
    return (
        units.size(artifact.size_bytes),
        _ratio(artifact),
        units.size(cost.gzip_bytes),
        units.size(cost.zstd_bytes),
        units.count(cost.parameters),
        units.percent(cost.nonzero_parameters / cost.parameters) if cost.parameters else "",
        units.count(cost.macs),
        units.size(cost.peak_live_bytes),
    )


def _ratio(artifact: Artifact) -> str:
    if not artifact.float_bytes:
        return "not measured"
    ratio = artifact.size_bytes / artifact.float_bytes
    return f"{units.percent(ratio)} (1/{1 / ratio:.1f})"


def _item(artifact: Artifact, cost: StaticCost) -> dict[str, Any]:
    """Return an artifact with its static figures; ratios are after over before, their inverse says so."""
    ratio = artifact.size_bytes / artifact.float_bytes if artifact.float_bytes else None
    figures = {
        **asdict(cost),
        "types": dict(cost.types),
        "uncounted": list(cost.uncounted),
        "flops": 2 * cost.macs,
        "size_ratio": ratio,
        "inverse_size_ratio": None if ratio is None else 1 / ratio,
    }
    return {**artifact_item(artifact), "static": figures}
