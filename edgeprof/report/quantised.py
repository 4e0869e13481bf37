"""Why a quantised model loses here, or gains little, as a sentence and as JSON."""

from collections.abc import Sequence
from typing import Any

from edgeprof import units
from edgeprof.compare.quantised import SLOWER, Finding
from edgeprof.records import RunResult
from edgeprof.report.names import cell_name


def finding_text(found: Finding, runs: Sequence[RunResult]) -> str:
    """Return what was found as one sentence."""
    beside = [run for run in runs if run.group == found.base.group]
    where = f"{found.base.device}: " if len({run.device for run in runs}) > 1 else ""
    other, base = cell_name(found.other, beside), cell_name(found.base, beside)
    if found.kind == SLOWER:
        what = f"{where}{other} is {units.three_digits(found.ratio)} × slower than {base} here"
    else:
        gain, allowed = (units.three_digits(1 / r) for r in (found.ratio, found.expected_ratio or 1))
        what = f"{where}{other} is only {gain} × as fast as {base} here, where its products alone could be {allowed} ×"
    if found.reasons:
        return f"{what} because {'; and because '.join(reason.text for reason in found.reasons)}"
    more = "" if found.other.op_profile else "; `--per-op` would look further"
    return f"{what}; no reason was found in what was measured{more}"


def finding_item(found: Finding, runs: Sequence[RunResult]) -> dict[str, Any]:
    """Return what was found for a document."""
    return {
        "base": found.base.run_id,
        "other": found.other.run_id,
        "kind": found.kind,
        "ratio": found.ratio,
        "expected_ratio": found.expected_ratio,
        "reasons": [{"code": reason.code, "text": reason.text} for reason in found.reasons],
        "text": finding_text(found, runs),
    }
