"""A virtual board from nothing to a login: image, snapshot, machine."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edgeprof.devices import Device
from edgeprof.errors import DeviceError, UsageError
from edgeprof.lab import image as images
from edgeprof.lab import needs, sensors
from edgeprof.lab.kinds import Kind
from edgeprof.lab.places import Say, key_of, lab_dir, made_once
from edgeprof.lab.qemu import PROGRAM, Boot, Qemu, command_line
from edgeprof.records import CLOCK_INSTRUCTIONS, CLOCK_WALL

USER = "edge"
PASSWORD = "edge"  # noqa: S105 - of the serial console, which only this machine can reach

# What every first use reads is in the page cache then, and byte code on the disk, as the packages' scripts leave it.
_WARM = 'for names in ctypes,hashlib,json,platform,subprocess,zipfile numpy; do python3 -c "import $names"; done; :'
_LOGIN_S = 120.0


@dataclass(frozen=True, slots=True)
class VirtualBoard:
    """A board that runs.

    Attributes:
        kind: Which kind.
        clock: `wall`, or `instructions`.
        ssh_port: Port of this machine that leads to its SSH server, or `None` without network.
        serial_port: Port of this machine that is its serial console.
        identity: Private key that lets `edge` and `root` in.
        host_key: The key it shows, `SHA256:…`.
        pid: QEMU's process.
    """

    kind: Kind
    clock: str
    ssh_port: int | None
    serial_port: int
    identity: Path
    host_key: str
    pid: int

    @property
    def serial_url(self) -> str:
        """Return the URL of its console for pyserial."""
        return f"socket://127.0.0.1:{self.serial_port}"

    def device(self, name: str) -> Device:
        """Return it as a device; one without network is reached at its serial console, whose password is `PASSWORD`."""
        if self.ssh_port is None:
            url = f"socket://{USER}@127.0.0.1:{self.serial_port}?wait=180"
            return Device(name, url, notes=f"virtual: {self.kind.name}; password of its console: {PASSWORD}")
        url = f"ssh://{USER}@127.0.0.1:{self.ssh_port}"
        return Device(
            name, url, host_key=self.host_key, identity=str(self.identity), notes=f"virtual: {self.kind.name}"
        )


@contextmanager
def running(kind: Kind, folder: Path, say: Say, *, clock: str = CLOCK_WALL) -> Iterator[VirtualBoard]:
    """Give a board that ends with this block, and with this process however that ends.

    Args:
        kind: Which kind.
        folder: An empty folder for its disk and logs.
        say: Told each step that takes a while.
        clock: `wall`, or `instructions`.

    Raises:
        DeviceError: A program is missing, or the board does not start.
        UsageError: This kind cannot count instructions.
    """
    qemu, board = start(kind, folder, say, clock=clock, tied=True)
    try:
        yield board
    finally:
        qemu.end()


def start(kind: Kind, folder: Path, say: Say, *, clock: str, tied: bool) -> tuple[Qemu, VirtualBoard]:
    """Start a board; as `running`, but the caller ends it."""
    if clock == CLOCK_INSTRUCTIONS and not kind.counts:
        raise UsageError(f"a virtual `{kind.name}` cannot count instructions", "a generic one can: --cpu cortex-a76")
    needs.require(needs.TO_BOOT)
    image = images.build(kind.image, say)
    fresh = _boot(kind, clock, image, say)
    saved = _snapshot(fresh, image, say) if kind.snapshots else None
    folder.mkdir(parents=True, exist_ok=True)
    disk = _disk(saved.disk if saved else image.disk, folder / "disk.qcow2")
    qemu = Qemu(replace(saved or fresh, disk=disk), folder, tied=tied)
    try:
        _awake(qemu, kind)
        board = VirtualBoard(
            kind=kind,
            clock=clock,
            ssh_port=qemu.ssh_port() if kind.network else None,
            serial_port=qemu.serial_port(),
            identity=image.identity,
            host_key=image.host_key,
            pid=qemu.process.pid,
        )
        if board.ssh_port:
            _await_login(board.ssh_port, folder)
    except BaseException:
        qemu.end()
        raise
    return qemu, board


def _boot(kind: Kind, clock: str, image: images.Image, say: Say) -> Boot:
    dtb: Path | None = None
    if kind.machine == "raspi3b":
        dtb = image.folder / "dtb/bcm2837-rpi-3-b.dtb"
        return Boot(kind, clock, image.kernel, image.initramfs, dtb, image.disk)
    if kind.invented:
        made = sensors.build(kind, clock, image, say)
        dtb = made / "board.dtb" if kind.overlay else None
        return Boot(kind, clock, image.kernel, made / "initramfs.gz", dtb, image.disk)
    return Boot(kind, clock, image.kernel, image.initramfs, None, image.disk)


def _snapshot(fresh: Boot, image: images.Image, say: Say) -> Boot:
    """Return how to go on from the snapshot of a board that has just booted; it is made once."""
    version = needs.run([PROGRAM, "--version"], "ask QEMU for its version").splitlines()[0]
    key = key_of(command_line(fresh), image.folder.name, version, _WARM)
    name = f"{fresh.kind.name}-{fresh.clock}-{key}"
    folder = made_once(lab_dir() / "snapshots" / name, lambda partial: _make_snapshot(fresh, partial, say))
    return replace(fresh, disk=folder / "disk.qcow2", state=folder / "state")


def _make_snapshot(fresh: Boot, folder: Path, say: Say) -> None:
    say(f"booting a virtual {fresh.kind.name} for its snapshot: about 10 s, once")
    qemu = Qemu(replace(fresh, disk=_disk(fresh.disk, folder / "disk.qcow2")), folder, tied=True)
    try:
        qemu.await_boot()
        qemu.tell(f"date -s @{int(time.time())}")
        qemu.tell(_WARM)
        qemu.tell("sync")
        qemu.save(folder / "state")
    finally:
        qemu.end()


def _awake(qemu: Qemu, kind: Kind) -> None:
    if kind.snapshots:
        qemu.await_running()
        qemu.tell(f"date -s @{int(time.time())}")


def _disk(base: Path, path: Path) -> Path:
    """Make a disk that keeps only what differs from `base`."""
    with suppress(FileNotFoundError):
        path.unlink()
    needs.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, path], "make a disk")
    return path


def _await_login(port: int, folder: Path) -> None:
    end = time.monotonic() + _LOGIN_S
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.settimeout(5)
            if sock.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise DeviceError("the virtual board's SSH server does not answer", f"its console: {folder / 'serial.log'}")
