"""A cold start: model and runtime leave the page cache, and what stays is said."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.agent.client import MODELS, Agent, Board, Runtime
from tests.contract.agent.conftest import needed_python


@pytest.fixture
def kind() -> str:
    """Only the agent in Python evicts files; the one in C answers without a word of it, and the host calls no start cold."""
    return "linux"


@pytest.fixture(params=["litert", "tflite-runtime"])
def of_either_runtime(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    start_python: Callable[..., Agent],
    provision: Callable[[str, str], Runtime],
) -> Agent:
    """An agent that was greeted, with either runtime."""
    runtime = provision(request.param, "3.11")
    begun = start_python(Board(tmp_path / "home", (runtime,)), needed_python("3.11"), runtime.folder)
    begun.hello()
    return begun


def test_files_are_out_of_memory_before_the_process_starts(of_either_runtime: Agent):
    either = of_either_runtime
    warm = either.open(MODELS / "int8.tflite")
    either.call("close", child=warm["child"])

    cold = either.open(MODELS / "int8.tflite", cold=True)

    evicted = cold["evicted"]
    if evicted["stayed"]:
        pytest.skip(f"this file system keeps {evicted['stayed']} in memory")
    assert warm["evicted"] is None
    assert evicted["files"] >= 2
    assert evicted["resident_bytes"] == 0
    assert evicted["cached_bytes"] > (MODELS / "int8.tflite").stat().st_size
    assert either.call("invoke", child=cold["child"], count=1, timeout_s=30)["count"] == 1


def test_a_library_that_a_living_child_has_mapped_stays_and_is_named(agent: Agent):
    agent.open(MODELS / "int8.tflite")

    evicted = agent.open(MODELS / "int8.tflite", cold=True)["evicted"]

    assert evicted["resident_bytes"] > 0
    assert any(name.startswith("libLiteRt") for name in evicted["stayed"])


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder on a file system that lives in memory."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no file system in memory here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_a_file_system_in_memory_evicts_nothing_and_says_so(
    in_memory: Path, start: Callable[..., Agent], provision: Callable[[str, str], Runtime]
):
    runtime = provision("litert", "3.11")
    copied = shutil.copytree(runtime.path, in_memory / "runtime")
    agent = start(Board(in_memory / "home", (Runtime(runtime.folder, copied),)), runtime=runtime.folder)
    agent.hello()

    evicted = agent.open(MODELS / "int8.tflite", cold=True)["evicted"]

    assert evicted["resident_bytes"] >= evicted["bytes"] > 0
    agent.dispose()
