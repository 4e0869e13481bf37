"""The faults that docs/faults.md lists, and how long their tests took in this run."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINE = re.compile(
    r"\| .+ \| (?P<comes>.+) \| \[(?P<test>test_\w+)\]\(\.\./(?P<file>tests/[\w/]+\.py)\) \| (?P<cases>\d+) \|"
)
_MOST_S = 3.0


def rows() -> list[re.Match[str]]:
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    return [match for line in lines if (match := LINE.fullmatch(line))]


def times(reports: Iterable[pytest.TestReport]) -> str | None:
    """Return how long the cases of listed faults took, by the reports of all their phases; `None` where none ran."""
    listed = {f"{row['file']}::{row['test']}" for row in rows()}
    took_s: dict[str, float] = {}
    for report in reports:
        if report.nodeid.partition("[")[0] in listed:
            took_s[report.nodeid] = took_s.get(report.nodeid, 0.0) + report.duration
    if not took_s:
        return None
    boards_s = sum(seconds for case, seconds in took_s.items() if case.startswith("tests/boards/"))
    slow = [case for case, seconds in took_s.items() if seconds > _MOST_S and not case.startswith("tests/boards/")]
    return (
        f"{len(took_s)} cases of the faults in docs/faults.md took {sum(took_s.values()):.0f} s together, "
        f"{boards_s:.0f} s of them on virtual boards; {len(slow)} of the others took more than {_MOST_S:g} s"
    )
