"""Models and runtimes that cannot be used: the error says why, the agent goes on."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, Board, Runtime
from tests.contract.agent.conftest import needed_python


def still_works(agent: Agent, selftest: Path) -> bool:
    return agent.time(agent.open(selftest)["child"])["count"] == 5


@pytest.mark.parametrize("size", [8, 100, 500, 700])
def test_a_truncated_model_is_refused_or_ends_its_process_alone(either: Agent, selftest: Path, size: int):
    refused = either.refusal("open", **either.opening(selftest.read_bytes()[:size]))

    assert refused.code in {"model_refused", "child_crashed"}
    assert refused.data["stage"] in {"model", "allocate"}
    assert isinstance(refused.data["stderr"], str)
    assert still_works(either, selftest)


@pytest.mark.parametrize("data", [b"", b"TFL3", random.Random(1).randbytes(4096), b"\0" * 4096])
def test_what_is_no_model_is_refused(either: Agent, selftest: Path, data: bytes):
    refused = either.refusal("open", **either.opening(data))

    assert refused.code == "model_refused"
    assert "TFL3" in refused.message
    assert still_works(either, selftest)


def test_noise_with_a_models_mark_is_refused_or_ends_its_process_alone(either: Agent, selftest: Path):
    noise = random.Random(2).randbytes(4096)

    refused = either.refusal("open", **either.opening(noise[:4] + b"TFL3" + noise[8:]))

    assert refused.code in {"model_refused", "child_crashed"}
    assert still_works(either, selftest)


def test_an_unknown_operator_is_named(either: Agent, data: Path, selftest: Path):
    refused = either.refusal("open", **either.opening(data / "models" / "coral" / "model_invoking_error.tflite"))

    assert refused.code == "model_refused"
    assert "fake-op-double" in refused.message
    assert still_works(either, selftest)


def changed(tmp_path: Path, runtime: Runtime, **about: object) -> Runtime:
    """Return a copy of a runtime whose `runtime.json` says something else."""
    copy = Runtime("changed", tmp_path / "changed")
    copy.path.mkdir()
    for path in runtime.path.iterdir():
        (copy.path / path.name).symlink_to(path)
    said = json.loads((runtime.path / "runtime.json").read_text())
    (copy.path / "runtime.json").unlink()
    (copy.path / "runtime.json").write_text(json.dumps({**said, **about}))
    return copy


@pytest.mark.parametrize(
    "about",
    [
        {"version": "2.1.6"},
        {"version": "1.4.0"},
        {"version": "3.0.0"},
        {"version": "new"},
        {"version": 2},
        {"version": None},
        {"name": "onnx"},
        {"name": ["litert"]},
        {"library": "libOther.so"},
        {"library": "../libLiteRt.so"},
        {"library": 5},
        {"library": "runtime.json"},
    ],
)
def test_a_runtime_that_is_not_what_we_know_fails(
    about: dict, tmp_path: Path, start: Callable[..., Agent], provision: Callable[[str, str], Runtime], selftest: Path
):
    runtime = changed(tmp_path, provision("litert", "3.11"), **about)
    agent = start(Board(tmp_path / "home", (runtime,)), runtime=runtime.folder)
    agent.hello()

    refused = agent.refusal("open", **agent.opening(selftest))

    assert refused.code == "runtime_failed"
    assert refused.message


def test_tflite_runtime_of_another_version_fails(
    tmp_path: Path, start_python: Callable[..., Agent], provision: Callable[[str, str], Runtime], selftest: Path
):
    runtime = changed(tmp_path, provision("tflite-runtime", "3.11"), version="2.13.0")
    agent = start_python(Board(tmp_path / "home", (runtime,)), needed_python("3.11"), runtime.folder)
    agent.hello()

    refused = agent.refusal("open", **agent.opening(selftest))

    assert refused.code == "runtime_failed"
    assert "2.14.0" in refused.message
    assert "2.13.0" in refused.message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"name": "litert"}'])
def test_a_broken_runtime_json_fails(text: str, board: Board, agent: Agent, selftest: Path):
    folder = board.home / "runtimes" / "broken"
    folder.mkdir()
    (folder / "runtime.json").write_text(text)

    refused = agent.refusal("open", **agent.opening(selftest, runtime="broken"))

    assert refused.code == "runtime_failed"
    assert "runtime.json" in refused.message


@pytest.mark.parametrize("make", [Path.exists, Path.mkdir, Path.touch])
def test_a_runtime_without_a_folder_or_a_description_is_no_such_file(
    make: Callable[[Path], object], board: Board, agent: Agent, selftest: Path
):
    make(board.home / "runtimes" / "half")

    refused = agent.refusal("open", **agent.opening(selftest, runtime="half"))

    assert refused.code == "no_such_file"
    assert "half" in refused.message


def test_a_library_that_does_not_load_is_told_in_the_loaders_words(board: Board, agent: Agent, selftest: Path):
    folder = board.home / "runtimes" / "broken"
    folder.mkdir()
    shutil.copy(board.home / "runtimes" / agent.runtime / "runtime.json", folder)
    library = (board.home / "runtimes" / agent.runtime / "libLiteRt.so").read_bytes()
    (folder / "libLiteRt.so").write_bytes(library[:100_000])

    refused = agent.refusal("open", **agent.opening(selftest, runtime="broken"))

    assert refused.code in {"runtime_failed", "child_crashed"}
    assert "libLiteRt.so" in refused.message or refused.data["stage"] == "runtime"
    assert still_works(agent, selftest)
