"""What `doctor` found."""

from collections.abc import Iterable
from dataclasses import asdict

from rich.table import Table

from edgeprof.doctor import ABSENT, OK, STATES, WRONG, Finding
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, write

_WIDTH = 2 + max(map(len, STATES))


def print_findings(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print `doctor`, each finding as it comes; return whether nothing is wrong."""
    if as_json:
        found = list(findings)
        write(document("doctor", [asdict(finding) for finding in found]))
        return all(finding.state != WRONG for finding in found)
    out, found = console(), []
    for finding in findings:
        if not found or found[-1].area != finding.area:
            out.print(plain(finding.area))
        found.append(finding)
        out.print(_row(finding))
    out.print(plain(_sum(found)))
    return all(finding.state != WRONG for finding in found)


def _row(finding: Finding) -> Table:
    """Return a finding whose text, where it is folded, stays in its column."""
    row = Table.grid(padding=(0, 2))
    row.add_column(width=_WIDTH)
    row.add_column(overflow="fold")
    row.add_row(f"  {finding.state}", plain(f"{finding.name}: {finding.text}"))
    if finding.hint:
        row.add_row("", plain(f"hint: {finding.hint}"))
    return row


def _sum(found: list[Finding]) -> str:
    wrong, absent = ([one.name for one in found if one.state == state] for state in (WRONG, ABSENT))
    parts = [f"{sum(one.state == OK for one in found)} of {len(found)} are ready"]
    parts += [f"not here, and needed by some alone: {', '.join(absent)}"] if absent else []
    parts += [f"wrong: {', '.join(wrong)}"] if wrong else []
    return "; ".join(parts)
