"""The error report names what int8 breaks, and what it suggests repairs it."""

import json
import subprocess
import sys
import tomllib

import jsonschema
import pytest

from edgeprof.compress import CompressRequest, compress
from edgeprof.compress.error_report import report_errors
from edgeprof.errors import UsageError
from edgeprof.report.document import schema
from edgeprof.report.error_report import print_error_report
from tests.compress.conftest import silent
from tests.compress.test_recipes_effect import accuracy

pytestmark = pytest.mark.tensorflow


def request(folder, *recipes, model="broken.keras"):
    return CompressRequest(folder / model, recipes, folder / "calibration.npz")


@pytest.fixture(scope="module")
def broken(step_models):
    return report_errors(request(step_models, "int8"), silent)


def test_the_layer_that_breaks_int8_comes_first_by_its_name(broken):
    worst, second = broken.rows[:2]

    assert (worst.layer, worst.op) == ("broken", "FULLY_CONNECTED")
    assert worst.rmse_steps > 5 * second.rmse_steps
    assert {row.layer for row in broken.rows} >= {"hidden", "broken", "head"}


def test_leaving_it_in_float_repairs_the_model_and_what_that_costs_is_said(broken):
    assert broken.verdict == "repaired"
    assert broken.after.leave_float == ("broken",)
    assert broken.before.agreed < 0.8 * broken.n
    assert broken.after.agreed >= 0.99 * broken.n
    assert broken.after.sqnr_db > 20 > broken.before.sqnr_db
    assert broken.after.size_bytes > broken.before.size_bytes


def test_the_suggested_recipe_as_printed_gives_the_file_it_promises(broken, step_models, tmp_path, capsys):
    print_error_report(broken, as_json=False)
    shown = capsys.readouterr().out
    recipe = shown.partition("board:")[2]
    (tmp_path / "part.toml").write_text(recipe)

    (made,) = compress(request(step_models, str(tmp_path / "part.toml")), silent)

    assert tomllib.loads(recipe)["conversion"]["leave_float"] == ["broken"]
    assert made.size_bytes == broken.after.size_bytes
    assert accuracy(made, step_models) > 0.9


def test_a_tensor_too_narrow_for_its_range_is_repaired_with_what_reads_it(step_models):
    command = ["compress", step_models / "offset.keras", "--error-report", "--io", "float", "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "edgeprof", *map(str, command), "--calibration", str(step_models / "calibration.npz")],
        capture_output=True,
        text=True,
        check=True,
    )

    found = json.loads(done.stdout)
    jsonschema.validate(found, schema())
    (item,) = found["items"]
    narrowest = min((row for row in item["layers"] if row["spread_steps"] is not None), key=lambda r: r["spread_steps"])
    assert narrowest["layer"] == "dense_1"
    assert item["verdict"] == "repaired"
    assert item["after"]["leave_float"] == ["dense_1", "softmax"]
    assert item["suggestion"]["conversion"] == {"type": "int8", "leave_float": item["after"]["leave_float"]}


@pytest.mark.parametrize("recipes", [("fp16",), ("int8", "int8-tensor"), ("w4a8",)])
def test_a_report_is_of_one_int8_recipe(recipes, step_models):
    with pytest.raises(UsageError, match="an error report is of one int8 recipe, not of"):
        report_errors(request(step_models, *recipes), silent)
