"""Time by operator: the runtime's own profiler, in a child of its own."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeprof.analysis.graph import read_operators
from tests.contract.agent.client import MODELS, Agent, Board, Runtime
from tests.contract.agent.conftest import PYTHONS, TFLITE_PYTHONS, needed_python

COUNT = 7
NAMES = ("any_batch", "counter", "int8", "loop", "reversed", "two_and_two")


@dataclass(frozen=True)
class PerOp:
    """An answer to `per_op`: latencies, events, and the durations of each."""

    latency_ns: list[int]
    events: list[dict]
    durations_ns: list[list[int]]


def per_op(agent: Agent, model: Path, count: int = COUNT) -> PerOp:
    child = agent.open(model, per_op=True)["child"]
    done = agent.call("per_op", child=child, count=count, timeout_s=30)
    agent.call("close", child=child)
    data = (agent.home / done["file"]).read_bytes()
    values = struct.unpack(f"<{len(data) // 8}q", data)
    rows = [list(values[start : start + count]) for start in range(0, len(values), count)]
    assert done["count"] == count
    assert done["size_bytes"] == len(data)
    return PerOp(rows[0], done["events"], rows[1:])


@pytest.mark.parametrize("name", NAMES)
def test_each_event_has_a_duration_in_each_run_and_they_fit_into_it(name: str, either: Agent):
    found = per_op(either, MODELS / f"{name}.tflite")

    assert found.events
    assert len(found.durations_ns) == len(found.events)
    for run, latency_ns in enumerate(found.latency_ns):
        # Each reading of a clock of whole microseconds may be one too many.
        slack_ns = sum(event["resolution_ns"] for event in found.events)
        assert 0 <= sum(row[run] for row in found.durations_ns) <= latency_ns + slack_ns


@pytest.mark.parametrize("name", NAMES)
def test_nodes_carry_the_number_and_name_of_the_file_s_operators(name: str, either: Agent):
    operators = read_operators(MODELS / f"{name}.tflite")

    events = per_op(either, MODELS / f"{name}.tflite").events

    nodes = [event for event in events if event["kind"] == "node"]
    assert [event["tag"] for event in nodes] == [operators[event["index"]].name for event in nodes]
    assert {event["kind"] for event in events} <= {"node", "kernel"}


def test_without_a_delegate_every_operator_is_there_in_order(
    start_python: Callable[..., Agent], tmp_path: Path, provision
):
    runtime = provision("tflite-runtime", "3.11")
    agent = start_python(Board(tmp_path / "home", (runtime,)), needed_python("3.11"), runtime.folder)
    agent.hello()

    events = per_op(agent, MODELS / "int8.tflite").events

    names = [operator.name for operator in read_operators(MODELS / "int8.tflite")]
    assert [(event["kind"], event["tag"]) for event in events] == [("node", name) for name in names]


def test_what_a_loop_calls_is_part_of_the_loop(either: Agent):
    found = per_op(either, MODELS / "loop.tflite")

    assert [event["tag"].partition(" (")[0] for event in found.events] == ["Add", "WHILE", "Multiply"]


def test_a_profiled_child_gives_the_same_outputs(either: Agent):
    sample = struct.pack("<4f", 1.0, 2.0, 3.0, 4.0)
    plain = either.open(MODELS / "loop.tflite")["child"]
    profiled = either.open(MODELS / "loop.tflite", per_op=True)["child"]
    either.call("per_op", child=profiled, count=3, timeout_s=30)

    assert either.infer(profiled, sample, 1) == either.infer(plain, sample, 1)


def test_a_child_that_was_not_opened_for_it_has_no_profiler(agent: Agent):
    child = agent.open(MODELS / "int8.tflite")["child"]

    refused = agent.refusal("per_op", child=child, count=3, timeout_s=30)

    assert refused.code == "bad_request"
    assert "was not opened with `per_op`" in refused.message


@pytest.mark.parametrize("count", [0, None, 2.5, 1 << 15])
def test_a_count_out_of_range_is_a_bad_request(count: object, agent: Agent):
    child = agent.open(MODELS / "int8.tflite", per_op=True)["child"]

    assert agent.refusal("per_op", child=child, count=count, timeout_s=30).code == "bad_request"


def test_a_runtime_without_the_profiler_says_so(
    tmp_path: Path, start_python: Callable[..., Agent], provision: Callable[[str, str], Runtime]
):
    real = provision("tflite-runtime", "3.11")
    board = Board(tmp_path / "home", (Runtime("other", other_runtime(tmp_path / "other", real.path)),))
    agent = start_python(board, needed_python("3.11"), "other")
    agent.hello()

    refused = agent.refusal("open", **agent.opening(MODELS / "int8.tflite", per_op=True))

    assert refused.code == "no_profiler"


def other_runtime(folder: Path, real: Path) -> Path:
    """Make a runtime that loads models and shows nothing: its native module is no library."""
    package = folder / "tflite_runtime"
    package.mkdir(parents=True)
    (folder / "numpy").symlink_to(real / "numpy")
    for libraries in real.glob("numpy.libs"):
        (folder / "numpy.libs").symlink_to(libraries)
    about = json.loads((real / "runtime.json").read_text())
    (folder / "runtime.json").write_text(json.dumps(about))
    (package / "__init__.py").write_text(f"__version__ = {about['version']!r}\n")
    (package / "_pywrap_tensorflow_interpreter_wrapper.py").write_text("")
    (package / "x.so").write_bytes(b"")
    (package / "interpreter.py").write_text(
        "class Interpreter:\n    def __init__(self, model_path, num_threads):\n        pass\n"
    )
    return folder


@pytest.mark.parametrize(
    ("version", "name"),
    [(version, "litert") for version in PYTHONS] + [(version, "tflite-runtime") for version in TFLITE_PYTHONS],
)
def test_every_python_profiles(
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

    found = per_op(agent, selftest)

    assert found.events
    assert agent.end() == 0
