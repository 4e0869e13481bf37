"""`hello`: who holds the board, and what earlier launches left there."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, Board, wait_until


@pytest.fixture
def bare(tmp_path: Path) -> Board:
    return Board(tmp_path / "home")


@pytest.mark.parametrize(
    "method", ["clock", "probe", "open", "invoke", "snapshot", "close", "sampler_start", "sampler_stop", "cancel"]
)
def test_nothing_is_answered_before_hello(bare: Board, start: Callable[..., Agent], method: str):
    agent = start(bare)

    refused = agent.refusal(method)

    assert refused.code == "protocol"
    assert "hello" in refused.message


@pytest.mark.parametrize("protocol", [0, 2, "1", None, [1], {"a": 1}])
def test_another_protocol_is_refused_and_takes_no_lock(bare: Board, start: Callable[..., Agent], protocol: object):
    agent = start(bare)

    refused = agent.refusal("hello", protocol=protocol, owner="the tests")

    assert refused.code == "protocol"
    assert agent.refusal("clock").code == "protocol"
    assert start(bare).hello()["protocol"] == 1


def test_the_second_host_learns_who_holds_the_board_and_since_when(bare: Board, start: Callable[..., Agent]):
    before = int(time.time())
    start(bare).hello(owner="anna@desk")

    refused = start(bare).refusal("hello", protocol=1, owner="ben@lab")

    assert refused.code == "busy"
    assert refused.data["owner"] == "anna@desk"
    assert before <= refused.data["since_unix_s"] <= time.time()


def test_the_second_host_may_ask_again_once_the_first_was_killed(bare: Board, start: Callable[..., Agent]):
    first, second = start(bare), start(bare)
    first.hello()
    assert second.refusal("hello", protocol=1, owner="ben@lab").code == "busy"

    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()

    assert second.hello(owner="ben@lab")["pid"] == second.pid


def test_hello_again_is_no_harm(bare: Board, start: Callable[..., Agent]):
    agent = start(bare)

    first, second = agent.hello(), agent.hello()

    assert first == second


@pytest.mark.parametrize(
    "params", [{"owner": None}, {"owner": 5}, {"owner": ""}, {"owner": ["x"]}, {"discard": 1}, {"discard": "yes"}]
)
def test_hello_with_wrong_types_is_a_bad_request(bare: Board, start: Callable[..., Agent], params: dict):
    refused = start(bare).refusal("hello", **{"protocol": 1, "owner": "the tests", **params})

    assert refused.code == "bad_request"
    assert next(iter(params)) in refused.message


def test_what_was_not_acknowledged_is_kept(agent: Agent, start: Callable[..., Agent], selftest: Path):
    thrown, kept = agent.open(selftest), agent.open(selftest)
    done = agent.time(kept["child"])

    agent.call("close", child=thrown["child"], acknowledged=True)
    agent.call("close", child=kept["child"], acknowledged=False)

    assert (agent.home / done["file"]).stat().st_size == done["size_bytes"]
    assert agent.end() == 0
    assert start(agent.board).hello()["kept"] == [kept["launch"]]


def test_discard_removes_what_was_kept(agent: Agent, start: Callable[..., Agent], selftest: Path):
    opened = agent.open(selftest)
    agent.call("close", child=opened["child"], acknowledged=False)
    agent.end()

    said = start(agent.board).hello(discard=True)

    assert said["kept"] == [opened["launch"]]
    assert list((agent.home / "launches").iterdir()) == []


def test_discard_spares_open_children(agent: Agent, selftest: Path):
    opened = agent.open(selftest)

    said = agent.hello(discard=True)

    assert said["kept"] == []
    assert agent.time(opened["child"])["count"] == 5


def test_a_host_that_hangs_up_is_no_fault(bare: Board, start: Callable[..., Agent]):
    agent = start(bare)
    agent.hello()

    agent.process.stdout.close()
    agent.send("clock")

    assert wait_until(lambda: agent.process.poll() is not None)
    assert agent.process.returncode == 0
    assert agent.stderr() == ""
