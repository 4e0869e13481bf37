"""A matrix whose host, agent, link or disk fails at any stage: nothing finished is lost, and `--resume` does the rest.

The command halts at the stage, so that the fault strikes there on any machine, however fast or busy. Some stages of each
fault are tried by default; EDGEPROF_TEST_FAULTS=all tries all of them.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeprof.store import RunRow, open_store
from tests.conftest import ROOT
from tests.contract.transport.relay import Relay
from tests.integration.test_devices_at_once import write_down
from tests.integration.test_main_job import agents_of, eventually
from tests.sshd import current_user

MODEL = ROOT / "tests/contract/agent/models/any_batch.tflite"
# Two cells take turns: two launches each, of 16 runs in 8 turns.
MATRIX = ("profile", MODEL, "-t", "1", "-t", "2", "-k", "2", "--runs", "16", "--no-energy", "--eval", "samples.npz")


@dataclass(frozen=True)
class Stage:
    """Where a command halts, and how many launches it has finished by then."""

    place: str
    number: int
    finished: int


STAGES = {
    "bootstrap": Stage("edgeprof.remote.bootstrap:_push_runtime", 1, 0),
    "push": Stage("edgeprof.remote.board:Board.push_model", 2, 0),
    "golden check": Stage("edgeprof.profile.session:check_outputs", 2, 0),
    "launches": Stage("edgeprof.profile.launch:LiveLaunch.take_turn", 20, 2),
    "storing": Stage("edgeprof.store.store:Store.save_launch", 4, 3),
    "accuracy": Stage("edgeprof.profile.afterwards:evaluate", 2, 4),
}


def some(*stages: str, of: tuple[str, ...] = tuple(STAGES)):
    """Parametrise a test by stages: those named, or all of those that are possible."""
    return pytest.mark.parametrize("stage", of if os.environ.get("EDGEPROF_TEST_FAULTS") == "all" else stages)


class Halted:
    """A command that has come as far as its stage."""

    def __init__(self, cli, stage: Stage, *args: object) -> None:
        program = [sys.executable, "-m", "tests.integration.halting", stage.place, str(stage.number)]
        self.process = subprocess.Popen(
            [*program, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cli.folder,
            env={**cli.env, "PYTHONPATH": str(ROOT)},
        )
        heard = []
        for line in self.process.stderr:
            heard.append(line)
            if line == "halted\n":
                return
        raise AssertionError("".join(heard))

    def go_on(self) -> tuple[int, str]:
        """Let it run to its end; return status and what it said on standard error."""
        _, err = self.process.communicate("\n", timeout=120)
        assert "Traceback" not in err, err
        return self.process.returncode, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def samples(cli):
    """Samples for the model, beside the command."""
    np.savez(cli.folder / "samples.npz", x=np.eye(4, dtype=np.float32).repeat(5, 0), y=np.arange(4).repeat(5))


@pytest.fixture
def far(cli, bare_board, samples):
    """A relay that leads to a board with this machine's Python, which is known as `far`."""
    bare_board.link("python3", sys.executable)
    relay = Relay(bare_board.sshd.port)
    url = f"ssh://{current_user()}@127.0.0.1:{relay.port}"
    write_down(cli, "far", f'url = "{url}"', f'host_key = "{bare_board.sshd.fingerprint}"')
    yield relay
    relay.close()


def small_folder(path: Path, size: str):
    """Mount a folder of that size; yield a function that leaves no room in it, and one that gives it back."""
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "edgeprof-test", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small folder")
    ballast = path / "ballast"

    def fill() -> None:
        room = os.statvfs(path)
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize))

    yield fill, ballast.unlink
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def board_disk(bare_board):
    yield from small_folder(bare_board.home / ".edgeprof", "24m")


@pytest.fixture
def host_disk(cli, monkeypatch):
    for found in small_folder(cli.folder / "store", "64m"):
        monkeypatch.setitem(cli.env, "EDGEPROF_STORE", str(cli.folder / "store/results.db"))
        yield found


def leave_nothing_to_reuse(store: str) -> None:
    """Empty SQLite's log: what it has written already would take the next pages without any room."""
    with closing(sqlite3.connect(store)) as database:
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy


def rows(cli) -> list[RunRow]:
    with open_store(cli.env["EDGEPROF_STORE"]) as store:
        return store.list_runs()


def finish(cli, *devices: str) -> dict:
    """Go on with the matrix when the agents have noticed that nobody is there any more; every cell is complete then."""
    assert eventually(lambda: not agents_of(cli) and not agents_of(cli, str(cli.folder / "remote/board")), 180)
    done = cli(*MATRIX, *devices, "--resume", "--json")
    assert done.code == 0, done.err
    document = done.json()
    assert {(item["status"], item["failure"]) for item in document["items"]} == {("complete", None)}
    return document


@some("bootstrap", "golden check", "launches", "storing")
def test_a_host_that_is_killed_keeps_every_finished_launch(stage, cli, far):
    halted = Halted(cli, STAGES[stage], *MATRIX, "-d", "far")
    halted.kill()
    before = rows(cli)

    document = finish(cli, "-d", "far")

    assert {row.status for row in before} <= {"interrupted"}
    assert sum(row.n_launches for row in before) == STAGES[stage].finished
    assert "taken" not in document
    assert len(document["items"]) == 2


def test_what_is_complete_when_the_host_is_killed_is_not_measured_again(cli, samples):
    """On this machine, at the last write of all: the first cell is complete, and the second is not."""
    halted = Halted(cli, Stage("edgeprof.profile.session:doubts.after", 2, 4), *MATRIX)
    halted.kill()
    before = rows(cli)

    document = finish(cli)

    complete = [row.run_id for row in before if row.status == "complete"]
    assert len(before) == 2
    assert document["taken"] == complete
    assert len(complete) == 1


@some("launches", "accuracy", of=("push", "golden check", "launches", "storing", "accuracy"))
def test_an_agent_that_is_killed_is_started_again_and_the_matrix_completed(stage, cli, far, bare_board):
    halted = Halted(cli, STAGES[stage], *MATRIX, "-d", "far", "--reconnect", "90")
    for pid in agents_of(cli, str(bare_board.home)):
        os.kill(int(pid), 9)

    code, err = halted.go_on()

    assert code == 0, err
    assert [(row.status, row.n_launches) for row in rows(cli)] == [("complete", 2)] * 2


@some("push", "launches")
def test_a_link_that_is_cut_for_good_leaves_what_was_finished(stage, cli, far):
    halted = Halted(cli, STAGES[stage], *MATRIX, "-d", "far", "--reconnect", "0.5")
    alive, far.target = far.target, 9
    far.cut()

    code, err = halted.go_on()
    before = rows(cli)
    far.target = alive
    document = finish(cli, "-d", "far")

    assert code == 1
    assert "error: " in err
    assert "hint: " in err
    assert {row.status for row in before} <= {"interrupted"}
    # All of a launch that is about to be stored is on the host already.
    assert sum(row.n_launches for row in before) == STAGES[stage].finished + (stage == "storing")
    assert len(document["items"]) == 2


@some("bootstrap", "accuracy")
def test_a_board_without_room_says_so_and_is_measured_when_it_has_some(stage, cli, far, board_disk):
    fill, free = board_disk
    halted = Halted(cli, STAGES[stage], *MATRIX, "-d", "far")
    fill()

    code, err = halted.go_on()
    before = rows(cli)
    free()
    document = finish(cli, "-d", "far")

    assert code == 1
    assert "room" in err
    assert "hint: " in err
    assert {row.status for row in before} <= {"failed", "complete"}
    assert sum(row.n_launches for row in before) >= STAGES[stage].finished
    assert len(document["items"]) == 2


@some("storing", of=("push", "golden check", "launches", "storing", "accuracy"))
def test_a_store_without_room_says_so_and_keeps_what_it_has(stage, cli, samples, host_disk):
    fill, free = host_disk
    halted = Halted(cli, STAGES[stage], *MATRIX)
    leave_nothing_to_reuse(cli.env["EDGEPROF_STORE"])
    fill()

    code, err = halted.go_on()
    free()
    before = rows(cli)
    document = finish(cli)

    assert code == 1
    assert "cannot be used: database or disk is full" in err
    assert "hint: " in err
    assert sum(row.n_launches for row in before) == STAGES[stage].finished
    assert len(document["items"]) == 2
