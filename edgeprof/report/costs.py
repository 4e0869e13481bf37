"""What a file says of a model, for people."""

from dataclasses import asdict
from typing import Any

from edgeprof import units
from edgeprof.analysis import ModelCost, OpCost
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write

_NUMBERS = ("node", "MACs", "FLOPs", "share", "parameters", "weights", "activations", "live")

_WHOLE = ("node", "operator", "output", "live")
_SPARE = ("FLOPs", "parameters", "share", "weights")


def print_costs(name: str, cost: ModelCost, top: int | None, *, as_json: bool) -> None:
    """Print `inspect`: a line an operator, the costliest `top` if asked, and the whole below."""
    if as_json:
        write(document("inspection", [_item(name, cost)]))
        return
    shown = cost.ops if top is None else sorted(cost.ops, key=lambda op: -(op.macs or 0))[:top]
    found = table("node", "operator", "output", *_NUMBERS[1:], right=_NUMBERS, whole=_WHOLE, spare=_SPARE)
    for op in shown:
        found.add_row(*(plain(text) for text in _row(op, cost)))
    out = console()
    out.print(found)
    for line in _whole(cost, len(shown)):
        out.print(plain(line))


def _item(name: str, cost: ModelCost) -> dict[str, Any]:
    """Return a model's costs, with FLOPs: a multiplication and an addition for each MAC."""
    ops = [{**asdict(op), "flops": None if op.macs is None else 2 * op.macs} for op in cost.ops]
    return {"model": name, **asdict(cost), "flops": 2 * cost.macs, "ops": ops}


def _row(op: OpCost, cost: ModelCost) -> tuple[str, ...]:
    output = "" if op.shape is None else f"{'×'.join(map(str, op.shape)) or 'scalar'} {op.dtype}"
    macs = "not counted" if op.macs is None else units.count(op.macs) if op.macs else ""
    flops = units.count(2 * op.macs) if op.macs else ""
    share = units.percent(op.macs / cost.macs) if op.macs else ""
    peak = " ◀ most" if op.index == cost.peak_op else ""
    parameters = units.count(op.parameters) if op.parameters else ""
    weights = units.size(op.weight_bytes) if op.weight_bytes else ""
    live = f"{units.size(op.live_bytes)}{peak}"
    return (
        str(op.index),
        op.name,
        output,
        macs,
        flops,
        share,
        parameters,
        weights,
        units.size(op.activation_bytes),
        live,
    )


def _whole(cost: ModelCost, shown: int) -> list[str]:
    left = len(cost.ops) - shown
    lines = [f"{left} operators more: without --top"] if left else []
    lines.append(
        f"{len(cost.ops)} operators, {units.count(cost.macs)} MACs ({units.count(2 * cost.macs)} FLOPs), "
        f"{units.count(cost.parameters)} parameters in {units.size(cost.weight_bytes)} "
        f"of a file of {units.size(cost.file_bytes)}; at most {units.size(cost.peak_live_bytes)} of activations at once"
    )
    if cost.uncounted:
        lines.append(f"not counted, for shapes do not say: {', '.join(cost.uncounted)}")
    if cost.other_graphs:
        lines.append(f"{cost.other_graphs} graphs besides the main one (bodies of loops) are not counted")
    return lines
