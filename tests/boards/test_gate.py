"""The example release gate on a virtual board that counts instructions: an injected regression of 1 % is found."""

import json
import shutil

import pytest

from tests.conftest import ROOT

RELEASE = ROOT / "examples/release_gate/release.toml"

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def gate(cli, add_standing, tflite):
    """Run the example's own release file on a virtual board, with a baseline of the model as it is."""
    add_standing("cortex-a76", "lab-cortex-a76", clock="instructions")
    shutil.copy(RELEASE, cli.folder / "release.toml")
    shutil.copy(tflite["int8"], cli.folder / "model.tflite")
    measured = cli("profile", "model.tflite", "-d", "lab-cortex-a76", "--json")
    assert measured.code == 0, measured.err
    saved = cli("baseline", "save", measured.json()["items"][0]["run_id"])
    assert saved.code == 0, saved.err
    return lambda: cli("validate", "release.toml", "--json")


def test_the_gate_passes_what_costs_the_same_and_fails_what_costs_one_percent_more(gate, cli):
    same = gate()
    assert same.code == 0, same.out + same.err

    _change(
        cli.folder,
        lambda item: item["figures"].update(instructions=[v / 1.02 for v in item["figures"]["instructions"]]),
    )
    worse = gate()
    failed = next(item for item in worse.json()["items"] if item["verdict"] == "fail")
    assert worse.code == 3
    assert (failed["figure"], failed["first"]["verdict"], failed["n"]) == ("instructions", "fail", 8)
    assert failed["value"] == pytest.approx(1.02, abs=0.002)

    _change(cli.folder, lambda item: item["conditions"].update({"board's virtual_board": "cortex-a53"}))
    (cli.folder / "release.toml").write_text(RELEASE.read_text().replace("launches = 4", "launches = 2"))
    other = gate()
    assert other.code == 4
    assert "board's virtual_board was cortex-a53, is cortex-a76" in other.out


def _change(folder, change) -> None:
    whole = json.loads((folder / "baselines.json").read_text())
    for item in whole["items"]:
        change(item)
    (folder / "baselines.json").write_text(json.dumps(whole))
