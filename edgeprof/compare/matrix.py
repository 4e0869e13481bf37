"""Every run against its base, along one axis; or the reason for which it is not compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgeprof.compare.conditions import AXES, DEVICE, Axis, Change, differences
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean
from edgeprof.records import ORIGIN, Comparison, RunResult
from edgeprof.stats import MARGIN_RATIO, Compared, compare, compare_separate, comparison, decide

BASE, IN_TURNS, SEPARATE, REFUSED = "base", "in_turns", "separate", "refused"


@dataclass(frozen=True, slots=True)
class Cell:
    """A run's place in a matrix.

    Attributes:
        run: The run.
        base: The run it is held against; `None` where there is none.
        method: `base`, `in_turns` (measured with its base, block by block), `separate` (from launches of two sessions)
            or `refused`.
        comparison: The ratio with its verdict, or `None` for a base and where it is refused.
        changes: What the axis changed between the two.
        refused: Why they are not compared; empty where they are.
    """

    run: RunResult
    base: RunResult | None
    method: str
    comparison: Comparison | None = None
    changes: tuple[Change, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """Runs along one axis.

    Attributes:
        axis: What is varied.
        found: Nobody named the axis: it is the one along which the most runs compare.
        base: The run that all is held against, or its like on each device.
        cells: One a run, in the order they were named.
    """

    axis: Axis
    found: bool
    base: RunResult
    cells: tuple[Cell, ...]


def relate(
    runs: Sequence[RunResult],
    base_id: str | None = None,
    axis_name: str | None = None,
    margin_ratio: float = MARGIN_RATIO,
) -> Matrix:
    """Return how runs relate to a base.

    Along any axis but `device` each run is held against the base's like on its own device; along `device` against its
    own like on the base's. A count of instructions is held against no time: runs of the other metric than the base's
    have a base of their own, the base's like where it is among them. All verdicts share one chance of error (Holm).

    Args:
        runs: Two or more.
        base_id: The base, by its name or first digits; the first run unless given.
        axis_name: What is varied, or `None` to find it.
        margin_ratio: A change within this share counts as the same.

    Raises:
        UsageError: There are fewer than two runs, or base or axis are unknown.
    """
    distinct = list({run.run_id: run for run in runs}.values())
    if len(distinct) < 2:
        raise UsageError("one run compares with nothing", "name two or more: `edgeprof run list` shows all")
    base = _base(distinct, base_id)
    wanted = AXES if axis_name is None else (_axis(axis_name),)
    cells, axis = max(((_cells(distinct, base, axis), axis) for axis in wanted), key=lambda found: _compared(found[0]))
    return Matrix(axis, axis_name is None, base, _judged(cells, margin_ratio))


def _compared(cells: Sequence[Cell]) -> int:
    return sum(cell.method in (IN_TURNS, SEPARATE) for cell in cells)


def _base(runs: Sequence[RunResult], base_id: str | None) -> RunResult:
    if base_id is None:
        return next((run for run in runs if run.launches), runs[0])
    fitting = [run for run in runs if run.run_id.startswith(base_id)]
    if len(fitting) != 1:
        names = ", ".join(run.run_id for run in runs)
        raise UsageError(f"--base `{base_id}` is none of the runs to compare, or several", f"one of {names}")
    return fitting[0]


def _axis(name: str) -> Axis:
    names = [axis.name for axis in AXES]
    if name not in names:
        raise UsageError(f"unknown axis: `{name}`", did_you_mean(name, names) + f"known axes: {', '.join(names)}")
    return next(axis for axis in AXES if axis.name == name)


def _cells(runs: Sequence[RunResult], base: RunResult, axis: Axis) -> list[Cell]:
    bases = _bases(runs, base)
    kin = {metric: [run for run in runs if run.plan.metric == metric] for metric in bases}
    return [
        _cell(run, _mate(run, kin[run.plan.metric], bases[run.plan.metric], axis), axis)
        if run.plan.metric == base.plan.metric or len(kin[run.plan.metric]) > 1
        else _lone(run, base)
        for run in runs
    ]


def _bases(runs: Sequence[RunResult], base: RunResult) -> dict[str, RunResult]:
    """Return what the runs of each metric are held against: the base, or of another metric its like, or the first."""
    found = {base.plan.metric: base}
    for metric in {run.plan.metric for run in runs} - found.keys():
        own = [run for run in runs if run.plan.metric == metric]
        with_launches = [run for run in own if run.launches] or own
        found[metric] = next((run for run in with_launches if _alike(base, run)), with_launches[0])
    return found


def _lone(run: RunResult, base: RunResult) -> Cell:
    """Return the cell of the only run of a metric which is not the base's."""
    metric, other = run.plan.metric, base.plan.metric
    return Cell(
        run,
        base,
        REFUSED,
        refused=(
            f"metric: {metric}, the base's is {other}: a count stands against no time; name another run in {metric}",
        ),
    )


def _mate(run: RunResult, runs: Sequence[RunResult], base: RunResult, axis: Axis) -> RunResult | None:
    """Return what a run is held against: the base, or the one that stands for it in the run's row or column."""
    if axis is DEVICE:
        there = [r for r in runs if r.device == base.device and _alike(r, run)]
    else:
        there = [r for r in runs if r.device == run.device and _alike(base, r)]
    if base in there or (run.device == base.device and axis is not DEVICE):
        return base
    together = [r for r in there if r is run or (r.group is not None and r.group == run.group)]
    return next(iter([*together, *there]), None)


def _alike(one: RunResult, other: RunResult) -> bool:
    """Return whether two runs differ in nothing but the board, and in what it measures in."""
    return all(DEVICE.allows(change) or change.name == "metric" for change in differences(one, other))


def _cell(run: RunResult, base: RunResult | None, axis: Axis) -> Cell:
    if base is None:
        like = "its like on the base's device" if axis is DEVICE else f"the base's like on `{run.device}`"
        reason = f"no run to hold it against: {like} is not among the runs; measure it, and name it too"
        return Cell(run, None, REFUSED, refused=(reason,))
    if run is base:
        return Cell(run, base, BASE)
    found = differences(base, run)
    reasons = tuple(f"{c.name}: {c.other}, the base's is {c.base}" for c in found if not axis.allows(c))
    foreign = next((r for r in (base, run) if r.origin != ORIGIN), None)
    if foreign is not None:
        reasons = (f"{foreign.run_id} is {foreign.origin}'s summary, which holds no launches to compare", *reasons)
    empty = next((r for r in (base, run) if not r.launches and r.origin == ORIGIN), None)
    if empty is not None:
        reasons = (f"{empty.run_id} has no launches", *reasons)
    method = REFUSED if reasons else IN_TURNS if run.group is not None and run.group == base.group else SEPARATE
    return Cell(run, base, method, changes=tuple(c for c in found if axis.allows(c)), refused=reasons)


def _judged(cells: Sequence[Cell], margin_ratio: float) -> tuple[Cell, ...]:
    pairs = [_pair(cell, margin_ratio) for cell in cells]
    return tuple(
        cell
        if cell.base is None or cell.method in (BASE, REFUSED)
        else replace(cell, comparison=comparison(cell.base, cell.run, pair, verdict))
        for cell, pair, verdict in zip(cells, pairs, decide(pairs), strict=True)
    )


def _pair(cell: Cell, margin_ratio: float) -> Compared | None:
    if cell.base is None or cell.method in (BASE, REFUSED):
        return None
    # Either run may have ended at a look of its own: the error is shared as for the one that had more.
    looks = max(len(cell.base.plan.looks), len(cell.run.plan.looks))
    how = compare if cell.method == IN_TURNS else compare_separate
    return how(cell.base.launches, cell.run.launches, looks, margin_ratio)
