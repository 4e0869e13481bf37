"""Launches are processes of their own: what becomes of them becomes of nobody else."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, Board, Runtime, alive, wait_until
from tests.contract.agent.conftest import needed_python

LONG_NS = 600 * 10**9


@pytest.fixture
def child(agent: Agent, selftest: Path) -> int:
    return agent.open(selftest)["child"]


def busy(agent: Agent, child: int, **params: object) -> int:
    """Begin a run that does not end by itself; return its request's number."""
    number = agent.send("invoke", child=child, duration_ns=LONG_NS, **{"timeout_s": 60, **params})
    before = agent.call("snapshot", child=child)["cpu_time_ns"]
    assert wait_until(lambda: agent.call("snapshot", child=child)["cpu_time_ns"] > before + 20_000_000)
    return number


def test_eight_children_take_turns_and_a_ninth_is_refused(agent: Agent, selftest: Path):
    children = [agent.open(selftest)["child"] for _ in range(8)]
    first, second = children[:2]

    counts = [agent.time(child, count)["count"] for count in (1, 2, 3) for child in (first, second)]
    refused = agent.refusal("open", **agent.opening(selftest))

    assert counts == [1, 1, 2, 2, 3, 3]
    assert refused.code == "too_many_children"
    assert len(agent.processes()) == 8
    agent.call("close", child=first, acknowledged=True)
    assert agent.open(selftest)["child"] not in children


def test_closing_takes_the_files_only_when_acknowledged(agent: Agent, selftest: Path):
    for acknowledged in (True, False):
        opened = agent.open(selftest)
        done = agent.time(opened["child"])

        answer = agent.call("close", child=opened["child"], acknowledged=acknowledged)

        assert answer == {}
        assert (agent.home / done["file"]).exists() is not acknowledged
        assert agent.processes() == set()
        assert agent.refusal("snapshot", child=opened["child"]).code == "no_such_child"


def test_the_agent_answers_while_a_child_runs(agent: Agent, child: int):
    number = busy(agent, child)

    clock, snapshot = agent.call("clock"), agent.call("snapshot", child=child)

    assert clock["monotonic_ns"] > 0
    assert snapshot["cpu_time_ns"] > 0
    agent.call("cancel", child=child)
    assert agent.refusal_of(number).code == "cancelled"


def test_a_busy_child_takes_no_second_run(agent: Agent, child: int):
    number = busy(agent, child)

    refused = agent.refusal("invoke", child=child, count=1, timeout_s=5)

    assert refused.code == "bad_request"
    assert "busy" in refused.message
    agent.call("cancel", child=child)
    assert agent.refusal_of(number).code == "cancelled"


@pytest.mark.parametrize("method", ["cancel", "close"])
def test_calling_a_run_off_ends_its_request_and_its_child(agent: Agent, child: int, selftest: Path, method: str):
    number = busy(agent, child)

    answer = agent.call(method, child=child)

    assert answer == {}
    assert agent.refusal_of(number).code == "cancelled"
    assert agent.processes() == set()
    assert agent.refusal("invoke", child=child, count=1, timeout_s=5).code == "no_such_child"
    assert agent.open(selftest)["child"] != child


def test_a_model_that_takes_too_long_to_open_is_ended(agent: Agent, selftest: Path):
    refused = agent.refusal("open", **agent.opening(selftest, timeout_s=0.000001))

    assert refused.code == "child_timeout"
    assert refused.data["timeout_s"] == 0.000001
    assert refused.data["stage"] in {"start", "runtime", "model", "allocate"}
    assert agent.processes() == set()
    assert agent.open(selftest)["child"] > 0


def test_a_run_that_takes_too_long_is_ended_and_the_other_child_is_not(agent: Agent, child: int, selftest: Path):
    other = agent.open(selftest)["child"]

    refused = agent.refusal("invoke", child=child, duration_ns=LONG_NS, timeout_s=0.2)

    assert refused.code == "child_timeout"
    assert refused.data["stage"] == "invoke"
    assert "0.2" in refused.message
    assert agent.time(other)["count"] == 5
    assert agent.refusal("snapshot", child=child).code == "no_such_child"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_is_told_with_its_signal_and_stage(agent: Agent, child: int, selftest: Path, number: signal.Signals):
    request = busy(agent, child)
    ((pid, _),) = agent.processes()

    os.kill(pid, number)
    refused = agent.refusal_of(request)

    assert refused.code == "child_crashed"
    assert refused.data["signal"] == number.name
    assert refused.data["stage"] == "invoke"
    assert "stderr" in refused.data
    assert agent.time(agent.open(selftest)["child"])["count"] == 5


@pytest.mark.parametrize("method", ["invoke", "snapshot", "close"])
def test_a_crash_between_requests_is_told_once(agent: Agent, child: int, method: str):
    ((pid, _),) = agent.processes()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not agent.processes())

    codes = [agent.refusal(method, child=child, count=1, timeout_s=5).code for _ in range(2)]

    assert codes == ["child_crashed", "no_such_child"]


def test_the_end_of_standard_input_ends_agent_and_children(agent: Agent, selftest: Path):
    for _ in range(2):
        agent.open(selftest)
    agent.call("sampler_start", hz=10, cpus=None)
    busy(agent, 1)
    started = agent.processes()

    status = agent.end()

    assert status == 0
    assert len(started) == 3
    assert not any(alive(process) for process in started)
    assert agent.stderr() == ""


def test_children_die_with_a_killed_agent(agent: Agent, selftest: Path):
    for _ in range(2):
        agent.open(selftest)
    agent.call("sampler_start", hz=10, cpus=None)
    busy(agent, 1)
    started = agent.processes()

    os.kill(agent.pid, signal.SIGKILL)

    assert len(started) == 3
    assert wait_until(lambda: not any(alive(process) for process in started), 5)


def test_a_child_keeps_to_its_cores(agent: Agent, selftest: Path):
    everywhere, one = agent.open(selftest), agent.open(selftest, cpus=[0], threads=2)

    allowed = [agent.call("snapshot", child=opened["child"])["cpus"] for opened in (everywhere, one)]

    assert allowed == [sorted(os.sched_getaffinity(0)), [0]]


def test_a_core_that_is_not_there_is_a_bad_request(agent: Agent, selftest: Path):
    refused = agent.refusal("open", **agent.opening(selftest, cpus=[4095]))

    assert refused.code == "bad_request"
    assert "4095" in refused.message
    assert agent.processes() == set()
    assert list((agent.home / "launches").iterdir()) == []


def test_a_snapshot_says_what_the_process_costs(either: Agent, selftest: Path):
    opened = either.open(selftest)
    either.time(opened["child"], 2000)

    snapshot = either.call("snapshot", child=opened["child"])

    assert set(snapshot) == {
        "rss_bytes", "peak_rss_bytes", "anonymous_bytes", "file_backed_bytes", "threads", "cpus", "cpu_time_ns",
        "voluntary_switches", "involuntary_switches",
    }  # fmt: skip
    assert snapshot["peak_rss_bytes"] >= snapshot["rss_bytes"] > 4 << 20
    assert snapshot["rss_bytes"] == snapshot["anonymous_bytes"] + snapshot["file_backed_bytes"]
    assert snapshot["threads"] >= 1
    assert snapshot["cpu_time_ns"] > 1_000_000
    assert snapshot["involuntary_switches"] >= 0
    assert wait_until(lambda: either.call("snapshot", child=opened["child"])["voluntary_switches"] > 0)


def test_too_many_threads_are_refused(either: Agent, selftest: Path):
    refused = either.refusal("open", **either.opening(selftest, threads=100_000))

    assert refused.code == "bad_request"
    assert "threads" in refused.message
    assert either.call("clock")["unix_ns"] > 0


@pytest.mark.parametrize("limit", [1, 1 << 18, 1 << 20])
def test_too_little_memory_is_told_as_such(either: Agent, selftest: Path, limit: int):
    refused = either.refusal("open", **either.opening(selftest, memory_limit_bytes=limit))

    assert refused.code == "child_out_of_memory"
    assert either.time(either.open(selftest)["child"])["count"] == 5


def test_memory_that_ends_during_a_run_ends_the_child(agent: Agent, selftest: Path):
    child = agent.open(selftest, memory_limit_bytes=16 << 20)["child"]

    refused = agent.refusal("invoke", child=child, count=2_000_000, timeout_s=30)

    assert refused.code == "child_out_of_memory"
    assert refused.data["stage"] == "invoke"
    assert agent.refusal("snapshot", child=child).code == "no_such_child"
    assert agent.processes() == set()


def test_what_native_code_prints_never_reaches_the_protocol(
    tmp_path: Path, start_python: Callable[..., Agent], provision: Callable[[str, str], Runtime], selftest: Path
):
    quiet = provision("tflite-runtime", "3.11")
    loud = Runtime(quiet.folder, tmp_path / "loud")
    shutil.copytree(quiet.path, loud.path, symlinks=True)
    package = loud.path / "tflite_runtime" / "__init__.py"
    noise = "import os\nos.write(1, b'{\"result\": {}}\\n')\nprint('{\"error\": {}}', flush=True)\n"
    package.write_text(noise + package.read_text())
    agent = start_python(Board(tmp_path / "home", (loud,)), needed_python("3.11"), loud.folder)
    agent.hello()

    opened = agent.open(selftest)

    assert agent.time(opened["child"])["count"] == 5
    assert agent.unasked == []
    said = (agent.home / "launches" / opened["launch"] / "stderr.txt").read_text()
    assert '{"result": {}}' in said
    assert '{"error": {}}' in said
