"""The whole flow on three virtual boards at once: measured in parallel, compared, shown, judged."""

import jsonschema
import numpy as np
import pytest

from edgeprof.report.document import schema

pytestmark = pytest.mark.tensorflow

# An agent in Python beside two in C, which take a fraction of an emulated processor's time.
KINDS = {"a": "no-python", "b": "no-python", "c": "cortex-a76"}
DEVICES = tuple(word for name in KINDS for word in ("-d", name))
RELEASE = """
launches = 2

[[artifact]]
file = "{model}"
eval = {{ clean = "{few}" }}
"""
BUDGET = """
[[budget]]
device = "{device}"
instructions = "{most}"
size = "1 MiB"
top1 = {{ clean = "50 %" }}
"""


@pytest.fixture
def fewer(example, tmp_path):
    """Forty samples: three emulated processors on two cores are slow."""
    whole = np.load(example / "test.npz")
    np.savez(tmp_path / "fewer.npz", x=whole["x"][:40], y=whole["y"][:40])
    return tmp_path / "fewer.npz"


def test_three_boards_are_measured_compared_shown_and_judged_one_command_after_another(
    add, cli, tflite, fewer, example
):
    for name, kind in KINDS.items():
        add(kind, name, clock="instructions")
    data = ("--calibration", example / "calibration.npz", "--eval", fewer)

    profiled = cli(
        *("profile", example / "fashion_cnn.keras", *DEVICES, "-r", "fp32", "-r", "int8", *data),
        *("-k", "2", "--runs", "2", "--json"),
    )
    assert profiled.code == 0, profiled.err
    measured = profiled.json()
    jsonschema.validate(measured, schema())
    ids = [item["run_id"] for item in measured["items"]]
    assert [(item["device"], item["artifact"]["recipe"], item["status"]) for item in measured["items"]] == [
        (device, recipe, "complete") for device in KINDS for recipe in ("fp32", "int8")
    ]
    assert len({item["session"] for item in measured["items"]}) == 1
    ratios = {found["other"]: found["ratio"] for found in measured["comparisons"]}
    assert list(ratios) == ids[1::2]
    assert {found["name"] for found in measured["comparisons"]} == {"guest_instructions"}

    compared = cli("compare", *ids, "--axis", "recipe", "--json")
    assert compared.code == 0, compared.err
    document = compared.json()
    jsonschema.validate(document, schema())
    cells = {(item["device"], item["recipe"]): item for item in document["items"]}
    for device in KINDS:
        assert cells[device, "int8"]["method"] == "in_turns"
        assert cells[device, "int8"]["comparison"]["ratio"] == ratios[cells[device, "int8"]["run_id"]]
        assert cells[device, "fp32"]["method"] == "base"

    reported = cli("report", *ids, "-o", "report.html")
    page = (cli.folder / "report.html").read_text()
    assert reported.code == 0, reported.err
    assert len(page) < 500_000
    assert all(f'id="r{run_id}"' in page for run_id in ids)

    budgets = [BUDGET.format(device=device, most="1 G" if device != "c" else "1 k") for device in KINDS]
    release = RELEASE.format(model=tflite["int8"], few=fewer) + "".join(budgets)
    (cli.folder / "release.toml").write_text(release)
    judged = cli("validate", "release.toml", "--annotate", "--json")
    gate = judged.json()
    jsonschema.validate(gate, schema())
    assert judged.code == 3, judged.err
    assert {(item["device"], item["figure"]): item["verdict"] for item in gate["items"]} == {
        **{(device, figure): "pass" for device in KINDS for figure in ("size", "top1", "instructions")},
        ("c", "instructions"): "fail",
    }
    line = release.splitlines().index('instructions = "1 k"') + 1
    assert f"::error file=release.toml,line={line},title=edgeprof%3A fail::" in judged.err
