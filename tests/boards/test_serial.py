"""Virtual boards at their UART: the main job without a network, and a board that dies meanwhile."""

import os
import signal

import jsonschema
import pytest

from edgeprof import lab, resources
from edgeprof.report.document import schema
from edgeprof.transport.seriallogin import PASSWORD_VARIABLE

MODEL = resources.folder("device_agents") / "selftest.tflite"
QUICK = ("--launches", "2", "--runs", "10")


@pytest.fixture
def password(monkeypatch, cli):
    """The console's password, where the command line looks for it."""
    cli.env[PASSWORD_VARIABLE] = lab.PASSWORD


def test_a_board_without_a_network_says_what_it_is(add, cli, password):
    board = add("serial-only")

    probed = cli("device", "probe", "board", "--json")

    assert probed.code == 0, probed.err
    said = probed.json()["items"][0]["probe"]
    assert said["lab"]["board"] == "serial-only"
    assert cli("device", "show", "board").out.count(f"socket://edge@127.0.0.1:{board.serial_port}") == 1


def test_a_wrong_password_is_an_error_and_no_traceback(add, cli, monkeypatch):
    add("serial-only")

    done = cli("device", "probe", "board", **{PASSWORD_VARIABLE: "wrong"})

    assert done.code == 1
    assert "does not let `edge` in: wrong name or password" in done.err


@pytest.fixture
def both_ways(add, cli, password):
    """A board with a network, set up over it, and added once more at its console: an emulated UART is slow."""
    board = add("cortex-a72", "net")
    setup = cli("device", "setup", "net", timeout=300)
    assert setup.code == 0, setup.err
    added = cli("device", "add", "console", f"socket://edge@127.0.0.1:{board.serial_port}?wait=180")
    assert added.code == 0, added.err
    return board


@pytest.mark.tensorflow
def test_the_main_job_works_over_a_uart_as_over_a_network(both_ways, cli, tflite, few):
    runs = {}
    for device in ("net", "console"):
        done = cli("profile", tflite["int8"], "-d", device, "--eval", few, *QUICK, "--json", timeout=400)
        assert done.code == 0, done.err
        document = done.json()
        jsonschema.validate(document, schema())
        runs[device] = document["items"][0]

    assert runs["console"]["status"] == "complete"
    assert runs["console"]["runtime"] == runs["net"]["runtime"]
    assert top1(runs["console"]) == top1(runs["net"])
    assert cli("device", "setup", "console", "--json").json()["items"][0]["pushed_bytes"] == 0


def top1(run) -> float:
    return next(m["point"] for m in run["metrics"] if m["name"] == "top1_ratio")


def test_a_board_that_dies_at_its_console_is_a_clear_error_and_loses_no_launch(both_ways, cli):
    process = cli.start("profile", MODEL, "-d", "console", "--launches", "6", "--runs", "50", "--reconnect", "1")
    for line in process.stderr:
        if "provisional" in line:
            break
    os.kill(both_ways.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "error: " in err
    assert "hint: " in err
    assert "Traceback" not in err
    rows = cli("run", "list", "--json").json()["items"]
    assert [row["status"] for row in rows] == ["interrupted"]
    assert rows[0]["n_launches"] >= 1
