"""The link to a board is cut while a user works: nothing finished is lost, and it goes on where it can."""

import shutil
from contextlib import suppress

import pytest

from tests.contract.transport.relay import Relay

LONG = ("--launches", "3", "--runs", "200")


@pytest.fixture
def relayed(cli, board):
    """`board` again, as `far`, behind a relay that can be cut."""
    relay = Relay(board.sshd.port)
    url = f"ssh://{board.url.split('@')[0].removeprefix('ssh://')}@127.0.0.1:{relay.port}"
    added = cli("device", "add", "far", url, "--host-key", board.sshd.fingerprint)
    assert added.code == 0, added.err
    yield relay
    relay.close()


def start_and_wait_for_a_launch(cli, model, *options):
    process = cli.start("profile", model, "-d", "far", *LONG, *options)
    heard = []
    for line in process.stderr:
        heard.append(line)
        if "provisional" in line:
            return process
    process.wait()
    raise AssertionError("".join(heard))


@pytest.fixture
def model(example):
    from edgeprof import resources

    return resources.folder("device_agents") / "selftest.tflite"


def test_a_push_that_was_cut_is_said_so_and_done_at_the_next_try(cli, relayed):
    relayed.cut_after(1_500_000)

    cut = cli("device", "setup", "far")
    again = cli("device", "setup", "far", "--json")

    assert cut.code == 1
    assert "error: " in cut.err
    assert "hint: " in cut.err
    assert again.code == 0, again.err
    # How much is sent again is the contract tests' matter: here the board may still be writing what it had.
    assert again.json()["items"][0]["pushed_bytes"] > 0


def test_a_run_whose_link_was_cut_and_came_back_is_completed_and_says_so(cli, relayed, model):
    process = start_and_wait_for_a_launch(cli, model)

    relayed.cut()
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert "is away; trying again" in err
    assert "[link_lost]" in out
    row = cli("run", "list", "--json").json()["items"][0]
    assert (row["status"], row["n_launches"]) == ("complete", 3)


def test_a_board_that_comes_back_without_what_was_on_it_gets_it_again_and_the_run_goes_on(cli, relayed, board, model):
    """As one does that was reset before its disk had it, or whose folder is in memory."""
    process = start_and_wait_for_a_launch(cli, model)

    relayed.freeze()
    shutil.rmtree(board.home / ".edgeprof")
    relayed.cut()
    relayed.thaw()
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert "pushing the agent" in err  # the first time was said before
    assert "[link_lost]" in out
    row = cli("run", "list", "--json").json()["items"][0]
    assert (row["status"], row["n_launches"]) == ("complete", 3)


def test_a_run_whose_board_stays_away_keeps_its_finished_launches(cli, relayed, board, model):
    process = start_and_wait_for_a_launch(cli, model, "--reconnect", "1")

    board.sshd.process.terminate()
    relayed.cut()
    _, err = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "error: `far` did not come back: " in err
    assert "hint: what finished is stored" in err
    assert "Traceback" not in err
    row = cli("run", "list", "--json").json()["items"][0]
    assert row["status"] == "interrupted"
    assert row["n_launches"] >= 1


def test_an_agent_that_was_killed_is_started_again(cli, board, model):
    import os
    import signal

    from tests.integration.test_main_job import agents_of

    process = cli.start("profile", model, "-d", "board", *LONG)
    for line in process.stderr:
        if "provisional" in line:
            break

    for pid in agents_of(cli, str(board.home)):
        with suppress(ProcessLookupError):  # a child that went with its agent, or had just ended its launch
            os.kill(int(pid), signal.SIGKILL)
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert "[link_lost]" in out
