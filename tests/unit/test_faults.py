"""docs/faults.md names tests that exist, and messages that those tests assert."""

import ast
import re
from functools import cache

import pytest

from tests.faultlist import ROOT, rows, times

_ENOUGH = 100


@cache
def functions(file: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def texts(function: ast.FunctionDef) -> list[str]:
    """Return every text in a test, its cases included, patterns as what they stand for."""
    found = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
    return [re.sub(r"\\(.)", r"\1", text) for text in found if isinstance(text, str)]


def test_the_list_has_a_hundred_faults_and_each_line_is_one():
    lines = [line for line in (ROOT / "docs" / "faults.md").read_text().splitlines() if "](../tests/" in line]

    assert len(rows()) == len(lines) >= _ENOUGH


def test_no_fault_stands_there_twice():
    names = [(row["file"], row["test"]) for row in rows()]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["test"])
def test_a_listed_fault_has_its_test_and_that_asserts_its_message(row):
    function = functions(row["file"]).get(row["test"])

    assert function is not None, f"{row['file']} has no {row['test']}: mend docs/faults.md"
    comes = row["comes"].strip("`").strip()
    assert comes == "—" or any(comes in text for text in texts(function)), f"{row['test']} does not assert `{comes}`"


def test_a_run_says_how_long_its_listed_faults_took():
    file, name = rows()[0]["file"], rows()[0]["test"]
    phases = (
        (f"{file}::{name}[one]", 2.0),
        (f"{file}::{name}[one]", 1.5),
        (f"{file}::{name}[two]", 1.0),
        ("other", 9.0),
    )
    reports = [pytest.TestReport(case, ("", 0, ""), {}, "passed", None, "call", duration=s) for case, s in phases]

    said = times(reports)

    assert said.startswith("2 cases of the faults in docs/faults.md took 4 s together, 0 s of them on virtual boards; ")
    assert said.endswith("1 of the others took more than 3 s")
    assert times([]) is None
