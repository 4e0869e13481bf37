"""A board without room."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.agent.client import Agent, Board, Runtime


@pytest.fixture
def small(tmp_path: Path, provision: Callable[[str, str], Runtime]) -> Iterator[Board]:
    """A board whose folder holds one MiB and 64 names."""
    home = tmp_path / "small"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "edgeprof-test", str(home)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small folder")
    yield Board(home, (provision("litert", "3.11"),))
    subprocess.run(["umount", "--lazy", str(home)], check=True)


@pytest.fixture
def full(small: Board, start: Callable[..., Agent], provision: Callable[[str, str], Runtime]) -> Agent:
    begun = start(small, runtime=provision("litert", "3.11").folder)
    begun.hello()
    return begun


def fill(board: Board) -> None:
    room = os.statvfs(board.home)
    (board.home / "tmp" / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize))


def use_up_names(board: Board) -> None:
    for number in range(os.statvfs(board.home).f_ffree):
        (board.home / "tmp" / str(number)).touch()


def test_runs_without_room_say_so_and_the_child_lives(full: Agent, selftest: Path):
    child = full.open(selftest)["child"]
    inputs = full.board.inputs(bytes(16 * 4096))
    fill(full.board)

    timed = full.refusal("invoke", child=child, count=9000, timeout_s=30)
    data = full.refusal("invoke", child=child, inputs=inputs, count=4096, fresh=False, timeout_s=30)
    (full.board.home / "tmp" / "ballast").unlink()

    assert (timed.code, data.code) == ("disk_full", "disk_full")
    assert full.time(child, 9000)["size_bytes"] == 72_000


def test_opening_without_room_says_so(full: Agent, selftest: Path):
    asked = full.opening(selftest)
    use_up_names(full.board)

    refusals = [full.refusal("open", **asked), full.refusal("sampler_start", hz=10, cpus=None)]
    (full.board.home / "tmp" / "0").unlink()
    (full.board.home / "tmp" / "1").unlink()

    assert [refused.code for refused in refusals] == ["disk_full", "disk_full"]
    assert full.call("open", **asked)["child"] > 0
