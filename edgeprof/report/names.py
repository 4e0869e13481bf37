"""What a cell is called beside others."""

from collections.abc import Sequence

from edgeprof.records import RunResult


def cell_name(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return the shortest name of a cell that tells it from the others."""
    parts = (
        (run.device, {other.device for other in runs}),
        (run.artifact.model, {other.artifact.model for other in runs}),
        (run.artifact.recipe, {other.artifact.recipe for other in runs}),
        (f"×{run.plan.threads}", {f"×{other.plan.threads}" for other in runs}),
        (run.plan.cpus, {other.plan.cpus for other in runs}),
    )
    return " ".join(name for name, several in parts if len(several) > 1) or run.device
