"""A board is restarted, or its clock is set, while it is measured: nothing finished is lost, no figure is spoiled.

One board for all, without Python: its agent in C starts at once, and an emulated processor is slow.
"""

import time

import pytest

from edgeprof import resources
from edgeprof.lab.qemu import Qemu
from tests.boards.conftest import Standing, begun, nobody_is_left

MODEL = resources.folder("device_agents") / "selftest.tflite"
LONGEST_NS = 600e9


@pytest.fixture
def board(standing, add_standing) -> Standing:
    """The board, known to the command line as `board`; one that a test left unreachable is not given to the next."""
    add_standing("no-python")
    return standing


def monitor(qemu: Qemu, line: str) -> None:
    """Say something to QEMU's monitor for people."""
    said = qemu.command("human-monitor-command", **{"command-line": line})
    assert "rror" not in str(said), said


def test_a_board_that_is_reset_half_way_keeps_what_finished_and_is_measured_again_once_it_is_up(board, cli):
    asked = ("profile", MODEL, "-d", "local", "-d", "board", "-k", "3", "--runs", "20", "--no-energy")
    port, qemu = board.qemu.ssh_port(), board.qemu
    process = begun(cli, *asked, "--reconnect", "1")

    qemu.command("system_reset")
    monitor(qemu, f"hostfwd_remove network tcp:127.0.0.1:{port}")  # it is away for longer than anybody waits
    _, err = process.communicate(timeout=600)
    before = {run["device"]: run for run in cli("run", "list", "--json").json()["items"]}
    qemu.await_boot()
    nobody_is_left(qemu)
    monitor(qemu, f"hostfwd_add network tcp:127.0.0.1:{port}-:22")
    resumed = cli(*asked, "--resume", "--json")
    after = {run["run_id"]: run for run in cli("run", "list", "--json").json()["items"]}

    assert process.returncode == 1
    assert "error: `board` did not come back: " in err
    assert "hint: what finished is stored" in err
    assert "Traceback" not in err
    assert {device: run["status"] for device, run in before.items()} == {"local": "complete", "board": "interrupted"}
    assert 1 <= before["board"]["n_launches"] < 3
    assert resumed.code == 0, resumed.err
    document = resumed.json()
    assert document["taken"] == [before["local"]["run_id"]]
    assert [(item["device"], item["status"]) for item in document["items"]] == [
        ("local", "complete"),
        ("board", "complete"),
    ]
    assert after[before["board"]["run_id"]]["n_launches"] == before["board"]["n_launches"]
    nobody_is_left(qemu)


def test_a_board_whose_clock_is_set_all_the_while_loses_nothing_and_its_times_are_no_years(board, cli):
    process = begun(cli, "profile", MODEL, "-d", "board", "-k", "2", "--runs", "20", "--no-energy", "--json")

    end = time.monotonic() + 600
    try:
        while process.poll() is None and time.monotonic() < end:
            board.qemu.tell("date -s 2001-01-01; sleep 0.3; date -s 2040-01-01; sleep 0.3")
    finally:
        board.qemu.tell(f"date -s @{int(time.time())}")
    out, err = process.communicate(timeout=120)
    run_id = cli("run", "list", "--json").json()["items"][0]["run_id"]
    run = cli("run", "show", run_id, "--json").json()["items"][0]

    assert process.returncode == 0, err
    assert "link_lost" not in out
    assert (run["status"], len(run["launches"])) == ("complete", 2)
    for launch in run["launches"]:
        times = [*launch["latency_ns"], *launch["start_up"].values(), launch["wall_time_ns"]]
        assert all(0 < time_ns < LONGEST_NS for time_ns in times), launch
    assert all(state["others_cores"] is None or 0 <= state["others_cores"] < 3 for state in run["states"])
    nobody_is_left(board.qemu)


def test_a_board_that_is_reset_right_after_its_set_up_has_it_whole(board, cli):
    board.qemu.tell("rm -rf /home/edge/.edgeprof; sync")
    first = cli("device", "setup", "board", "--json")

    board.qemu.command("system_reset")
    board.qemu.await_boot()
    again = cli("device", "setup", "board", "--json")

    assert first.code == again.code == 0, first.err + again.err
    assert first.json()["items"][0]["pushed_bytes"] > 1_000_000
    assert again.json()["items"][0]["pushed_bytes"] < 100_000  # at most the self-test's model
