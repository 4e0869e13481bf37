"""Virtual boards for tests: none outlives them, also after a crash; images and snapshots do."""

import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from edgeprof import lab
from edgeprof.errors import EdgeprofError
from edgeprof.lab import debian
from edgeprof.lab.board import start
from edgeprof.records import CLOCK_WALL
from tests.conftest import Cli

if TYPE_CHECKING:
    from edgeprof.lab.qemu import Qemu

_BANNER_S = 30
_NOBODY = "! grep -q '[a]gents/' /proc/[0-9]*/cmdline"


@pytest.fixture(scope="session")
def lab_here(cache_dir):
    """Skip where virtual boards cannot be; else let them live in the tests' own cache."""
    packages = lab.missing((*lab.TO_BOOT, *lab.TO_BUILD))
    if not sys.platform.startswith("linux") or packages:
        pytest.skip(f"no virtual boards here: apt-get install {' '.join(packages)}")
    try:
        debian.sources("bookworm")
    except EdgeprofError as exc:
        pytest.skip(f"no virtual boards here: {exc.message}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPROF_CACHE_DIR", str(cache_dir))
        yield


@pytest.fixture
def boot(lab_here, tmp_path):
    """Start boards by kind; they end with the test."""
    with ExitStack() as stack:

        def start(kind: str, **options) -> lab.VirtualBoard:
            folder = Path(tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}")
            return stack.enter_context(lab.running(lab.find_kind(kind), folder, print, **options))

        yield start


class Standing:
    """One board that stays up from test to test, for those that leave it as it was: setting one up takes many seconds.

    Where it does not answer any more, or another is asked for, it ends and the next one begins: so a second try of a
    test whose board died has a live one.

    Attributes:
        qemu: The machine of the board that is up: its monitor, and a root's shell on it.
    """

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders, self._up, self._asked = folders, ExitStack(), ()
        self._board: lab.VirtualBoard | None = None
        self.qemu: Qemu | None = None

    def __call__(self, kind: str, clock: str = CLOCK_WALL) -> lab.VirtualBoard:
        if self._board is None or self._asked != (kind, clock) or not answers(self._board):
            self.close()
            folder = self._folders.mktemp(kind) / "board"
            self.qemu, self._board = start(lab.find_kind(kind), folder, print, clock=clock, tied=True)
            self._up.callback(self.qemu.end)
            self._asked = (kind, clock)
        return self._board

    def switch(self, on: bool) -> None:
        """Be the board's power switch: off, it stands still; on, it begins anew, as any board does."""
        assert self.qemu is not None
        for command in ("system_reset", "cont") if on else ("stop",):
            self.qemu.command(command)

    def close(self) -> None:
        """End the board: the next test gets another."""
        self._board = None
        self._up.close()


def begun(cli: Cli, *asked: object) -> subprocess.Popen:
    """Start a command and return when the board has finished its first launch."""
    process, said = cli.start(*asked), []
    for line in process.stderr:
        said.append(line)
        if line.startswith("board: ") and "provisional" in line:
            return process
    raise AssertionError("".join(said))


def nobody_is_left(qemu: "Qemu") -> None:
    """Wait until nothing of ours runs on the board; raise `DeviceError` if that does not come."""
    qemu.tell(f"for i in 1 2 3 4 5 6 7 8 9; do {_NOBODY} && break; sleep 1; done; {_NOBODY}")


def answers(board: lab.VirtualBoard) -> bool:
    """Whether its SSH server says who it is; one without a network does where its machine runs."""
    if board.ssh_port is None:
        return psutil.pid_exists(board.pid) and psutil.Process(board.pid).status() != psutil.STATUS_ZOMBIE
    try:
        with socket.create_connection(("127.0.0.1", board.ssh_port), _BANNER_S) as sock:
            return sock.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.fixture(scope="session")
def standing(lab_here, tmp_path_factory):
    """A board that stays up, by kind and clock."""
    with closing(Standing(tmp_path_factory)) as found:
        yield found


def introduce(cli: Cli, board: lab.VirtualBoard, name: str) -> lab.VirtualBoard:
    """Add a board as a device of the command line's, which may be slow to answer: its processor is emulated."""
    cli.env["EDGEPROF_ANSWER_S"] = "120"
    device = board.device(name)
    keys = ("-i", board.identity, "--host-key", board.host_key) if board.ssh_port else ()
    added = cli("device", "add", name, device.url, *keys)
    assert added.code == 0, added.err
    return board


@pytest.fixture
def add(boot, cli: Cli):
    """Start a board of the test's own and add it as a device."""
    return lambda kind, name="board", **options: introduce(cli, boot(kind, **options), name)


@pytest.fixture
def add_standing(standing, cli: Cli):
    """Add as a device a board that may be set up already."""
    return lambda kind, name="board", **options: introduce(cli, standing(kind, **options), name)


@pytest.fixture(scope="session")
def tflite(cache_dir, example, tmp_path_factory) -> dict[str, Path]:
    """The example model as `fp32` and `int8` files."""
    from tests.conftest import environment

    folder = tmp_path_factory.mktemp("tflite")
    (folder / "home").mkdir()
    command_line = Cli(environment(folder / "home", cache_dir), folder)
    data = ("--calibration", example / "calibration.npz")
    made = command_line("compress", example / "fashion_cnn.keras", "-r", "fp32", "-r", "int8", *data, "-o", "made")
    assert made.code == 0, made.err
    return {recipe: folder / "made" / f"fashion_cnn-{recipe}.tflite" for recipe in ("fp32", "int8")}


@pytest.fixture(scope="session")
def few(example, tmp_path_factory) -> Path:
    """A hundred samples with labels: an emulated processor is slow."""
    import numpy as np

    whole = np.load(example / "test.npz")
    path = tmp_path_factory.mktemp("eval") / "few.npz"
    np.savez(path, x=whole["x"][:100], y=whole["y"][:100])
    return path
