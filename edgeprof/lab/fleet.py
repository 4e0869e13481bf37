"""The virtual boards that a user keeps running: `edgeprof lab up`, `list`, `down` and `clean`."""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from edgeprof.devices import Device, add_device, check_device, check_name, find_device, remove_device
from edgeprof.errors import UsageError
from edgeprof.lab.board import VirtualBoard, start
from edgeprof.lab.kinds import Kind
from edgeprof.lab.places import Say, lab_dir, locked
from edgeprof.names import did_you_mean

_RECORD = "board.json"
_SAME_START_S = 1.0
_END_S = 5.0
_BLOCK_BYTES = 512  # of st_blocks, whatever the file system's are


@dataclass(frozen=True, slots=True)
class Running:
    """A board of the user's.

    Attributes:
        name: Its device's name.
        kind: Its kind's name.
        clock: `wall`, or `instructions`.
        pid: QEMU's process.
        started_unix_s: When that began, which tells it from a later process of the same number.
        ssh_port: Port of this machine that leads to its SSH server, or `None` without network.
        serial_url: Its console, for pyserial.
        alive: It runs.
    """

    name: str
    kind: str
    clock: str
    pid: int
    started_unix_s: float
    ssh_port: int | None
    serial_url: str
    alive: bool = True


def up(kind: Kind, name: str, clock: str, say: Say) -> Running:
    """Start a board that outlives this process, and add it as a device; one that is up already is left as it is.

    Raises:
        DeviceError: A program is missing, or the board does not start.
        UsageError: The name is taken by something else, or the kind cannot count instructions.
    """
    check_name(name)
    folder = _folder(name)
    with locked(folder):
        found = _read(folder)
        if found and found.alive:
            return _same(found, kind, clock)
        if found:
            _forget(found)
        check_device(Device(name, "ssh://127.0.0.1"))
        qemu, board = start(kind, folder, say, clock=clock, tied=False)
        try:
            running = _record(name, board)
            (folder / _RECORD).write_text(json.dumps(asdict(running)))
            add_device(board.device(name))
        except BaseException:
            qemu.end()
            raise
        return running


def boards() -> tuple[Running, ...]:
    """Return the user's boards by name, those that died besides."""
    found = [_read(path.parent) for path in sorted(_fleet().glob(f"*/{_RECORD}"))]
    return tuple(running for running in found if running)


def down(name: str) -> Running:
    """End a board and remove its device; nothing of it stays.

    Raises:
        UsageError: There is no such board.
    """
    known = {running.name: running for running in boards()}
    if name not in known:
        hint = did_you_mean(name, known) + "`edgeprof lab list` shows all"
        raise UsageError(f"no virtual board is called `{name}`", hint)
    with locked(_folder(name)):
        _forget(known[name])
    return known[name]


def clean() -> int:
    """Remove every image and snapshot, and return how many bytes that frees; `up` builds them anew.

    Raises:
        UsageError: A board is up, and runs from them.
    """
    known = boards()
    alive = [running.name for running in known if running.alive]
    if alive:
        raise UsageError(f"virtual boards are up: {', '.join(alive)}", "end them first: `edgeprof lab down --all`")
    for dead in known:
        _forget(dead)
    taken_bytes = sum(path.lstat().st_blocks * _BLOCK_BYTES for path in lab_dir().rglob("*"))
    shutil.rmtree(lab_dir(), ignore_errors=True)
    return taken_bytes


def _same(found: Running, kind: Kind, clock: str) -> Running:
    if (found.kind, found.clock) != (kind.name, clock):
        hint = f"`edgeprof lab down {found.name}` first, or choose another name: --name NAME"
        raise UsageError(f"`{found.name}` is up, and is a {found.kind} whose clock is {found.clock}", hint)
    return found


def _record(name: str, board: VirtualBoard) -> Running:
    started = psutil.Process(board.pid).create_time()
    return Running(name, board.kind.name, board.clock, board.pid, started, board.ssh_port, board.serial_url)


def _read(folder: Path) -> Running | None:
    try:
        values = json.loads((folder / _RECORD).read_text())
        return Running(**{**values, "alive": _process(values["pid"], values["started_unix_s"]) is not None})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _process(pid: int, started_unix_s: float) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        same = abs(process.create_time() - started_unix_s) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    return None


def _forget(found: Running) -> None:
    process = _process(found.pid, found.started_unix_s)
    if process:
        with suppress(psutil.Error):
            process.kill()
            process.wait(_END_S)
    with suppress(UsageError):
        port = found.ssh_port or found.serial_url.rpartition(":")[2]
        if find_device(found.name).url.partition("?")[0].endswith(f"@127.0.0.1:{port}"):
            remove_device(found.name)
    shutil.rmtree(_folder(found.name), ignore_errors=True)


def _fleet() -> Path:
    return lab_dir() / "boards"


def _folder(name: str) -> Path:
    return _fleet() / name
