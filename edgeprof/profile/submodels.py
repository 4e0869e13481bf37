"""Time by operator where no profiler is needed: each operator is cut out of the file and run as a model of its own."""

import hashlib
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

from edgeprof.analysis import cut, distinct, one_product
from edgeprof.analysis.graph import Operator
from edgeprof.errors import ChildError, DeviceError, LinkLost
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell, child_request, int64s
from edgeprof.records import CLOCK_INSTRUCTIONS, OpProfile, OpTime
from edgeprof.remote import Board

_WARM_UP_S, _RUN_S = 0.03, 0.1
_FEWEST_RUNS, _MOST_RUNS = 12, 100
_SHOWN = 3


def by_submodels(board: Board, cell: LiveCell, operators: tuple[Operator, ...]) -> OpProfile:
    """Return the time of each operator that can stand alone; the others keep a row without one.

    Raises:
        ChildError: The runtime does not even run a model of one product.
        LinkLost: The way is gone.
        ModelError: The file cannot be read.
    """
    quantised = cell.run.facts is not None and cell.run.facts.quantised
    call_ns, calls_ns, _ = _timed(board, cell.cell, one_product("int8" if quantised else "float32").model)
    first, _, last = quantiles(calls_ns, n=4)
    noise_ns = max(1, round(last - first))  # what is subtracted is known no better
    found = cut(cell.run.artifact.path)
    rows: dict[int, OpTime] = {}
    failed = {
        f"{operators[one.node].name} ({(one.why_not or '').replace('_', ' ')})": None for one in found if one.why_not
    }
    for model, nodes in distinct(found).items():
        try:
            _, runs_ns, delegate = _timed(board, cell.cell, model)
        except ChildError as exc:
            failed[f"{operators[nodes[0]].name} ({exc.message})"] = None
            continue
        for node in nodes:
            row = _row(operators[node], runs_ns, noise_ns)
            rows[node] = replace(row, delegated=delegate == "xnnpack")
    if failed:
        names = list(failed)
        more = f" and {len(names) - _SHOWN} more kinds" if len(names) > _SHOWN else ""
        cell.warn("submodel_failed", f"not measured by themselves: {', '.join(names[:_SHOWN])}{more}")
    ops = tuple(rows.get(operator.index) or _silent(operator) for operator in operators)
    return OpProfile(ops, (), "submodels", call_ns)


def _timed(board: Board, cell: Cell, model: bytes) -> tuple[float, tuple[int, ...], str]:
    """Return a model's median, its runs and the delegate that took it, in a process of its own."""
    sha256 = hashlib.sha256(model).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.tflite")
        path.write_bytes(model)
        board.push_model(path, sha256)
    agent, plan = board.agent, cell.plan
    child = agent.open(child_request(board, replace(cell, sha256=sha256, input_sha256=None)))
    try:
        if plan.clock == CLOCK_INSTRUCTIONS:
            agent.invoke_count(child.child, 2, plan.timeout_s)
            done = agent.invoke_count(child.child, _FEWEST_RUNS, plan.timeout_s)
        else:
            agent.invoke_for(child.child, _WARM_UP_S, 2, plan.timeout_s)
            done = agent.invoke_for(child.child, _RUN_S, _FEWEST_RUNS, plan.timeout_s, most_samples=_MOST_RUNS)
        runs_ns = int64s(board, done)
    finally:
        with suppress(DeviceError, LinkLost):  # gone already, or with the link
            agent.close(child.child, acknowledged=True)
    return float(median(runs_ns)), runs_ns, child.runtime.delegate


def _row(operator: Operator, runs_ns: tuple[int, ...], noise_ns: int) -> OpTime:
    return OpTime(
        kernel="a model of its own",
        delegated=False,
        node=operator.index,
        op=operator.name,
        shape=operator.shape,
        dtype=operator.dtype,
        resolution_ns=noise_ns,
        runs_ns=runs_ns,
    )


def _silent(operator: Operator) -> OpTime:
    return OpTime(None, False, operator.index, operator.name, operator.shape, operator.dtype, 1, ())  # noqa: FBT003
