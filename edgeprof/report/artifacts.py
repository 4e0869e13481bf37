"""Artifacts for people."""

from collections.abc import Sequence

from edgeprof import units
from edgeprof.records import Artifact, TensorSpec
from edgeprof.report.document import artifact_item, document
from edgeprof.report.text import console, plain, table, write


def print_artifacts(artifacts: Sequence[Artifact], *, as_json: bool) -> None:
    """Print what `compress` made."""
    if as_json:
        write(document("artifacts", [artifact_item(artifact) for artifact in artifacts]))
        return
    found = table("recipe", "file", "size", "inputs", "outputs", right=("size",))
    for artifact in artifacts:
        shapes = (_tensors(artifact.inputs), _tensors(artifact.outputs))
        texts = (artifact.recipe, artifact.path, units.size(artifact.size_bytes), *shapes)
        found.add_row(*(plain(text) for text in texts))
    console().print(found)
    for artifact in artifacts:
        for code, text in artifact.warnings:
            console().print(plain(f"warning: {artifact.recipe}: {text} [{code}]"))


def _tensors(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{'×'.join(map(str, spec.shape))} {spec.dtype}" for spec in specs)
