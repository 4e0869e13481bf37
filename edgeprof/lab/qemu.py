"""One QEMU: its command line, its monitor, its end."""

import json
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeprof.errors import DeviceError
from edgeprof.lab.kinds import Kind
from edgeprof.records import CLOCK_INSTRUCTIONS, CLOCK_WALL

PROGRAM = "qemu-system-aarch64"
# `-icount shift=N` lets the guest's clock advance by 2^N ns for each instruction.
_ICOUNT_SHIFT = 1
NS_PER_INSTRUCTION = 1 << _ICOUNT_SHIFT

_BOOT_S = 300.0
_ANSWER_S = 60.0
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Boot:
    """What a board starts from.

    Attributes:
        kind: Which kind of board.
        clock: `wall`, or `instructions`.
        kernel: Its kernel.
        initramfs: Its first programs and drivers.
        dtb: Its device tree, or `None` for the machine's own.
        disk: A disk of its own.
        state: A saved machine that it goes on from, or `None` to boot.
    """

    kind: Kind
    clock: str
    kernel: Path
    initramfs: Path
    dtb: Path | None
    disk: Path
    state: Path | None = None


class Qemu:
    """A running QEMU.

    Its monitor and the control line to the guest are socket pairs: nobody else can reach them, and nothing lies on the
    disk. Both end with this process; the board runs on.
    """

    def __init__(self, boot: Boot, folder: Path, *, tied: bool) -> None:
        """Start it.

        Args:
            boot: What it starts from.
            folder: Where it writes `qemu.log` and `serial.log`.
            tied: It dies with this process, however that ends.
        """
        self._log = folder / "qemu.log"
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        (monitor, control), fds = ours, tuple(sock.fileno() for sock in theirs)
        prefix = ("setpriv", "--pdeathsig", "KILL", "--") if tied else ()
        words = [*prefix, *command_line(boot), *_lines(boot, folder / "serial.log", *fds)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds, start_new_session=True
            )
        for sock in theirs:
            sock.close()
        self._monitor, self._control = _Talk(monitor), _Talk(control)
        try:
            self._monitor.line(_BOOT_S)  # a saved machine is read before the greeting
            self.command("qmp_capabilities")
        except (OSError, EOFError) as exc:
            raise self._failed("did not start") from exc

    def command(self, name: str, **arguments: object) -> object:
        """Run a command of the monitor and return what it gives.

        Source: QEMU 7.2, docs/interop/qmp-spec.txt.
        """
        self._monitor.send(json.dumps({"execute": name, "arguments": arguments}))
        while "return" not in (answer := json.loads(self._monitor.line(_ANSWER_S))):
            if "error" in answer:
                raise self._failed(f"refused `{name}`: {answer['error']['desc']}")
        return answer["return"]

    def ssh_port(self) -> int:
        """Return the port of this machine that leads to the board's SSH server."""
        table = self.command("human-monitor-command", **{"command-line": "info usernet"})
        match = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", str(table))
        if match is None:
            raise self._failed("forwards no port")
        return int(match[1])

    def serial_port(self) -> int:
        """Return the port of this machine that is the board's serial console."""
        found = self.command("query-chardev")
        assert isinstance(found, list)  # noqa: S101 - QEMU's own schema says so
        names = {item["label"]: item["filename"] for item in found}
        return int(re.split(r"[:,]", names["serial"].partition("tcp:127.0.0.1:")[2])[0])

    def await_boot(self) -> None:
        """Wait until the guest's control line says that it is up."""
        self._control_answer(_BOOT_S)

    def tell(self, command: str) -> None:
        """Run a shell command in the guest, as root.

        Raises:
            DeviceError: It failed, or the guest does not answer.
        """
        self._control.send(command)
        status = self._control_answer(_BOOT_S)
        if status != "0":
            raise self._failed(f"said {status} to `{command}`")

    def await_running(self) -> None:
        """Wait until a saved machine has been read and runs."""
        end = time.monotonic() + _BOOT_S
        while time.monotonic() < end:
            status = self.command("query-status")
            if isinstance(status, dict) and status["status"] != "inmigrate":
                self.command("cont")  # it was saved while it stood still
                return
            time.sleep(0.02)
        raise self._failed("did not go on from its snapshot")

    def save(self, state: Path) -> None:
        """Write the machine's memory and devices to a file, and end it; the disk is whole then."""
        self.command("stop")
        self.command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.command("migrate", uri=f"exec:cat > {shlex.quote(str(state))}")
        end = time.monotonic() + _BOOT_S
        while (done := self.command("query-migrate")) and isinstance(done, dict) and done["status"] != "completed":
            if done["status"] == "failed" or time.monotonic() > end:
                raise self._failed(f"could not save its state: {done}")
            time.sleep(0.05)
        self.command("quit")
        self.process.wait(_END_S)

    def end(self) -> None:
        """End it, as pulling the plug would. Never raises."""
        self._monitor.close()
        self._control.close()
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_S)

    def _control_answer(self, timeout_s: float) -> str:
        try:
            return self._control.line(timeout_s).strip()
        except (OSError, EOFError) as exc:
            raise self._failed("gives no sign of life") from exc

    def _failed(self, what: str) -> DeviceError:
        said = self._log.read_text(errors="replace").strip().splitlines()
        self.end()
        return DeviceError(f"the virtual board {what}{': ' + said[-1] if said else ''}", f"its log: {self._log}")


class _Talk:
    """Lines over a socket, with a deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def send(self, text: str) -> None:
        self._sock.settimeout(_ANSWER_S)
        self._sock.sendall(text.encode() + b"\n")

    def line(self, timeout_s: float) -> str:
        self._sock.settimeout(timeout_s)
        while b"\n" not in self._rest:
            data = self._sock.recv(1 << 16)
            if not data:
                raise EOFError
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace")

    def close(self) -> None:
        self._sock.close()


def command_line(boot: Boot) -> list[str]:
    """Return what makes the machine: all that a saved state depends on, and files."""
    kind = boot.kind
    counted = boot.clock == CLOCK_INSTRUCTIONS
    disk = f"file={boot.disk},cache=unsafe,format=qcow2"
    words = [PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-m", str(kind.memory_mib)]
    words += ["-accel", f"tcg,thread={'single' if counted else 'multi'},tb-size=256"]
    words += ["-icount", f"shift={_ICOUNT_SHIFT},sleep=on"] if counted else []
    words += ["-kernel", str(boot.kernel), "-initrd", str(boot.initramfs), "-append", _kernel_words(boot)]
    words += ["-dtb", str(boot.dtb)] if boot.dtb else []
    network = "user,id=network,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"
    if kind.machine == "raspi3b":
        words += ["-M", "raspi3b", "-drive", f"{disk},if=sd"]
        return [*words, "-netdev", network, "-device", "usb-net,netdev=network"]
    words += machine_words(kind, boot.clock)
    words += ["-drive", f"{disk},if=none,id=disk", "-device", "virtio-blk-pci,drive=disk"]
    words += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
    words += ["-netdev", network, "-device", "virtio-net-pci,netdev=network,romfile="] if kind.network else []
    return words


def machine_words(kind: Kind, clock: str) -> list[str]:
    """Return what decides the device tree of QEMU's `virt` machine, but for its memory."""
    cores = kind.cores if clock == CLOCK_WALL else 1
    return ["-M", "virt", "-cpu", kind.cpu, "-smp", str(cores)]


def _kernel_words(boot: Boot) -> str:
    """Return the kernel's command line; the agent on the board reads what begins with `edgeprof.`."""
    kind = boot.kind
    raspberry = kind.machine == "raspi3b"
    words = ["console=ttyS1,115200 root=/dev/mmcblk0 rootwait" if raspberry else "console=ttyAMA0 root=/dev/vda"]
    words += ["quiet", f"edgeprof.board={kind.name}"]
    words += [f"edgeprof.ns_per_instruction={NS_PER_INSTRUCTION}"] if boot.clock == CLOCK_INSTRUCTIONS else []
    words += [f"edgeprof.invented={','.join(kind.invented)}"] if kind.invented else []
    words += [f"edgeprof.without={','.join(kind.without)}"] if kind.without else []
    words += [] if kind.network else ["edgeprof.network=no"]
    words += [f"edgeprof.time={int(time.time())}"] if raspberry else []
    return " ".join(words)


def _lines(boot: Boot, serial_log: Path, monitor: int, control: int) -> Sequence[str]:
    """Return the board's lines to the outside, and the saved state it goes on from."""
    words = ["-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control"]
    serial = f"socket,id=serial,host=127.0.0.1,port=0,server=on,wait=off,logfile={serial_log}"
    words += ["-chardev", serial]
    if boot.kind.machine == "raspi3b":
        return [*words, "-serial", "null", "-serial", "chardev:serial"]  # its console is the second UART
    words += ["-serial", "chardev:serial", "-chardev", f"socket,id=control,fd={control}"]
    words += ["-device", "virtserialport,chardev=control,name=edgeprof"]
    return [*words, "-incoming", f"exec:cat {shlex.quote(str(boot.state))}"] if boot.state else words
