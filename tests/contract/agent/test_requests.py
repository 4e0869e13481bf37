"""Whatever a host may send: the answer is one of the protocol's errors, never a fault of the agent."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, Board

WRONG = [None, True, -1, 0.5, "1", "", [], [1], {}, {"a": 1}, 10**30, float("nan"), float("inf")]
SHA = "0" * 64
NAMES = ["", ".", "..", "../models", "a/b", "/etc/passwd", "a\0b", ".hidden", "ä", "x" * 300, "a b", "a\n"]


@pytest.fixture
def child(agent: Agent, selftest: Path) -> int:
    return agent.open(selftest)["child"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"1",
        b"null",
        b'"hello"',
        b"[" * 200_000,
        b'{"id": 1, "method": "clock", "params": []}',
        b'{"id": 1, "method": "clock", "params": null}',
    ],
)
def test_garbage_is_a_bad_request_and_the_next_line_is_heard(agent: Agent, line: bytes):
    agent.raw(line + b"\n")

    answer = agent.next()

    assert answer["error"]["code"] == "bad_request"
    assert agent.call("clock")["unix_ns"] > 0


@pytest.mark.parametrize("method", ["", "Hello", "__init__", "_open", None, 1, [], {}, ["hello"]])
def test_an_unknown_method_is_named(agent: Agent, method: object):
    agent.raw(json.dumps({"id": 7, "method": method}).encode() + b"\n")

    refused = agent.refusal_of(7)

    assert refused.code == "unknown_method"
    assert repr(method) in refused.message or json.dumps(method) in refused.message


@pytest.mark.parametrize("end", [b"\n", b" and more\n"])
def test_a_line_above_1_mib_is_refused_once(agent: Agent, end: bytes):
    for _ in range(3):
        agent.raw(b" " * (1 << 19))
    agent.raw(end)

    refused = agent.refusal_of(None)

    assert refused.code == "bad_request"
    assert "1 MiB" in refused.message
    assert agent.call("clock")["unix_ns"] > 0
    assert agent.unasked == []


def test_a_line_that_is_little_above_1_mib_is_refused_too(agent: Agent):
    agent.raw(b" " * ((1 << 20) + 10) + b"\n")

    assert "1 MiB" in agent.refusal_of(None).message
    assert agent.call("clock")["unix_ns"] > 0


def test_requests_may_come_in_pieces_and_many_at_once(agent: Agent):
    agent.raw(b'{"id": 1001, "met')
    agent.raw(b'hod": "clock"}\n{"id": 1002, "method": "clock"}\n{"id": 1003')
    agent.raw(b', "method": "clock"}\n')

    answers = [agent.answer(number) for number in (1001, 1002, 1003)]

    assert [answer["monotonic_ns"] for answer in answers] == sorted(answer["monotonic_ns"] for answer in answers)


@pytest.mark.parametrize("number", ["seven", None, [1, 2], {"a": 1}, 1.5])
def test_an_answer_carries_the_id_as_it_came(agent: Agent, number: object):
    agent.raw(json.dumps({"id": number, "method": "clock"}).encode() + b"\n")

    answer = agent.next()

    assert answer["id"] == number
    assert "result" in answer


@pytest.mark.parametrize(
    ("method", "name", "allowed"),
    [
        ("open", "runtime", ["1"]),
        ("open", "model", ["1"]),
        ("open", "input", ["1", None]),
        ("open", "threads", []),
        ("open", "cpus", [None, [1]]),
        ("open", "timeout_s", [0.5]),
        ("open", "memory_limit_bytes", [None]),
        ("invoke", "child", []),
        ("invoke", "count", []),
        ("invoke", "timeout_s", [0.5]),
        ("invoke", "inputs", ["1", None]),
        ("snapshot", "child", []),
        ("cancel", "child", []),
        ("close", "child", []),
        ("close", "acknowledged", [None, True]),
        ("sampler_start", "hz", [0.5]),
        ("sampler_start", "cpus", [None, [1]]),
        ("sampler_stop", "sampler", []),
    ],
)
def test_wrong_types_are_bad_requests(agent: Agent, selftest: Path, child: int, method: str, name: str, allowed: list):
    right = {
        "open": agent.opening(selftest),
        "invoke": {"child": child, "count": 1, "timeout_s": 1},
        "close": {"child": child, "acknowledged": True},
        "sampler_start": {"hz": 10, "cpus": None},
    }.get(method, {})

    refusals = [agent.refusal(method, **{**right, name: value}) for value in WRONG if value not in allowed]

    assert {refused.code for refused in refusals} == {"bad_request"}
    assert all(name in refused.message for refused in refusals)
    assert agent.time(child)["count"] == 5


@pytest.mark.parametrize("name", ["count", "duration_ns", "min_count", "max_count"])
def test_wrong_counts_are_bad_requests_and_the_child_lives(agent: Agent, child: int, name: str):
    for value in WRONG[1:]:
        plan = {"count": value} if name == "count" else {"duration_ns": 1000, name: value}

        refused = agent.refusal("invoke", child=child, timeout_s=5, **plan)

        assert refused.code == "bad_request"
        assert name in refused.message
    assert agent.time(child)["count"] == 5


@pytest.mark.parametrize(
    "plan", [{}, {"count": 1, "duration_ns": 1}, {"duration_ns": 1, "min_count": 5, "max_count": 4}]
)
def test_a_plan_that_contradicts_itself_is_a_bad_request(agent: Agent, child: int, plan: dict):
    refused = agent.refusal("invoke", child=child, timeout_s=5, **plan)

    assert refused.code == "bad_request"


@pytest.mark.parametrize("value", [1, "yes", [], 0])
def test_fresh_is_true_or_false(agent: Agent, child: int, value: object):
    inputs = agent.board.inputs(bytes(16))

    refused = agent.refusal("invoke", child=child, inputs=inputs, count=1, fresh=value, timeout_s=5)

    assert refused.code == "bad_request"
    assert "fresh" in refused.message


@pytest.mark.parametrize("what", ["runtime", "model", "input"])
def test_a_path_is_no_name(agent: Agent, selftest: Path, what: str):
    refusals = [agent.refusal("open", **{**agent.opening(selftest), what: name}) for name in NAMES]

    assert {refused.code for refused in refusals} == {"bad_request"}
    assert all(what in refused.message for refused in refusals)


def test_samples_are_named_not_pointed_to(agent: Agent, child: int):
    asked = {"child": child, "count": 1, "fresh": False, "timeout_s": 5}

    refusals = [agent.refusal("invoke", inputs=name, **asked) for name in NAMES]

    assert {refused.code for refused in refusals} == {"bad_request"}


@pytest.mark.parametrize(("what", "name"), [("runtime", "litert-9"), ("model", SHA), ("input", SHA)])
def test_what_was_not_pushed_is_named(agent: Agent, selftest: Path, what: str, name: str):
    refused = agent.refusal("open", **{**agent.opening(selftest), what: name})

    assert refused.code == "no_such_file"
    assert name in refused.message
    assert list((agent.home / "launches").iterdir()) == []


def test_samples_that_were_not_pushed_leave_the_child_alive(agent: Agent, child: int):
    refused = agent.refusal("invoke", child=child, inputs=SHA, count=1, fresh=False, timeout_s=5)

    assert refused.code == "no_such_file"
    assert agent.time(child)["count"] == 5


@pytest.mark.parametrize("method", ["invoke", "snapshot", "close", "cancel"])
def test_a_child_that_is_not_open_is_named(agent: Agent, method: str):
    refused = agent.refusal(method, child=41, count=1, timeout_s=1)

    assert refused.code == "no_such_child"
    assert "41" in refused.message


def test_probe_says_null_where_the_board_says_nothing(board: Board, start_python: Callable[..., Agent]):
    """The native agent leaves this to a shell script: tests/contract/oneshot."""
    agent = start_python(board, sys.executable)
    agent.hello()

    probe = agent.call("probe")

    assert set(probe) == {
        "machine", "kernel", "pointer_bits", "os", "libc", "libc_version", "python", "model", "compatible", "board_id",
        "cpu_features", "lab",
        "cpus", "memory_total_bytes", "memory_available_bytes", "disk_free_bytes", "thermal_zones", "power_sensors",
        "uptime_s", "load_1min", "virtualization", "throttled", "power_mode", "policies",
    }  # fmt: skip
    assert probe["libc"] in {"glibc", "musl", "bionic", "unknown"}
    assert probe["compatible"] is None or all(probe["compatible"])
    assert probe["memory_total_bytes"] > probe["memory_available_bytes"] > 0
    assert [cpu["index"] for cpu in probe["cpus"]] == sorted(cpu["index"] for cpu in probe["cpus"])
