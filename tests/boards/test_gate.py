"""The example gate, run as its own file says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

GATE = ROOT / "examples/instruction_gate/gate.py"

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def gate(cli, add, tflite, tmp_path):
    """Run the gate on a virtual board, with a baseline in the test's folder."""
    add("cortex-a76", "lab-cortex-a76", clock="instructions")

    def call(*args: object) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [sys.executable, GATE, tflite["int8"], "--baseline", "costs.json", *args]
        environment = {**cli.env, "PATH": path}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return call


def test_the_gate_passes_what_costs_the_same_and_fails_what_costs_one_percent_more(gate, tmp_path):
    without = gate()
    assert without.returncode == 2
    assert "--update writes one" in without.stderr

    assert gate("--update").returncode == 0
    baseline = json.loads((tmp_path / "costs.json").read_text())
    name, cost = next(iter(baseline.items()))
    assert gate().returncode == 0

    cheaper = {name: {**cost, "guest_instructions": cost["guest_instructions"] / 1.02}}
    (tmp_path / "costs.json").write_text(json.dumps(cheaper))
    worse = gate()
    assert worse.returncode == 3
    assert "MORE THAN ALLOWED" in worse.stdout

    other = {name: {**cost, "virtual_board": "cortex-a53"}}
    (tmp_path / "costs.json").write_text(json.dumps(other))
    unequal = gate()
    assert unequal.returncode == 2
    assert "not comparable: virtual_board was cortex-a53, is cortex-a76" in unequal.stdout
