"""The native agent under sanitizers: whatever comes in, it ends with an error of its own and never with a fault.

A fault that a sanitizer finds ends a process with status 99. The cases are drawn from a seed.
"""

import json
import os
import random
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.agent.client import MODELS, Agent, Board, Refused, Runtime

SEED = 20261126
FAULT = 99
WORDS = (
    "=",
    "",
    "model=",
    "count=",
    "library",
    "version=2",
    "é",
    "%s%n",
    "a" * 5000,
    "count=1e9",
    "timeout_s=-1",
    "count=0x1",
)
METHODS = (
    "hello",
    "clock",
    "probe",
    "open",
    "invoke",
    "per_op",
    "stream",
    "snapshot",
    "close",
    "cancel",
    "sampler_start",
    "sampler_stop",
)
NAMES = (
    "protocol", "owner", "discard", "runtime", "model", "threads", "cpus", "input", "timeout_s", "memory_limit_bytes", "per_op",
    "child", "count", "duration_ns", "min_count", "max_count", "interval_ns", "most_samples", "inputs", "fresh", "hz", "rail",
    "sampler", "acknowledged",
)  # fmt: skip
VALUES = (
    0, 1, 2, -1, 1 << 31, 1 << 63, 10**40, 0.5, 1e308, -0.0, float("nan"), float("inf"), True, False, None, "", "litert", "..",
    "a\0b", "é\n\"\\", "x" * 300, [], [0], [0, 1, "2"], {}, {"a": [1]}, [[[[]]]],
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, provision: Callable[[str, str], Runtime]) -> Board:
    return Board(tmp_path / "home", (provision("litert", "3.11"),))


@pytest.fixture
def agent(home: Board, watched: Path, provision: Callable[[str, str], Runtime]) -> Iterator[Agent]:
    begun = Agent(home, (str(watched),), provision("litert", "3.11").folder)
    begun.hello()
    yield begun
    begun.dispose()


def sound(agent: Agent) -> bool:
    """Whether the agent still answers, and no process of it was ended by a sanitizer."""
    noise = [path.read_text(errors="replace") for path in agent.home.glob("launches/*/stderr.txt")]
    assert not any("Sanitizer" in text or "runtime error:" in text for text in [*noise, agent.stderr()]), noise
    return agent.call("clock")["unix_ns"] > 0


def test_command_lines_of_any_kind_are_refused(watched: Path):
    draw = random.Random(SEED)
    for _ in range(40):
        words = [
            draw.choice(("run", "serve", "child", "sampler", "about", "x")),
            *draw.choices(WORDS, k=draw.randrange(6)),
        ]

        done = subprocess.run(
            [watched, *words], capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL
        )

        assert done.returncode not in {FAULT, -6, -11}, (words, done.stderr)
        assert words[0] == "about" or done.returncode != 0 or b"=" in done.stdout


def test_requests_with_any_values_are_answered(agent: Agent, selftest: Path):
    draw = random.Random(SEED)
    agent.open(selftest)
    for _ in range(400):
        params = {draw.choice(NAMES): draw.choice(VALUES) for _ in range(draw.randrange(5))}
        number = agent.send(draw.choice(METHODS), **params)

        answer = next(
            message for message in iter(agent.next, None) if message["id"] == number and "progress" not in message
        )

        assert ("result" in answer) != ("error" in answer)
        assert answer.get("error", {}).get("code") not in {"internal", "child_crashed"}
    assert sound(agent)


def test_lines_that_are_broken_anywhere_are_refused_and_the_next_is_heard(agent: Agent):
    draw = random.Random(SEED)
    whole = json.dumps(
        {"id": [1, 'ä"\\'], "method": "clock", "params": {"a": [1.5e-3, None, True, {"b": "\u1234"}]}}
    ).encode()
    for _ in range(400):
        line = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            kind, at = draw.randrange(3), draw.randrange(len(line))
            if kind == 0:
                line[at] = draw.randrange(256)
            elif kind == 1:
                del line[at : at + draw.randrange(1, 9)]
            else:
                line[at:at] = bytes(draw.choices(b'{}[]",:\\u0e-n', k=draw.randrange(1, 6)))
        agent.raw(bytes(line).replace(b"\n", b" ") + b"\n")

        answer = agent.next()

        assert "result" in answer or answer["error"]["code"] in {"bad_request", "unknown_method"}
    assert sound(agent)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"name": "litert", "version": "2.3.0", "library": "a"}', '{"name": "' + "x" * 9000]
)
def test_any_runtime_json_is_refused(agent: Agent, home: Board, selftest: Path, text: str):
    (home.home / "runtimes" / "odd").mkdir()
    (home.home / "runtimes" / "odd" / "runtime.json").write_text(text)

    assert agent.refusal("open", **agent.opening(selftest, runtime="odd")).code == "runtime_failed"
    assert sound(agent)


def test_inputs_of_any_length_are_refused_or_run(agent: Agent):
    child = agent.open(MODELS / "two_and_two.tflite")["child"]
    for length in (0, 1, 19, 20, 21, 39, 40, 4096):
        for count in (1, 2, 3):
            inputs = agent.board.inputs(os.urandom(length))
            asked = {"child": child, "inputs": inputs, "count": count, "fresh": True, "timeout_s": 30}
            if count * 20 <= length:
                assert agent.call("invoke", **asked)["size_bytes"] == count * 20
            else:
                assert agent.refusal("invoke", **asked).code == "bad_request"
    assert sound(agent)


def test_models_that_are_damaged_end_their_own_process_at_most(agent: Agent):
    """LiteRT itself may die of them or never end; it is not watched, and a fault of ours would leave a sanitizer's words."""
    draw, codes = random.Random(SEED), set()
    whole = (MODELS / "loop.tflite").read_bytes()
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            data[draw.randrange(8, len(data))] = draw.randrange(256)
        try:
            opened = agent.open(bytes(data), timeout_s=10)
            agent.time(opened["child"], 3, timeout_s=10)
            agent.call("close", child=opened["child"], acknowledged=True)
        except Refused as exc:
            codes.add(exc.code)

    assert codes <= {"model_refused", "invoke_failed", "child_crashed", "child_out_of_memory", "child_timeout"}
    assert agent.call("clock")["unix_ns"] > 0
    assert agent.stderr() == ""


def test_the_main_job_leaves_the_sanitizers_nothing_to_say(agent: Agent, selftest: Path):
    for model in (selftest, *sorted(MODELS.glob("*.tflite"))):
        for per_op in (False, True):
            child = agent.open(model, per_op=per_op, cold=per_op)["child"]
            agent.time(child, 20)
            agent.call("invoke", child=child, duration_ns=1_000_000, min_count=3, timeout_s=30)
            agent.call("invoke", child=child, count=5, interval_ns=100_000, most_samples=2, timeout_s=30)
            agent.infer(child, bytes(20 * 4), 3, fresh=True)
            if per_op:
                agent.call("per_op", child=child, count=5, timeout_s=30)
            agent.call("stream", child=child, how="read", size_bytes=1 << 20, threads=2, rounds=2, timeout_s=30)
            agent.call("snapshot", child=child)
            agent.call("close", child=child)
    sampler = agent.call("sampler_start", hz=50)["sampler"]
    agent.call("sampler_stop", sampler=sampler)

    assert sound(agent)
    assert agent.end() == 0


def test_a_run_by_hand_says_in_one_line_what_was_wrong(
    watched: Path, provision: Callable[[str, str], Runtime], selftest: Path, tmp_path: Path
):
    library = provision("litert", "3.11").path / "libLiteRt.so"
    right = {"library": library, "version": "2.3.0", "model": selftest, "count": 5}
    (tmp_path / "bad").write_bytes(b"\0" * 64)
    (tmp_path / "short").write_bytes(struct.pack("<5f", *range(5)))
    wrong = (
        ({"count": "0"}, 2, "error=bad_request `count` must be a whole number"),
        ({"colour": "red"}, 2, "error=bad_request unknown option `colour`"),
        ({"version": "2.1.0"}, 3, "error=runtime_failed LiteRT 2.1.0"),
        ({"library": "/no/where.so"}, 3, "error=runtime_failed /no/where.so"),
        ({"model": tmp_path / "bad"}, 3, "error=model_refused not a .tflite file"),
        ({"inputs": tmp_path / "short"}, 2, "error=bad_request give `inputs` and `outputs`"),
        (
            {"inputs": tmp_path / "short", "outputs": tmp_path / "out"},
            2,
            "error=bad_request the inputs end inside a sample",
        ),
        ({"latencies": "/no/where/ns"}, 3, "error=internal /no/where/ns"),
    )
    for change, status, words in wrong:
        options = [f"{key}={value}" for key, value in {**right, **change}.items()]

        done = subprocess.run([watched, "run", *options], capture_output=True, text=True, timeout=60, check=False)

        assert done.returncode == status, done.stderr
        assert done.stderr.splitlines()[-1].startswith(words)
