"""MLPerf Tiny's protocol from the command line, both ways: one `edgeprof` answers as a device, another measures it."""

import re
import signal
import socket
import struct
import threading
import time
from contextlib import contextmanager

import jsonschema
import numpy as np
import pytest

from edgeprof.report.document import schema
from edgeprof.store import open_store
from edgeprof.tiny import Responder
from tests.contract.transport.relay import Relay
from tests.diagonal import write_diagonal
from tests.tinydevices import Terminal

# Outputs are stored every two seconds.
STORED_AFTER_S = 2.2
QUICK = ("--launches", "3", "--runs", "2000")


@contextmanager
def served(cli, model, *options):
    """Let this machine answer as a device; give where it does."""
    process = cli.start("tiny", "serve", "local", model, *options)
    try:
        line = process.stdout.readline()
        found = re.search(r" on (\S+);", line)
        assert found, line + process.stderr.read()
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err


@pytest.fixture
def model(tmp_path):
    return write_diagonal(tmp_path / "twice.tflite", 2)


@pytest.fixture
def samples(tmp_path):
    """Four numbers each, of which the largest is the class: what a factor of 2 keeps."""
    x = np.random.default_rng(1).random((12, 4), np.float32)
    path = tmp_path / "eval.npz"
    np.savez(path, x=x, y=x.argmax(axis=1))
    return path


def test_a_board_that_answers_as_a_device_is_probed_and_measured_as_one(cli, model, samples):
    with served(cli, model) as place:
        added = cli("device", "add", "mcu", f"tiny+serial://{place}?wait=20")
        probed = cli("device", "probe", "mcu", "--json")
        measured = cli("profile", model, "-d", "mcu", *QUICK, "--eval", samples, "--json")

    assert added.code == 0, added.err
    assert probed.json()["items"][0]["probe"]["vendor"] == "edgeprof"
    assert measured.code == 0, measured.err
    document = measured.json()
    jsonschema.validate(document, schema())
    run = document["items"][0]
    figures = {(m["name"], m["statistic"]): m for m in run["metrics"]}
    assert (run["origin"], run["status"], run["accelerator"]) == ("mlperf-tiny-device", "complete", "unknown")
    assert run["golden"]["passed"]
    assert figures["latency_ns", "mean"]["point"] > 0
    assert figures["latency_ns", "mean"]["n_samples"] == 6000
    assert figures["latency_ns", "window_low"]["point"] <= figures["latency_ns", "mean"]["point"]
    assert figures["latency_ns", "median"]["not_measured"] == "not_in_protocol"
    assert figures["peak_rss_bytes", "median"]["not_measured"] == "not_in_protocol"
    assert figures["top1_ratio", "share"]["point"] == 1.0
    assert figures["top1_ratio", "share"]["n_samples"] == 12
    assert [window["runs"] for window in run["windows"]] == [2000] * 3
    assert "short_window" in {found["code"] for found in run["warnings"]}


def test_images_pass_as_unsigned_bytes_and_another_form_or_another_model_is_seen(cli, tmp_path):
    model = write_diagonal(tmp_path / "int8.tflite", 1, scale=1 / 127)
    other = write_diagonal(tmp_path / "thrice.tflite", 3, scale=1 / 127)
    with served(cli, model, "--name", "ic01", "--port", "tcp:0") as place:
        cli("device", "add", "right", f"tiny+socket://{place}?wait=20")
        cli("device", "add", "wrong", f"tiny+socket://{place}?wait=20&input=raw")
        right = cli("profile", model, "-d", "right", *QUICK)
        form = cli("profile", model, "-d", "wrong", *QUICK, "--json")
        another = cli("profile", other, "-d", "right", *QUICK, "--json")

    assert right.code == 0, right.err
    assert "latency (mean)" in right.out
    assert "3 windows of 2000 runs" in right.out
    assert "firmware: edgeprof ULPMark for tinyML Firmware V0.0.1 ic01" in right.out
    assert "not in protocol" in right.out
    assert form.code == another.code == 1
    assert "takes inputs in another form: `?input=`, here `raw`" in form.err
    assert "gives other outputs than thrice.tflite on the host" in another.err
    assert another.json()["items"][0]["status"] == "failed"
    assert another.json()["items"][0]["windows"] == []


def test_a_board_that_answers_as_ad01_says_its_one_error(cli, model):
    sample = np.array([1, 2, 3, 4], "<f4").tobytes()
    with served(cli, model, "--name", "ad01", "--port", "tcp:0") as place:
        host, port = place.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(f"db load 16%db {sample.hex()}%infer 1 0%".encode())
            said = b""
            while b"m-results" not in said or not said.endswith(b"m-ready\r\n"):
                said += line.recv(4096)

    assert b"\r\nm-results-[7.500]\r\n" in said  # twice the sample, held against the sample


def test_a_board_that_runs_for_long_says_so_meanwhile(cli, model):
    """The public runner gives up after five seconds without a line."""
    with served(cli, model, "--port", "tcp:0") as place:
        host, port = place.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as line, line.makefile("rwb") as lines:
            said = asked(lines, "db load 16", f"db {bytes(16).hex()}")
            runs = 1_000_000
            while "m-[Running]" not in said and runs < 10**9:
                said, runs = asked(lines, f"infer {runs} 0"), 2 * runs

    assert said.index(f"m-infer-start-{runs // 2}") < said.index("m-[Running]") < said.index("m-infer-done")
    assert said[-2:] == ["m-results-[0.000,0.000,0.000,0.000]", "m-ready"]


def asked(lines, *commands: str) -> list[str]:
    """Return the answer to the last command."""
    for command in commands:
        lines.write(f"{command}%".encode())
        lines.flush()
        said = []
        while "m-ready" not in said:
            said.append(lines.readline().decode().strip())
    return said


def test_a_port_that_is_not_there_is_named_and_a_device_without_commands_needs_no_setup(cli, model):
    added = cli("device", "add", "mcu", "tiny+serial:///dev/no-such-port")
    console = cli("device", "add", "console", "serial:///dev/no-such-port")

    probed, setup = cli("device", "probe", "mcu"), cli("device", "setup", "mcu")
    threads = cli("profile", model, "-d", "mcu", "--threads", "2")

    for done in (added, console):  # it may be plugged in later
        assert done.code == 0
        assert "note: there is no `/dev/no-such-port` now: this machine has" in done.err
    assert probed.code == 1
    assert "there is no serial port `/dev/no-such-port`" in probed.err
    assert setup.code == threads.code == 2
    assert "it needs no setup" in setup.err
    assert "--threads: MLPerf Tiny's protocol knows nothing of it" in threads.err


@pytest.fixture
def relay():
    """A relay to a port that is told later."""
    relay = Relay(0)
    yield relay
    relay.close()


def test_a_line_that_is_cut_is_made_again_and_a_device_that_goes_away_keeps_its_windows(cli, model, relay):
    with served(cli, model, "--port", "tcp:0") as place:
        relay.target = int(place.rpartition(":")[2])
        cli("device", "add", "mcu", f"tiny+socket://127.0.0.1:{relay.port}?wait=5")
        options = ("--launches", "1000", "--runs", "500", "--reconnect", "2")
        process = cli.start("profile", model, "-d", "mcu", *options)
        await_windows(cli, 1)
        relay.cut()
        before = len(await_run(cli, lambda run: "link_lost" in codes(run)).windows)
        after = await_windows(cli, before + 1)
    relay.cut()
    _, err = process.communicate(timeout=90)

    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert "the line to" in err
    assert "did not come back" in err
    run = stored(cli)
    assert len(run.windows) >= after
    assert run.status == "interrupted"
    assert "link_lost" in codes(run)


class Doubler:
    """What a device runs: four floats, twice each; it is slow with one sample and hangs at another, until `on` is set.

    Attributes:
        loaded: Every sample that was loaded.
    """

    def __init__(self, slow: bytes, hangs: bytes):
        self.slow, self.hangs = slow, hangs
        self.loaded = []
        self.on = threading.Event()

    def load(self, sample):
        self.sample = sample
        self.loaded.append(sample)

    def clock_us(self):
        return time.monotonic_ns() // 1000

    def run(self, count):
        if self.sample == self.slow and not self.on.is_set():
            time.sleep(STORED_AFTER_S)
        if self.sample == self.hangs:
            self.on.wait(110)
        return 100 * count

    def results(self):
        return tuple(2 * value for value in struct.unpack("<4f", self.sample))


def test_a_host_that_was_killed_goes_on_with_the_window_and_the_sample_it_was_at(cli, model, samples):
    x = [row.tobytes() for row in np.load(samples)["x"]]
    board = Doubler(slow=x[3], hangs=x[5])
    device = Terminal(Responder("test", "x01", 16, board).heard)
    asked = ("profile", model, "-d", "mcu", *QUICK, "--eval", samples)
    try:
        cli("device", "add", "mcu", f"tiny+serial://{device.place}?wait=20")
        process = cli.start(*asked)
        await_run(cli, lambda run: run.part)
        process.kill()
        process.communicate(timeout=60)
        before = stored(cli)
        board.on.set()
        board.loaded.clear()
        done = cli(*asked, "--resume", "--json")
    finally:
        board.on.set()
        device.close()

    assert done.code == 0, done.err
    (run,) = done.json()["items"]
    figures = {(m["name"], m["statistic"]): m for m in run["metrics"]}
    assert (before.status, before.part.n_samples) == ("interrupted", 4)
    assert (run["run_id"], run["status"]) == (before.run_id, "complete")
    assert [window["elapsed_ns"] for window in run["windows"]] == [window.elapsed_ns for window in before.windows]
    assert (figures["top1_ratio", "share"]["n_samples"], figures["top1_ratio", "share"]["point"]) == (12, 1.0)
    assert [sample for sample in board.loaded if sample in x] == x[4:]
    assert "broken off after 3 of 3 windows and 4 samples of `eval`, and gone on with from there" in done.err
    assert "resumed" in {found["code"] for found in run["warnings"]}
    assert stored(cli).part is None


def codes(run) -> set[str]:
    return {found.code for found in run.warnings}


def await_windows(cli, count: int) -> int:
    """Wait until a run has so many windows in the store; return how many it has then."""
    return len(await_run(cli, lambda run: len(run.windows) >= count).windows)


def await_run(cli, is_it):
    """Wait until the only run is such a one in the store; return it."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        run = stored(cli)
        if run and is_it(run):
            return run
        time.sleep(0.1)
    raise AssertionError("no such run came")


def stored(cli):
    """Return the only run of the store, or `None` so far."""
    with open_store(cli.env["EDGEPROF_STORE"]) as store:
        rows = store.list_runs()
        return store.load_run(rows[0].run_id) if rows else None
