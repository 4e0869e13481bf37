"""The main job at a serial console, from the command line: no network, a shell at the line, and a higher speed."""

import termios
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.contract.transport.uart import SHELL, Console, Uart
from tests.diagonal import write_diagonal

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
