"""A UART in user space: two ptys joined by a wire that keeps to a speed, and can be harmed, frozen and cut."""

import contextlib
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import termios
import threading
import time
import tty
from pathlib import Path

_BAUDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}
SETSID = shutil.which("setsid") or "setsid"
_TICK_S = 0.002
_BITS = 10  # on the wire for each byte: start, eight, stop


class Uart:
    """Two ends, `host` and `board`, each a device file.

    Attributes:
        baud: Bits in a second; `None` for as fast as it goes.
        by_mode: Keep to the speed that each end's terminal is set to, and garble where they differ.
        faults: What harms bytes on their way: a function for each direction, or `None`.
        carried: Bytes handed on to the host and to the board.
    """

    def __init__(self, baud: int | None = None, *, by_mode: bool = False) -> None:
        self.baud, self.by_mode, self.faults = baud, by_mode, (None, None)
        self.carried = [0, 0]
        self.highest = 10_000_000
        self._random = random.Random(1)
        self._masters, self._slaves = map(list, zip(*(pty.openpty() for _ in range(2)), strict=True))
        tty.setraw(self._slaves[0])
        for master in self._masters:
            os.set_blocking(master, False)
        self.host, self.board = map(os.ttyname, self._slaves)
        self._flowing, self._ends = threading.Event(), False
        self._flowing.set()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def freeze(self) -> None:
        """Lose all that is sent, both ways."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def unplug(self) -> None:
        """Take the host's end away, as an adapter that is pulled out of its socket."""
        master, self._masters[0] = self._masters[0], -1
        os.close(master)
        os.close(self._slaves[0])

    def plug(self) -> None:
        """Give the host another end."""
        master, self._slaves[0] = pty.openpty()
        tty.setraw(self._slaves[0])
        os.set_blocking(master, False)
        self.host = os.ttyname(self._slaves[0])
        self._masters[0] = master

    def mode(self) -> list:
        """Return the board's terminal mode."""
        return termios.tcgetattr(self._slaves[1])

    def set_baud(self, code: int) -> None:
        """Set the board's terminal to a speed, one of `termios`."""
        mode = self.mode()
        mode[4] = mode[5] = code
        termios.tcsetattr(self._slaves[1], termios.TCSANOW, mode)

    def say(self, data: bytes) -> None:
        """Let the board's kernel print something."""
        os.write(self._slaves[1], data)

    def close(self) -> None:
        self._ends = True
        self._thread.join()
        for descriptor in (*self._masters, *self._slaves):
            os.close(descriptor)

    def _carry(self) -> None:
        waiting, credit, last = [b"", b""], [0.0, 0.0], time.monotonic()
        while not self._ends:
            now = time.monotonic()
            elapsed, last = min(now - last, 0.1), now
            moved = False
            for source in (0, 1):
                rate = self._rate(source)
                credit[source] = min(credit[source] + rate * elapsed, max(64.0, rate * 0.02))
                room = min(int(credit[source]), 1 << 16)
                if room > 0 and (data := waiting[source] or _read(self._masters[source], room)):
                    credit[source] -= 0 if waiting[source] else len(data)
                    data = data if waiting[source] else self._harmed(source, data)
                    waiting[source] = data[_written(self._masters[1 - source], data) :]
                    self.carried[source] += len(data) - len(waiting[source])
                    moved = moved or not waiting[source]
            if not moved or self.baud or self.by_mode:
                select.select([], [], [], _TICK_S)

    def _rate(self, source: int) -> float:
        if self.by_mode:
            return self._mode_baud(source) / _BITS
        return self.baud / _BITS if self.baud else 1e9

    def _mode_baud(self, end: int) -> int:
        speed = 0
        with contextlib.suppress(termios.error, ValueError):  # nothing is plugged in there
            speed = termios.tcgetattr(self._masters[end])[5]
        return min(_BAUDS.get(speed, 0) or 9600, self.highest * 2)

    def _harmed(self, source: int, data: bytes) -> bytes:
        if not self._flowing.is_set():
            return b""
        if self.by_mode and not self._mode_baud(0) == self._mode_baud(1) <= self.highest:
            return self._random.randbytes(len(data))
        fault = self.faults[source]
        return fault(data) if fault else data


def _read(descriptor: int, count: int) -> bytes:
    with contextlib.suppress(OSError):
        return os.read(descriptor, count)
    return b""


def _written(descriptor: int, data: bytes) -> int:
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)


class Console:
    """What runs on the board's end, as init keeps it: started again whenever it ends.

    Attributes:
        started: How many times it was.
    """

    def __init__(self, uart: Uart, argv: list[str], home: Path, **env: str) -> None:
        self._uart, self._argv = uart, argv
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "vt220", "LC_ALL": "C.UTF-8", **env}
        self.started, self._ends = 0, False
        self._process = self._start()
        self._thread = threading.Thread(target=self._respawn)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        self._ends = True
        while self._thread.is_alive():  # one may be starting right now
            self._kill()
            self._thread.join(0.2)

    def _start(self) -> subprocess.Popen:
        self.started += 1
        with Path(self._uart.board).open("r+b", buffering=0) as terminal:
            return subprocess.Popen(
                [SETSID, "--ctty", "--wait", *self._argv], stdin=terminal, stdout=terminal, stderr=terminal,
                env=self._env, cwd=self._env["HOME"], start_new_session=True,
            )  # fmt: skip

    def _respawn(self) -> None:
        while not self._ends:
            self._process.wait()
            if not self._ends:
                self._process = self._start()

    def _kill(self) -> None:
        """End every process whose terminal this is, and `setsid`, which may wait for a terminal that noise has stopped.

        None sees another's end, as when a board loses its power.
        """
        self._process.kill()
        device = os.stat(self._uart.board).st_rdev
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for stat in Path("/proc").glob("[0-9]*/stat"):
                with contextlib.suppress(OSError, IndexError, ValueError):
                    if int(stat.read_text().rpartition(")")[2].split()[4]) == device:
                        os.kill(int(stat.parent.name), number)


LOGIN = """\
import getpass, os, sys
user = sys.argv[-1]
if getpass.getpass("Password: ") != "secret" or user != "edge":
    print("\\nLogin incorrect")
    sys.exit(1)
print("Last login: Thu Jan  1 00:00:00 on ttyAMA0\\nWelcome. You have mail:")
os.execlp("bash", "-bash", "--norc", "--noprofile")
"""


def getty(uart: Uart, folder: Path) -> list[str]:
    """Return the command of a real getty, whose login program asks for `edge` with the password `secret`."""
    login = folder / "login.py"
    login.write_text("#!/usr/bin/env python3\n" + LOGIN)
    login.chmod(0o755)
    return ["/sbin/agetty", "-L", "--noclear", "--nohostname", "-l", str(login), "115200", uart.board[5:], "vt220"]


SHELL = ["bash", "--norc", "--noprofile", "-i"]
