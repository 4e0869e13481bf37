"""A board behind a real OpenSSH server: a home, a PATH and a C library's number of its own."""

import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sshd import SSHD, Sshd, start_sshd

TOOLS = (
    "sh", "bash", "cat", "mkdir", "uname", "getconf", "sed", "df", "awk", "mv", "rm", "wc", "tr", "cut", "head", "ls", "dirname",
    "sha256sum", "chmod", "od", "gzip", "tar", "printf", "env", "readlink",
)  # fmt: skip


@dataclass(frozen=True)
class SshBoard:
    """A board: who logs in gets this home and this PATH.

    Attributes:
        sshd: Its server.
        home: Its home folder.
        bin: Its programs.
    """

    sshd: Sshd
    home: Path
    bin: Path

    @property
    def url(self) -> str:
        return self.sshd.url

    def install(self, name: str, script: str) -> None:
        """Put a program of the test's own on the board."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def link(self, name: str, target: str | None = None) -> None:
        """Put a program of this machine on the board."""
        found = target or shutil.which(name)
        (self.bin / name).unlink(missing_ok=True)
        if found:
            (self.bin / name).symlink_to(found)


def start_board(folder: Path) -> SshBoard:
    home, programs = folder / "board", folder / "bin"
    home.mkdir(parents=True)
    programs.mkdir()
    wrapper = folder / "login"
    wrapper.write_text(
        f'#!/bin/sh\nexec env -i HOME={home} PATH={programs} LC_ALL=C {programs}/sh -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    wrapper.chmod(0o755)
    sshd = start_sshd(folder / "sshd", extra=f"ForceCommand {wrapper}")
    board = SshBoard(sshd, home, programs)
    for tool in TOOLS:
        board.link(tool)
    return board


@pytest.fixture
def bare_board(tmp_path, cli):
    """A board without Python that `cli` may log in to; its key is known by fingerprint."""
    if SSHD is None:
        pytest.skip("no OpenSSH server: `apt install openssh-server`")
    made = start_board(tmp_path / "remote")
    made.sshd.let_in(tmp_path / "home")
    yield made
    made.sshd.stop()


@pytest.fixture
def board(bare_board, cli):
    """A board with this machine's Python, added as `board`."""
    bare_board.link("python3", sys.executable)
    added = cli("device", "add", "board", bare_board.url, "--host-key", bare_board.sshd.fingerprint)
    assert added.code == 0, added.err
    return bare_board
