"""What a command that changes or checks something has done: a line each for people, or a document."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeprof import units
from edgeprof.exchange import Verified
from edgeprof.records import RunResult
from edgeprof.report.document import document
from edgeprof.report.text import write
from edgeprof.validate import Baseline
from edgeprof.validate.baselines import baseline_item


def print_removed(run_ids: Sequence[str], *, as_json: bool) -> None:
    """Print `run remove`."""
    items = [{"run_id": run_id} for run_id in run_ids]
    _print("removed", items, [f"removed {run_id}" for run_id in run_ids], as_json=as_json)


def print_imported(added: Sequence[tuple[str, bool]], *, as_json: bool) -> None:
    """Print `run import`: names of runs, and whether they are new to the store."""
    items = [{"run_id": run_id, "new": new} for run_id, new in added]
    lines = [f"{'imported' if new else 'already there:'} {run_id}" for run_id, new in added]
    _print("imported", items, lines, as_json=as_json)


def print_written(path: Path, runs: Sequence[RunResult], *, as_json: bool) -> None:
    """Print the file that `report` or `run bundle` wrote about runs."""
    data = path.read_bytes()
    item = {
        "path": str(path),
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "runs": list(dict.fromkeys(run.run_id for run in runs)),
    }
    line = f"wrote {path} ({units.size(len(data))}), sha256 {item['sha256']}"
    _print("written", [item], [line], as_json=as_json)


def print_verified(path: Path, found: Verified, *, as_json: bool) -> None:
    """Print `verify` of a bundle that is as it was written."""
    ids = [run.run_id for run in found.runs]
    item = {
        "path": str(path),
        "sha256": found.sha256,
        "files": found.files,
        "figures": found.figures,
        "made_by": found.made_by,
        "runs": ids,
    }
    lines = [
        f"{path}: {found.files} files as listed, {found.figures} figures follow from the samples of {', '.join(ids)}",
        f"written by edgeprof {found.made_by}; sha256 {found.sha256}",
    ]
    _print("verified", [item], lines, as_json=as_json)


def print_saved(made: Sequence[Baseline], *, as_json: bool) -> None:
    """Print `baseline save`: what was saved now, as `baseline list` has it."""
    lines = [f"saved {b.run_id}: {b.model} {b.recipe} on {b.device}, {len(b.figures)} figures" for b in made]
    _print("baseline", [baseline_item(baseline) for baseline in made], lines, as_json=as_json)


def _print(kind: str, items: Sequence[dict[str, Any]], lines: Sequence[str], *, as_json: bool) -> None:
    for text in [document(kind, items)] if as_json else lines:
        write(text)
