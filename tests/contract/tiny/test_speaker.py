"""What our end says while a command takes long, as the public runner and our own host read it."""

import os
import re
import select
import struct
import threading
import time
from contextlib import closing

import pytest

from edgeprof.profile.tinyports import open_port
from edgeprof.profile.tinyspeaker import EVERY_S, Speaker
from edgeprof.tiny import Responder, TinyDevice, parse_tiny

SAMPLE = struct.pack("<4f", 0.25, -1, 3, 0.5)
# Source: github.com/mlcommons/tiny, benchmark/runner/serial_device.py, commit 20d7b7b.
RUNNERS_PATIENCE_S = 5.0


class Slow:
    """What a device runs; it goes on loading, and running, until what it says of that was heard three times."""

    def __init__(self):
        self.heard = {"Loading 16 bytes": threading.Semaphore(0), "Running": threading.Semaphore(0)}

    def load(self, _sample):
        self.wait("Loading 16 bytes")

    def run(self, count):
        if count > 1:
            self.wait("Running")
        return 100 * count

    def wait(self, what):
        for _ in range(3):
            self.heard[what].acquire(timeout=60)

    def results(self):
        return (1.0, 2.0)

    def clock_us(self):
        return 7


class PublicRunner:
    """Reads as the public runner does: lines end in a line feed, each is waited for, `m-ready` anywhere ends."""

    def __init__(self, place: str, told=lambda _: None):
        self._port, self._told, self._rest = os.open(place, os.O_RDWR | os.O_NOCTTY), told, b""

    def ask(self, command: str, patience_s: float = RUNNERS_PATIENCE_S) -> list[str]:
        os.write(self._port, f"{command}%".encode())
        lines = []
        while not lines or "m-ready" not in lines[-1]:
            lines.append(self._line(patience_s))
            self._told(lines[-1])
        return lines

    def close(self) -> None:
        os.close(self._port)

    def _line(self, patience_s: float) -> str:
        end = time.monotonic() + patience_s
        while b"\n" not in self._rest:
            if not select.select([self._port], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no line in {patience_s} s")
            self._rest += os.read(self._port, 4096)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode().replace("\r", "").replace("\0", "")


@pytest.fixture
def board():
    return Slow()


@pytest.fixture
def place(board):
    """Where the board answers, as `tiny serve` has it do."""
    responder = Responder("edgeprof", "x01", 16, board)
    ends = threading.Event()

    def serve():
        with closing(Speaker(end.write, lambda: responder.doing, every_s=0.05)) as speaker:
            while not ends.is_set():
                for answer in responder.heard(end.read(0.05)):
                    speaker.say(answer)

    with closing(open_port("pty")) as end:
        thread = threading.Thread(target=serve)
        thread.start()
        yield end.place
        ends.set()
        for heard in board.heard.values():
            heard.release(3)
        thread.join()


def hearing(board):
    """Return what tells the board that a line was heard."""

    def told(line: str) -> None:
        if heard := board.heard.get(line.removeprefix("m-[").removesuffix("]")):
            heard.release()

    return told


def test_the_public_runner_is_kept_waiting_by_lines_that_are_true_and_reads_its_results(board, place):
    with closing(PublicRunner(place, hearing(board))) as runner:
        for command in ("name", "db load 16", f"db {SAMPLE.hex()}"):
            runner.ask(command)
        said = runner.ask("infer 1000 0")

    assert said.count("m-[Loading 16 bytes]") >= 3
    assert said.count("m-[Running]") >= 3
    # What the runner looks for, and all it looks at.
    assert [line for line in said if re.fullmatch(r"m-lap-us-[0-9]+", line)] == ["m-lap-us-7", "m-lap-us-100007"]
    assert [line for line in said if re.fullmatch(r"m-results-\[[^]]+\]", line)] == ["m-results-[1.000,2.000]"]
    # Each says what is done where it is done, and none comes after the end.
    true = [line for line in said if not line.startswith(("m-lap", "m-results"))]
    steps = [line for at, line in enumerate(true) if line != true[at - 1]]
    shown = [line for line in steps if line not in ("m-[Warming up]", "m-[Reading the results]")]
    assert shown == [
        "m-[Loading 16 bytes]",
        "m-warmup-start-0",
        "m-warmup-done",
        "m-infer-start-1000",
        "m-[Running]",
        "m-infer-done",
        "m-ready",
    ]


def test_our_own_host_takes_such_lines_for_what_they_are(board, place):
    told = hearing(board)
    go_on = threading.Event()

    def release():  # our host hands no lines out: the board is told that they were heard by the clock
        while not go_on.wait(0.2):
            for what in board.heard:
                told(f"m-[{what}]")

    thread = threading.Thread(target=release)
    thread.start()
    try:
        with closing(TinyDevice(parse_tiny(f"tiny+serial://{place}?wait=20"), lambda _: None)) as device:
            device.load(SAMPLE)
            window = device.infer(1000, 0, 60)
    finally:
        go_on.set()
        thread.join()

    assert (window.results, window.elapsed_ns) == ((1.0, 2.0), 100_000_000)
    assert device.reads_back


def test_nothing_is_said_between_commands(board, place):
    with closing(PublicRunner(place, hearing(board))) as runner:
        runner.ask("name")

        with pytest.raises(TimeoutError):
            runner._line(0.3)


def test_two_lines_come_before_the_public_runner_loses_patience():
    assert 2 * EVERY_S < RUNNERS_PATIENCE_S
