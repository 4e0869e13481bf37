"""A board dies under the user's hands: a clear error, and no finished launch is lost."""

import os
import signal

import pytest

from edgeprof import resources

LONG = ("--launches", "6", "--runs", "50", "--reconnect", "1")
MODEL = resources.folder("device_agents") / "selftest.tflite"


@pytest.mark.parametrize(
    ("at", "launches"), [("pushing", 0), ("provisional", 1)], ids=["while it is set up", "while it runs"]
)
def test_a_board_that_dies(at, launches, add, cli):
    board = add("cortex-a72")

    process = cli.start("profile", MODEL, "-d", "board", *LONG)
    for line in process.stderr:
        if at in line:
            break
    os.kill(board.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "error: " in err
    assert "hint: " in err
    assert "Traceback" not in err
    rows = cli("run", "list", "--json").json()["items"]
    assert [row["status"] for row in rows] == ["interrupted"] * bool(launches)
    assert sum(row["n_launches"] for row in rows) >= launches
