"""Timed runs and runs over samples, in both runtimes."""

import array
import base64
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.agent.client import MODELS, Agent, Board, Runtime
from tests.contract.agent.conftest import needed_python

ONE = struct.pack("<4f", 1, 2, 3, 4)


def floats(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(data) // 4}f", data)


def test_open_says_what_was_opened_and_what_it_took(either: Agent):
    opened = either.open(MODELS / "int8.tflite")

    (given,), (gotten,) = opened["inputs"], opened["outputs"]
    assert given["shape"] == gotten["shape"] == [1, 4]
    assert given["dtype"] == gotten["dtype"] == "int8"
    assert 0 < given["scale"] < 0.1
    assert -128 <= gotten["zero_point"] <= 127
    assert set(opened["start_up"]) == {"process_start_ns", "runtime_load_ns", "model_load_ns", "allocate_ns"}
    assert all(value > 0 for value in opened["start_up"].values())
    assert len(opened["runtime"]["library_sha256"]) == 64
    assert opened["runtime"]["delegate"] in {"xnnpack", "none", "unknown"}
    assert opened["empty_call_ns"] > 0
    for stage in ("start", "runtime", "model"):
        resident = opened["resident"][stage]
        assert resident["rss_bytes"] == resident["anonymous_bytes"] + resident["file_backed_bytes"] > 0


def test_the_inline_samples_are_the_file(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]
    before = either.call("clock")

    done = either.time(child, 300)

    after = either.call("clock")
    data = (either.home / done["file"]).read_bytes()
    latencies = array.array("q", data)
    assert base64.b64decode(done["samples"]) == data
    assert done["count"] == len(latencies) == 300
    assert done["size_bytes"] == len(data) == 300 * 8
    assert done["sha256"] == hashlib.sha256(data).hexdigest()
    assert min(latencies) > 0
    assert sum(latencies) <= done["wall_time_ns"]
    assert done["cpu_time_ns"] > 0
    assert before["unix_ns"] < done["started_unix_ns"] < after["unix_ns"]
    assert before["monotonic_ns"] < done["started_monotonic_ns"] < after["monotonic_ns"]


def test_runs_at_a_rate_begin_when_they_are_due(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]

    done = either.time(child, 20, interval_ns=5_000_000)

    assert done["count"] == 20
    assert done["wall_time_ns"] >= 19 * 5_000_000


def test_a_rate_that_is_too_high_is_counted_and_what_waits_is_in_the_latency(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]

    done = either.time(child, 200, interval_ns=1)

    latencies = array.array("q", base64.b64decode(done["samples"]))
    assert done["missed"] >= 199
    assert list(latencies) == sorted(latencies)
    assert latencies[-1] > latencies[0]
    assert either.refusal("invoke", child=child, count=1, interval_ns=0, timeout_s=1).code == "bad_request"


def test_a_rate_for_a_while_makes_as_many_runs_as_fit(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]
    params = {"child": child, "interval_ns": 1_000_000, "timeout_s": 30}

    assert either.call("invoke", duration_ns=30_000_000, min_count=1, **params)["count"] == 30
    assert either.call("invoke", duration_ns=0, min_count=7, **params)["count"] == 7


def test_many_latencies_come_as_a_file_alone(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]

    few, many = either.time(child, 8192), either.time(child, 8193)

    assert "samples" in few
    assert "samples" not in many
    assert many["size_bytes"] == 8193 * 8
    assert few["file"] != many["file"]


def test_a_duration_of_nothing_still_runs_once(agent: Agent, selftest: Path):
    child = agent.open(selftest)["child"]

    done = agent.call("invoke", child=child, duration_ns=0, timeout_s=30)

    assert done["count"] == 1


def test_a_duration_runs_at_least_the_least_count(agent: Agent, selftest: Path):
    child = agent.open(selftest)["child"]

    done = agent.call("invoke", child=child, duration_ns=1, min_count=9000, max_count=None, timeout_s=30)

    assert done["count"] == 9000


def test_a_duration_runs_at_most_the_most_count(agent: Agent, selftest: Path):
    child = agent.open(selftest)["child"]

    done = agent.call("invoke", child=child, duration_ns=20_000_000_000, min_count=1, max_count=5000, timeout_s=30)

    assert done["count"] == 5000


def test_a_duration_lasts_as_long_as_asked(agent: Agent, selftest: Path):
    child = agent.open(selftest)["child"]

    done = agent.call("invoke", child=child, duration_ns=50_000_000, timeout_s=30)

    assert done["wall_time_ns"] >= 50_000_000
    assert done["size_bytes"] == done["count"] * 8 > 8


def test_outputs_come_sample_by_sample(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]

    outputs = either.infer(child, struct.pack("<12f", *range(12)), 3)

    assert floats(outputs) == tuple(2.0 * value + 1 for value in range(12))


def test_fewer_samples_than_the_file_holds_may_be_asked_for(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]

    outputs = either.infer(child, struct.pack("<12f", *range(12)), 2)

    assert len(outputs) == 2 * 16


def test_more_samples_than_the_file_holds_are_a_bad_request_and_the_child_lives(either: Agent, selftest: Path):
    child = either.open(selftest)["child"]
    inputs = either.board.inputs(bytes(40))

    refused = either.refusal("invoke", child=child, inputs=inputs, count=3, fresh=False, timeout_s=30)

    assert refused.code == "bad_request"
    assert "40" in refused.message
    assert either.infer(child, bytes(16), 1) == struct.pack("<4f", 1, 1, 1, 1)


def test_an_input_shorter_than_a_sample_cannot_be_opened(either: Agent, selftest: Path):
    refused = either.refusal("open", **either.opening(selftest, input=either.board.inputs(b"short")))

    assert refused.code == "bad_request"
    assert "5" in refused.message


def test_inputs_and_outputs_are_in_the_models_order(either: Agent):
    opened = either.open(MODELS / "two_and_two.tflite")

    outputs = either.infer(opened["child"], struct.pack("<i", 3) + ONE, 1)

    assert [tensor["dtype"] for tensor in opened["inputs"]] == ["int32", "float32"]
    assert [tensor["shape"] for tensor in opened["outputs"]] == [[1], [1, 4]]
    assert struct.unpack("<i4f", outputs) == (4, 3.0, 6.0, 9.0, 12.0)


def test_the_graphs_order_counts_not_the_signatures(either: Agent):
    opened = either.open(MODELS / "reversed.tflite")

    outputs = either.infer(opened["child"], ONE + struct.pack("<i", 3), 1)

    assert [tensor["dtype"] for tensor in opened["inputs"]] == ["float32", "int32"]
    assert struct.unpack("<4fi", outputs) == (3.0, 6.0, 9.0, 12.0, 4)


def test_an_unknown_batch_is_one(either: Agent):
    opened = either.open(MODELS / "any_batch.tflite")

    outputs = either.infer(opened["child"], ONE, 1)

    assert opened["inputs"][0]["shape"] == opened["outputs"][0]["shape"] == [1, 4]
    assert floats(outputs) == (2.0, 4.0, 6.0, 8.0)


def test_int8_goes_in_and_out_as_int8(either: Agent):
    opened = either.open(MODELS / "int8.tflite")

    outputs = either.infer(opened["child"], bytes(4), 1)

    scale, zero = opened["outputs"][0]["scale"], opened["outputs"][0]["zero_point"]
    values = [(value - zero) * scale for value in struct.unpack("4b", outputs)]
    assert values == pytest.approx([1.0] * 4, abs=scale)


def test_variables_live_from_sample_to_sample(either: Agent):
    child = either.open(MODELS / "counter.tflite")["child"]

    outputs = either.infer(child, ONE * 3, 3, fresh=False)

    assert floats(outputs)[0::4] == (1.0, 2.0, 3.0)


def test_fresh_forgets_variables_before_each_sample(either: Agent):
    child = either.open(MODELS / "counter.tflite")["child"]
    either.infer(child, ONE, 1, fresh=False)

    outputs = either.infer(child, ONE * 3, 3, fresh=True)

    assert outputs == ONE * 3


def test_runs_over_samples_do_not_change_what_is_timed(either: Agent):
    """The inputs that `open` filled are there again: timed runs of a child all see the same."""
    child = either.open(MODELS / "counter.tflite", input=either.board.inputs(ONE))["child"]
    either.infer(child, bytes(16), 1, fresh=True)

    either.time(child, 4)

    assert floats(either.infer(child, ONE, 1, fresh=False)) == (5.0, 10.0, 15.0, 20.0)


def test_a_trained_lstm_forgets_only_when_asked(
    data: Path, tmp_path: Path, start_python: Callable[..., Agent], provision: Callable[[str, str], Runtime]
):
    runtime = provision("tflite-runtime", "3.11")
    agent = start_python(Board(tmp_path / "home", (runtime,)), needed_python("3.11"), runtime.folder)
    agent.hello()
    child = agent.open(data / "models" / "tflm" / "trained_lstm.tflite")["child"]
    sample = struct.pack("<784f", *(index % 7 / 7 for index in range(784)))

    fresh = agent.infer(child, sample * 2, 2, fresh=True)
    carried = agent.infer(child, sample * 2, 2, fresh=False)

    assert fresh[:40] == fresh[40:]
    assert carried[:40] != carried[40:]


def test_litert_says_that_it_has_no_variable_tensors(agent: Agent, data: Path):
    refused = agent.refusal("open", **agent.opening(data / "models" / "tflm" / "trained_lstm.tflite"))

    assert refused.code == "model_refused"
    assert "Variable tensors" in refused.message


def test_progress_comes_at_most_ten_times_a_second(either: Agent, data: Path):
    model = data / "models" / "mlperf_tiny" / "ad01_fp32.tflite"
    opened = either.open(model)
    size = 4 * opened["inputs"][0]["shape"][-1]
    inputs = either.board.inputs(bytes(size * 20_000))

    done = either.call("invoke", child=opened["child"], inputs=inputs, count=20_000, fresh=False, timeout_s=60)

    counts = [count for count, _ in either.progress]
    assert done["count"] == 20_000
    assert counts == sorted(set(counts))
    assert counts
    first, last = either.progress[0][1], either.progress[-1][1]
    assert len(counts) <= (last - first) * 10 + 2
