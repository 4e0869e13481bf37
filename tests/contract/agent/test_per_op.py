"""Per operator: the runtime's own profiler, in a child of its own."""

import struct

import pytest

from tests.contract.agent.client import MODELS, Agent, Refused


def per_op(agent: Agent, model, count: int = 7) -> tuple[dict, list[int], list[tuple[dict, list[int]]]]:
    """Return the answer, the latencies and each event with its durations."""
    child = open_profiled(agent, model)
    agent.time(child, 3)
    done = agent.call("per_op", child=child, count=count, timeout_s=30)
    data = (agent.home / done["file"]).read_bytes()
    values = struct.unpack(f"<{len(data) // 8}q", data)
    rows = [list(values[start : start + count]) for start in range(0, len(values), count)]
    return done, rows[0], list(zip(done["events"], rows[1:], strict=True))


def open_profiled(agent: Agent, model) -> int:
    return agent.open(model, per_op=True)["child"]


@pytest.mark.parametrize("model", ["any_batch", "counter", "int8", "reversed", "two_and_two"])
def test_every_model_gives_events_on_either_runtime(model: str, either: Agent):
    try:
        done, latency_ns, events = per_op(either, MODELS / f"{model}.tflite")
    except Refused as exc:
        assert model == "counter"
        pytest.skip(str(exc))

    assert done["count"] == 7
    assert len(latency_ns) == 7
    assert events
