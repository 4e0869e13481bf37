"""Where a board answers as a device of MLPerf Tiny's protocol: a pseudo-terminal, a TCP port, a serial port."""

import os
import select
import socket
import termios
import tty
from contextlib import suppress
from typing import Protocol

from edgeprof.errors import TransportError, UsageError

_READ_BYTES = 4096
_ACCEPT_S = 0.5
# Nobody who listens takes so long.
_TAKES_NOTHING_S = 2.0


class End(Protocol):
    """Where another program talks to us.

    Attributes:
        place: What that program opens.
    """

    place: str

    def read(self, timeout_s: float) -> bytes:
        """Return what came, or `b""` when nothing did in time."""

    def write(self, data: bytes) -> None:
        """Send; what nobody takes is dropped."""

    def close(self) -> None:
        """Let go of it."""


def open_port(port: str) -> End:
    """Open `pty`, `tcp:PORT` on loopback, or a serial port of this machine.

    Raises:
        UsageError: It is none of these.
        TransportError: It cannot be opened.
    """
    if port == "pty":
        return _Pty()
    if port.startswith("tcp:"):
        return _Tcp(port)
    if port.startswith("/"):
        return _Port(port)
    raise UsageError(f"not a port to serve on: `{port}`", "`pty`, `tcp:PORT`, or a serial port such as /dev/ttyGS0")


class _Descriptor:
    """What a terminal is on both sides."""

    def __init__(self, descriptor: int, place: str) -> None:
        self._descriptor, self.place = descriptor, place
        os.set_blocking(descriptor, False)

    def read(self, timeout_s: float) -> bytes:
        """See `End`."""
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except OSError as exc:
            raise TransportError(f"`{self.place}` is gone: {exc.strerror}", "plug it in again") from exc
        if not data:
            raise TransportError(f"`{self.place}` is gone", "plug it in again")
        return data

    def write(self, data: bytes) -> None:
        """See `End`."""
        view = memoryview(data)
        while view and select.select([], [self._descriptor], [], _TAKES_NOTHING_S)[1]:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as exc:
                raise TransportError(f"`{self.place}` is gone: {exc.strerror}", "plug it in again") from exc

    def close(self) -> None:
        """See `End`."""
        os.close(self._descriptor)


class _Port(_Descriptor):
    """A serial port of this machine, such as that of a USB gadget; its speed is left as it is."""

    def __init__(self, place: str) -> None:
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(descriptor)
        except (OSError, termios.error) as exc:
            why = exc.args[1] if len(exc.args) > 1 else exc
            raise TransportError(f"cannot open `{place}`: {why}", "is it a serial port, and may you use it?") from exc
        super().__init__(descriptor, place)


class _Pty(_Descriptor):
    """A pseudo-terminal, which the other program opens like a serial port; it may come and go."""

    def __init__(self) -> None:
        master, self._slave = os.openpty()  # ours stays open, so that the master outlives who uses it
        tty.setraw(self._slave)
        super().__init__(master, os.ttyname(self._slave))

    def close(self) -> None:
        """See `End`."""
        super().close()
        os.close(self._slave)


class _Tcp:
    """A port on loopback, one user at a time."""

    def __init__(self, port: str) -> None:
        number = port.removeprefix("tcp:")
        if not number.isdecimal() or int(number) > 65535:
            raise UsageError(f"not a TCP port: `{port}`", "such as `tcp:7000`; `tcp:0` takes a free one")
        try:
            self._listener = socket.create_server(("127.0.0.1", int(number)))
        except OSError as exc:
            raise TransportError(f"cannot listen on `{port}`: {exc.strerror}", "`tcp:0` takes a free port") from exc
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._listener.settimeout(_ACCEPT_S)
        self._user: socket.socket | None = None

    def read(self, timeout_s: float) -> bytes:
        """See `End`."""
        if self._user is None:
            try:
                self._user = self._listener.accept()[0]
            except TimeoutError:
                return b""
        self._user.settimeout(timeout_s)
        try:
            data = self._user.recv(_READ_BYTES)
        except TimeoutError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._user.close()
            self._user = None
        return data

    def write(self, data: bytes) -> None:
        """See `End`."""
        if self._user is not None:
            with suppress(OSError):  # the next read finds out
                self._user.sendall(data)

    def close(self) -> None:
        """See `End`."""
        if self._user is not None:
            self._user.close()
        self._listener.close()
