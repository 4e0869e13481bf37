"""The main job at a serial console, from the command line: no network, a shell at the line, and a higher speed."""

import os
import signal
import subprocess
import termios
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.contract.transport.uart import SHELL, Console, Uart
from tests.diagonal import write_diagonal
from tests.integration.test_main_job import agents_of, eventually

FASTEST = 4_000_000


@contextmanager
def board(home: Path):
    """A board whose console keeps to the speed that both ends are set to."""
    home.mkdir()
    uart = Uart(by_mode=True)
    uart.set_baud(termios.B115200)
    shell = Console(uart, SHELL, home)
    try:
        yield uart, shell
    finally:
        shell.close()
        uart.close()


@pytest.fixture
def samples(tmp_path) -> Path:
    """Four numbers each, of which the largest is the class: what a factor of 2 keeps."""
    x = np.random.default_rng(1).random((40, 4), np.float32)
    path = tmp_path / "eval.npz"
    np.savez(path, x=x, y=x.argmax(axis=1))
    return path


def test_set_up_probe_and_measure_over_a_uart_and_its_console_is_given_back(cli, tmp_path, samples):
    model = write_diagonal(tmp_path / "twice.tflite", 2)
    with board(tmp_path / "board") as (uart, shell):
        speed = uart.mode()[4:6]
        added = cli("device", "add", "bench", f"serial://{uart.host}?fastest={FASTEST}")
        setup = cli("device", "setup", "bench", "--yes", "--json")
        probed = cli("device", "probe", "bench", "--json")
        measured = cli(
            "profile",
            model,
            "-d",
            "bench",
            "--launches",
            "2",
            "--runs",
            "70",
            "--no-energy",
            "--eval",
            samples,
            "--json",
        )
        left = uart.mode()[4:6]
        started = shell.started

    assert added.code == 0, added.err
    assert setup.code == 0, setup.err
    assert setup.json()["items"][0]["pushed_bytes"] > 1_000_000
    assert probed.code == 0, probed.err
    assert probed.json()["items"][0]["probe"]["machine"]
    assert measured.code == 0, measured.err
    run = measured.json()["items"][0]
    figures = {(m["name"], m["statistic"]): m for m in run["metrics"]}
    assert run["status"] == "complete"
    assert figures["latency_ns", "median"]["point"] > 0
    assert figures["latency_ns", "median"]["n_launches"] == 2
    assert figures["top1_ratio", "share"]["point"] == 1.0
    assert figures["top1_ratio", "share"]["n_samples"] == 40
    assert left == speed
    assert started == 1


@dataclass
class Bench:
    """A board at a console that is set up, as the device `bench`; and a profile of it and of `near`, which is done.

    Attributes:
        uart: Its line.
        port: The name of the host's end, which leads to whatever is plugged in.
        home: The board's home.
        asked: The profile, as words of a command.
    """

    uart: Uart
    port: Path
    home: Path
    asked: tuple[object, ...]


@pytest.fixture
def bench(cli, tmp_path):
    with board(tmp_path / "board") as (uart, _):
        port = tmp_path / "ttyUSB0"
        port.symlink_to(uart.host)
        # The same folder on the same machine: what goes over the line at a first use is another test's matter.
        cli("device", "add", "near", "local:", "--home", tmp_path / "board/.edgeprof")
        cli("device", "add", "bench", f"serial://{port}?fastest={FASTEST}&silent=3")
        model = write_diagonal(tmp_path / "twice.tflite", 2)
        counts = ("--launches", "4", "--runs", "20", "--no-energy")
        done = cli("profile", model, "-d", "near", *counts)
        assert done.code == 0, done.err
        asked = ("profile", model, "-d", "near", "-d", "bench", *counts, "--resume")
        yield Bench(uart, port, tmp_path / "board", asked)
        assert eventually(lambda: not agents_of(cli, str(tmp_path / "board")))


def begun(cli, *asked: object) -> subprocess.Popen:
    """Start a profile and return when the board has finished its first launch."""
    process = cli.start(*asked)
    heard = []
    for line in process.stderr:
        heard.append(line)
        if line.startswith("bench: ") and "provisional" in line:
            return process
    process.wait()
    raise AssertionError("".join(heard))


def interrupted(cli) -> dict:
    """Return the board's run, whose finished launches are stored."""
    runs = {run["device"]: run for run in cli("run", "list", "--json").json()["items"]}
    assert runs["bench"]["status"] == "interrupted"
    assert 1 <= runs["bench"]["n_launches"] < 4
    return runs["bench"]


def resumed(cli, bench: Bench, kept: dict) -> None:
    """Go on with the profile: only the board is measured again, and what it had finished is still there."""
    done = cli(*bench.asked, "--json")

    assert done.code == 0, done.err
    document = done.json()
    assert [(item["device"], item["status"]) for item in document["items"]] == [
        ("near", "complete"),
        ("bench", "complete"),
    ]
    assert document["taken"] == [document["items"][0]["run_id"]]
    after = {run["run_id"]: run["n_launches"] for run in cli("run", "list", "--json").json()["items"]}
    assert after[kept["run_id"]] == kept["n_launches"]
    assert after[document["items"][1]["run_id"]] == 4


def test_a_profile_whose_adapter_is_pulled_out_keeps_its_launches_and_goes_on_once_it_is_back(cli, bench):
    process = begun(cli, *bench.asked, "--reconnect", "1")

    bench.uart.unplug()
    _, err = process.communicate(timeout=300)
    kept = interrupted(cli)
    bench.uart.plug()
    bench.port.unlink()
    bench.port.symlink_to(bench.uart.host)

    assert process.returncode == 1
    assert "error: `bench` did not come back: " in err
    assert "hint: what finished is stored" in err
    assert "Traceback" not in err
    resumed(cli, bench, kept)


def test_a_profile_at_a_console_whose_agent_is_killed_is_completed_and_says_so(cli, bench):
    process = begun(cli, *bench.asked)

    for pid in agents_of(cli, str(bench.home)):
        with suppress(ProcessLookupError):  # a child that went with its agent, or had just ended its launch
            os.kill(int(pid), signal.SIGKILL)
    out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    assert "[link_lost]" in out


def test_a_profile_at_a_console_whose_host_is_killed_is_gone_on_with_by_the_next(cli, bench):
    process = begun(cli, *bench.asked)

    process.kill()
    process.communicate(timeout=60)

    resumed(cli, bench, interrupted(cli))
