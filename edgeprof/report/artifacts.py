"""Artifacts for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edgeprof import units
from edgeprof.analysis.weights import StaticCost, static_cost
from edgeprof.records import Artifact
from edgeprof.report.document import artifact_item, document
from edgeprof.report.text import console, plain, table, write

_NUMBERS = ("size", "of float", "gzip", "zstd", "parameters", "not zero", "MACs", "activations")


def print_artifacts(artifacts: Sequence[Artifact], *, as_json: bool) -> None:
    """Print what `compress` made, and what each costs before it runs."""
    costs = [static_cost(artifact.path) for artifact in artifacts]
    if as_json:
        items = [_item(artifact, cost) for artifact, cost in zip(artifacts, costs, strict=True)]
        write(document("artifacts", items))
        return
    found = table("recipe", "file", *_NUMBERS, right=_NUMBERS)
    for artifact, cost in zip(artifacts, costs, strict=True):
        found.add_row(*(plain(text) for text in _row(artifact, cost)))
    out = console()
    out.print(found)
    if any(cost.uncounted for cost in costs):
        names = sorted({name for cost in costs for name in cost.uncounted})
        out.print(plain(f"MACs without those of {', '.join(names)}: shapes do not say"))
    for artifact in artifacts:
        for code, text in artifact.warnings:
            out.print(plain(f"warning: {artifact.recipe}: {text} [{code}]"))
        for code, text in artifact.notes:
            out.print(plain(f"note: {artifact.recipe}: {text} [{code}]"))


def _row(artifact: Artifact, cost: StaticCost) -> tuple[str, ...]:
    return (
        artifact.recipe,
        str(artifact.path),
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
