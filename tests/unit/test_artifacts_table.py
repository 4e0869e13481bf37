"""What `compress` made, in terminals of several widths."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgeprof import resources
from edgeprof.analysis.weights import static_cost
from edgeprof.compress.artifacts import describe
from edgeprof.report.artifacts import _tables

MODEL = resources.folder("device_agents") / "selftest.tflite"
RECIPES = ("fp32", "int8", "dynamic", "int8-p999")


@pytest.mark.parametrize(
    ("columns", "tables", "files"), [(240, 1, True), (115, 1, False), (80, 2, False), (30, len(RECIPES), False)]
)
def test_a_table_is_as_wide_as_the_terminal_and_folds_no_path(columns, tables, files):
    one = describe(MODEL, model="m", recipe="fp32", parent_sha256="0" * 64)
    artifacts = [replace(one, recipe=name, path=Path("/long" * 16)) for name in RECIPES]
    out = Console(width=columns, record=True)

    found = _tables(artifacts, [static_cost(MODEL)] * len(artifacts), out)

    assert len(found) == tables
    assert (str(artifacts[0].path) in _text(found, out)) == files
    assert all(name in _text(found, out) for name in RECIPES)


def _text(tables, out):
    with out.capture() as shown:
        for table in tables:
            out.print(table)
    return shown.get()
