"""The agent speaks the same on every Python that a board may have, with every runtime there is for it."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, Board, Runtime
from tests.contract.agent.conftest import PYTHONS, TFLITE_PYTHONS, needed_python

SAMPLE = struct.pack("<4f", 0.0, 1.0, -2.0, 0.5)


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_greets_and_says_which_it_is(version: str, tmp_path: Path, start_python: Callable[..., Agent]):
    agent = start_python(Board(tmp_path / "home"), needed_python(version))

    said = agent.hello()

    assert said["protocol"] == 1
    assert said["python"].rpartition(".")[0] == version
    assert said["pid"] == agent.pid
    assert said["kept"] == []
    assert agent.call("clock")["monotonic_ns"] > 0
    assert agent.call("probe")["pointer_bits"] in {32, 64}
    assert agent.refusal("dance").code == "unknown_method"
    assert agent.end() == 0
    assert agent.stderr() == ""


@pytest.mark.parametrize(
    ("version", "name"),
    [(version, "litert") for version in PYTHONS] + [(version, "tflite-runtime") for version in TFLITE_PYTHONS],
)
def test_every_python_runs_models(
    version: str,
    name: str,
    tmp_path: Path,
    start_python: Callable[..., Agent],
    provision: Callable[[str, str], Runtime],
    selftest: Path,
):
    runtime = provision(name, version)
    agent = start_python(Board(tmp_path / "home", (runtime,)), needed_python(version), runtime.folder)
    agent.hello()

    opened = agent.open(selftest)
    timed = agent.time(opened["child"], 50)
    outputs = agent.infer(opened["child"], SAMPLE, 1)
    agent.call("close", child=opened["child"], acknowledged=True)

    assert opened["runtime"]["name"] == name
    assert opened["inputs"] == [
        {"name": opened["inputs"][0]["name"], "shape": [4], "dtype": "float32", "scale": None, "zero_point": None}
    ]
    assert timed["count"] == 50
    assert struct.unpack("<4f", outputs) == (1.0, 3.0, -3.0, 2.0)
    assert agent.end() == 0
