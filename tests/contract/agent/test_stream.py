"""Moving memory in a child, which says how fast it is."""

import struct

import pytest

from tests.contract.agent.client import MODELS, Agent, Refused


@pytest.fixture
def kind() -> str:
    """Only the agent in Python moves memory; the one in C calls the method unknown."""
    return "linux"


def streamed(agent: Agent, **params: object) -> tuple[dict, tuple[int, ...]]:
    child = agent.open(MODELS / "int8.tflite")["child"]
    done = agent.call("stream", **{"child": child, "threads": 1, "rounds": 5, "timeout_s": 30, **params})
    data = (agent.home / done["file"]).read_bytes()
    return done, struct.unpack(f"<{len(data) // 8}q", data)


@pytest.mark.parametrize("how", ["copy", "read"])
@pytest.mark.parametrize("threads", [1, 3])
def test_each_round_moves_the_bytes_it_says_and_takes_time(agent: Agent, how: str, threads: int):
    done, rounds = streamed(agent, how=how, size_bytes=1 << 21, threads=threads)

    assert done["count"] == len(rounds) == 5
    assert min(rounds) > 0
    assert done["round_bytes"] >= 1 << 25
    # No memory moves a terabyte a second; a call that did nothing would.
    assert done["round_bytes"] / min(rounds) < threads * 1000


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"how": "guess"}, "how"),
        ({"how": "copy", "size_bytes": 1}, "size_bytes"),
        ({"how": "copy", "threads": 0}, "threads"),
        ({"how": "copy", "rounds": 0}, "rounds"),
    ],
)
def test_what_no_memory_can_do_is_refused_by_name(agent: Agent, wrong: dict, name: str):
    with pytest.raises(Refused) as caught:
        streamed(agent, **{"size_bytes": 1 << 20, **wrong})

    assert caught.value.code == "bad_request"
    assert f"`{name}`" in caught.value.message


def test_a_child_goes_on_after_moving_memory(agent: Agent):
    child = agent.open(MODELS / "int8.tflite")["child"]
    agent.call("stream", child=child, how="copy", size_bytes=1 << 20, threads=2, rounds=2, timeout_s=30)

    assert agent.call("invoke", child=child, count=3, timeout_s=30)["count"] == 3
