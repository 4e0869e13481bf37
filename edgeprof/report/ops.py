"""Time by operator, for people and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from edgeprof import units
from edgeprof.records import CLOCK_INSTRUCTIONS, OpTime, RunPlan, RunResult
from edgeprof.report.roofline import limit_item, limit_of, limit_text, peaks_item, peaks_text, roof_of
from edgeprof.report.text import console, plain, table
from edgeprof.report.words import reason_words
from edgeprof.stats import OpShare, OpShares, op_shares

_COSTLIEST = 10
# A range narrower than this reads like the figure itself.
_VISIBLE_RATIO = 0.02
NO_TIME = "no_time_of_its_own"


def per_op_items(run: RunResult, *, raw: bool) -> dict[str, Any]:
    """Return `ops` (a list, the rest last), `op_profile` (how they were measured) and `peaks` (what they may reach)."""
    found, peaks = shares(run), peaks_item(run, raw=raw)
    if found is None:
        profile = {"name": run.plan.metric, "not_measured": not_measured(run)}
        return {"ops": [], "op_profile": profile, "peaks": peaks}
    about: dict[str, Any] = {
        "name": run.plan.metric,
        "method": found.method,
        "unprofiled": found.total,
        "profiled": found.profiled,
        "overhead_ratio": found.overhead_ratio,
        "scale_ratio": found.scale_ratio,
        "n_runs": found.n_runs,
        "n_used": found.n_used,
        "not_measured": None,
    }
    if raw and run.op_profile:
        about["runs"] = [run.plan.amount(value) for value in run.op_profile.latency_ns]
    return {"ops": [_item(row, run, raw=raw) for row in found.rows], "op_profile": about, "peaks": peaks}


def print_costliest(run: RunResult, cell: str) -> None:
    """Print a cell's costliest operators and the rest, or why there are none; nothing where nobody asked."""
    found = shares(run)
    if found is None:
        if not_measured(run) != "not_asked":
            console().print(plain(f"{cell}: operators: not measured ({reason_words(not_measured(run))})"))
        return
    *ops, rest = found.rows
    ordered = sorted((row for row in ops if row.amount is not None), key=lambda row: -(row.amount or 0))
    hidden = len(ops) - len(ordered[:_COSTLIEST])
    more = f"; {hidden} more in `run show {run.run_id}`" if hidden else ""
    console().print(plain(f"{cell}: costliest operators, {method(found, run.plan)}{more}"))
    _print(run, [*ordered[:_COSTLIEST], rest])


def print_all(run: RunResult) -> None:
    """Print every operator in the order in which they ran; nothing where there is none."""
    found = shares(run)
    if found is not None:
        console().print(plain(f"operators, {method(found, run.plan)}"))
        _print(run, found.rows)
    elif not_measured(run) != "not_asked":
        console().print(plain(f"operators: not measured ({reason_words(not_measured(run))})"))


def not_measured(run: RunResult) -> str:
    """Return the code of the reason for which a run has no time by operator."""
    unfinished = "not_reached" if run.op_profile else "not_asked"
    return dict(run.not_measured).get("ops", unfinished)


def shares(run: RunResult) -> OpShares | None:
    """Return the parts of a run by operator; `None` where they were not measured."""
    return None if run.op_profile is None else op_shares(run.op_profile, run.launches, run.plan)


def method(found: OpShares, plan: RunPlan) -> str:
    """Return how the parts were measured, and what the profiler costs."""
    if found.method == "submodels":
        return _by_itself(found, plan)
    whole, profiled = (units.quantity(plan.metric, value) for value in (found.total, found.profiled))
    runs = f"{found.n_used} of {found.n_runs} runs under the profiler"
    scaled = "" if found.scale_ratio == 1 else f"; times scaled by {found.scale_ratio:.3f} to fit"
    return f"{runs}, which costs {units.change(1 + found.overhead_ratio)} ({whole} without, {profiled} with it){scaled}"


def _by_itself(found: OpShares, plan: RunPlan) -> str:
    whole, parts = (units.quantity(plan.metric, value) for value in (found.total, found.profiled))
    scaled = "" if found.scale_ratio == 1 else f"; times scaled by {found.scale_ratio:.3f} to fit"
    return f"each as a model of its own, less the runtime's part of a run: together {parts}, of a run's {whole}{scaled}"


def _print(run: RunResult, rows: Sequence[OpShare]) -> None:
    console().print(_table(run, rows))
    if text := peaks_text(run):
        console().print(plain(text))


def _table(run: RunResult, rows: Sequence[OpShare]) -> Table:
    cost = "instructions" if run.plan.clock == CLOCK_INSTRUCTIONS else "time"
    above = roof_of(run)
    limit = [] if above is None else ["bound by, reached"]
    names = ["share", cost, *limit, "operator", "node", "output", "MACs", "bytes", "run by"]
    found = table(*names, right=("share", cost, "node", "MACs", "bytes"))
    for row in rows:
        share = "" if row.share_ratio is None else units.percent(row.share_ratio)
        bound = [] if above is None else [limit_text(limit_of(row, above))]
        operator, node, output, run_by = op_names(row.op)
        texts = (share, amount_text(row, run.plan), *bound, operator, node, output, *work_texts(row.op), run_by)
        found.add_row(*(plain(text) for text in texts))
    return found


def work_texts(op: OpTime | None) -> tuple[str, str]:
    """Return what a row computes and moves: MACs and bytes; empty where shapes do not say."""
    if op is None or op.moved_bytes is None:
        return "", ""
    return (units.count(op.macs) if op.macs else "" if op.macs == 0 else "not counted"), units.size(op.moved_bytes)


def amount_text(row: OpShare, plan: RunPlan) -> str:
    """Return a row's amount; as a range where the profiler's clock, which rounds down, leaves a visible one."""
    if row.amount is None:
        return ""
    if row.op is None and round(row.share_ratio or 0, 9) == 0:
        return "none left"  # the operators were scaled to fit: how much rest there was is not known
    step = 0.0 if row.op is None else plan.amount(row.op.resolution_ns)
    if step > row.amount:
        return f"< {units.quantity(plan.metric, row.amount + step)}"
    if step > _VISIBLE_RATIO * row.amount:
        return units.interval(plan.metric, row.amount, row.amount, row.amount + step)
    return units.quantity(plan.metric, row.amount)


def op_names(op: OpTime | None) -> tuple[str, str, str, str]:
    """Return what a row is about: operator, node, output, and what ran it."""
    if op is None:
        return "rest: outside any operator", "", "", ""
    node = "" if op.node is None else str(op.node)
    shape = "" if op.shape is None else f"{'×'.join(map(str, op.shape))} {op.dtype}"
    if op.kernel is None:
        return op.op or "", node, shape, "no time of its own: fused, removed, or in a kernel of unknown nodes"
    run_by = f"delegate: {op.kernel}" if op.delegated else "runtime"
    return op.op or "kernel, nodes unknown", node, shape, run_by


def _work(op: OpTime) -> dict[str, Any]:
    names = ("macs", "arithmetic", "weight_bytes", "activation_bytes")
    return {name: getattr(op, name) for name in names}


def _item(row: OpShare, run: RunResult, *, raw: bool) -> dict[str, Any]:
    op, plan = row.op, run.plan
    item: dict[str, Any] = {
        "kind": "rest" if op is None else "kernel" if op.node is None else "operator",
        "node": op and op.node,
        "op": op and op.op,
        "kernel": op and op.kernel,
        "delegated": None if op is None else op.delegated,
        "shape": None if op is None or op.shape is None else list(op.shape),
        "dtype": op and op.dtype,
        "name": plan.metric,
        "point": row.amount,
        "resolution": None if op is None or row.amount is None else plan.amount(op.resolution_ns),
        "share_ratio": row.share_ratio,
        "work": None if op is None or op.moved_bytes is None else _work(op),
        "limit": None if op is None or run.peaks is None else limit_item(limit_of(row, roof_of(run))),
        "not_measured": NO_TIME if row.amount is None else None,
    }
    if raw and op is not None:
        item["runs"] = [plan.amount(value) for value in op.runs_ns]
    return item
