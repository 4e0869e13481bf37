"""What a cell is called beside others."""

from collections.abc import Sequence

from edgeprof.records import RunResult


def cell_name(run: RunResult, runs: Sequence[RunResult]) -> str:
    """Return the shortest name of a cell that tells it from the others; the second of a control is `… again`."""
    parts = (
        (run.device, {other.device for other in runs}),
        (run.artifact.model, {other.artifact.model for other in runs}),
        (run.artifact.recipe, {other.artifact.recipe for other in runs}),
        (f"×{run.plan.threads}", {f"×{other.plan.threads}" for other in runs}),
        (run.plan.cpus, {other.plan.cpus for other in runs}),
    )
    name = " ".join(name for name, several in parts if len(several) > 1) or run.device
    return f"{name} again" if is_again(run, runs) else name


def cell_names(some: Sequence[RunResult], runs: Sequence[RunResult]) -> str:
    """Return the names of some cells of `runs`, shorter where they are all, or all of a device: `all of pi5`."""
    if len(some) == len(runs) > 1:
        return "all"
    found = []
    for device in dict.fromkeys(run.device for run in some):
        mine, its = ([run for run in part if run.device == device] for part in (some, runs))
        found += [f"all of {device}"] if len(mine) == len(its) > 1 else [cell_name(run, runs) for run in mine]
    return ", ".join(found)


def is_again(run: RunResult, runs: Sequence[RunResult]) -> bool:
    """Whether a run is the second of a control: an artifact that takes turns with itself."""
    first = next((other for other in runs if other.group == run.group and _cell(other) == _cell(run)), run)
    return run.group is not None and first.run_id != run.run_id


def _cell(run: RunResult) -> tuple[object, ...]:
    return (run.device, run.artifact.sha256, run.artifact.recipe, run.plan.threads, run.plan.cpus)
