"""docs/faults.md names tests that exist, and messages that those tests assert."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LINE = re.compile(
    r"\| .+ \| (?P<comes>.+) \| \[(?P<test>test_\w+)\]\(\.\./(?P<file>tests/[\w/]+\.py)\) \| (?P<cases>\d+) \|"
)
_ENOUGH = 100


def rows() -> list[re.Match[str]]:
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    return [match for line in lines if (match := _LINE.fullmatch(line))]


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
