"""The line itself: a port of this machine, a socket, or an RFC 2217 server. The only place that knows pyserial."""

import errno
import os
import select
import socket
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import serial
from serial.tools.list_ports import comports

from edgeprof.errors import TransportError
from edgeprof.transport.serialurl import SerialAddress

_READ_BYTES = 1 << 16
_CONNECT_S = 10.0
# A line that takes nothing for so long loses what was to go out: the protocol above sends it again.
_TAKES_NOTHING_S = 2.0
_SETTLE_S = 0.05


class Line(Protocol):
    """Bytes to and from a board. Anything that befalls it is an `OSError`."""

    def read(self, timeout_s: float) -> bytes:
        """Return what came, or `b""` when nothing did in time."""

    def write(self, data: bytes) -> None:
        """Send `data`; what the line does not take in time is dropped."""

    def set_baud(self, baud: int) -> None:
        """Wait until all is out, then change the speed."""

    def close(self) -> None:
        """Let go of it. Never raises."""


def open_line(address: SerialAddress) -> Line:
    """Open a line.

    Raises:
        TransportError: It is not there, not ours, in use, or cannot be so fast.
    """
    try:
        return _OPENERS[address.kind](address)
    except (OSError, ValueError, termios.error) as exc:  # pyserial's errors are OSErrors
        raise _cannot_open(address, exc) from exc


def ports() -> list[tuple[str, str]]:
    """Return path and description of each serial port of this machine that has hardware behind it, sorted."""
    return sorted((port.device, port.description) for port in comports() if port.hwid != "n/a")


def absence(address: SerialAddress) -> str | None:
    """Return what to say of a port of this machine that is not there, with the names of those that are, or `None`."""
    if address.kind != "serial" or Path(address.place).exists():
        return None
    known = [f"{place} ({title})" for place, title in ports()]
    there = f"this machine has {', '.join(known)}" if known else "this machine has no serial ports"
    return f"there is no `{address.place}` now: {there}"


def _cannot_open(address: SerialAddress, exc: Exception) -> TransportError:
    number = getattr(exc, "errno", None)
    if isinstance(exc, socket.gaierror):
        return TransportError(f"unknown host: `{address.host[0]}`", "is the name right, and it in this network?")
    if number == errno.ENOENT:
        return TransportError(
            f"there is no serial port `{address.place}`", "`ls /dev/serial/by-id` shows what there is"
        )
    if number in (errno.EACCES, errno.EPERM):
        hint = "`sudo usermod -aG dialout $USER`, then log in again"
        return TransportError(f"you may not use the serial port `{address.place}`", hint)
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(exc):
        return TransportError(f"`{address.place}` is in use by another program", "end it; `fuser -v` on it says which")
    if isinstance(exc, ConnectionRefusedError):
        return TransportError(f"{address.place} refuses connections", "is the console server running there?")
    if isinstance(exc, TimeoutError):
        return TransportError(f"{address.place} does not answer", "is it switched on, and in this network?")
    if number == errno.EPROTO:
        hint = "is it the right port? a plain TCP port of a console is `socket://`; a slow server: `?timeout=20`"
        return TransportError(f"`{address.place}`: {getattr(exc, 'strerror', exc)}", hint)
    why = getattr(exc, "strerror", None) or exc
    return TransportError(f"cannot open `{address.place}` at {address.baud} baud: {why}", "is that its speed?")


class _Descriptor:
    """What a port and a socket have in common."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def read(self, timeout_s: float) -> bytes:
        """See `Line`."""
        if not self._ready(select.POLLIN, timeout_s):
            return b""
        with suppress(BlockingIOError):
            data = os.read(self._descriptor, _READ_BYTES)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "it was closed or unplugged")
            return data
        return b""

    def write(self, data: bytes) -> None:
        """See `Line`."""
        view = memoryview(data)
        while view and self._ready(select.POLLOUT, _TAKES_NOTHING_S):
            with suppress(BlockingIOError):
                view = view[os.write(self._descriptor, view) :]

    def _let_go(self) -> None:
        self._descriptor = -1  # its number may be another file's from now on

    def _ready(self, event: int, timeout_s: float) -> bool:
        if self._descriptor < 0:
            raise OSError(errno.EBADF, "it was closed or unplugged")
        poll = select.poll()
        poll.register(self._descriptor, event)
        return bool(poll.poll(timeout_s * 1000))


class _Port(_Descriptor):
    """A serial port of this machine."""

    def __init__(self, address: SerialAddress) -> None:
        self._port = serial.Serial(address.place, address.baud, timeout=0, exclusive=True)
        with suppress(OSError, ValueError, NotImplementedError):  # where there is such a thing: 1 ms instead of 16
            self._port.set_low_latency_mode(True)
        super().__init__(self._port.fileno())

    def set_baud(self, baud: int) -> None:
        """See `Line`."""
        try:
            self._port.flush()
            time.sleep(_SETTLE_S)  # adapters say that all is out a little too early
            self._port.baudrate = baud
        except (ValueError, termios.error) as exc:
            raise OSError(errno.EINVAL, f"cannot be set to {baud} baud: {exc}") from exc

    def close(self) -> None:
        """See `Line`."""
        self._let_go()
        with suppress(OSError, termios.error):
            self._port.close()


class _Socket(_Descriptor):
    """A console server's plain TCP port, or a virtual board's."""

    def __init__(self, address: SerialAddress) -> None:
        self._socket = socket.create_connection(address.host, timeout=_CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(self._socket.fileno())

    def set_baud(self, baud: int) -> None:
        """See `Line`: nobody behind a plain socket can be told."""
        raise OSError(errno.ENOTSUP, f"a socket has no speed to set to {baud}")

    def close(self) -> None:
        """See `Line`."""
        self._let_go()
        self._socket.close()


class _Rfc2217:
    """A port of another machine, whose server speaks RFC 2217."""

    def __init__(self, address: SerialAddress) -> None:
        # `ign_set_control`: servers on ptys and some adapters answer no modem line.
        url = f"rfc2217://{address.place}?ign_set_control&timeout={address.timeout_s:g}"
        try:
            self._port = serial.serial_for_url(url, address.baud, timeout=0.05)
        except serial.SerialException as exc:
            if "does not seem to support" in str(exc) or "does not accept" in str(exc):
                raise OSError(errno.EPROTO, "what listens there does not speak RFC 2217") from exc
            raise

    def read(self, timeout_s: float) -> bytes:
        """See `Line`."""
        end = time.monotonic() + timeout_s
        while not (first := self._port.read(1)) and time.monotonic() < end:
            pass
        return bytes(first + self._port.read(self._port.in_waiting)) if first else b""

    def write(self, data: bytes) -> None:
        """See `Line`."""
        self._port.write(data)

    def set_baud(self, baud: int) -> None:
        """See `Line`."""
        try:
            time.sleep(_SETTLE_S)
            self._port.baudrate = baud
        except ValueError as exc:
            raise OSError(errno.EINVAL, f"cannot be set to {baud} baud: {exc}") from exc

    def close(self) -> None:
        """See `Line`."""
        held = getattr(self._port, "_socket", None)  # pyserial forgets it unclosed where the server went away first
        with suppress(OSError):
            self._port.close()
        if held is not None:
            held.close()


_OPENERS: dict[str, Callable[[SerialAddress], Line]] = {"serial": _Port, "socket": _Socket, "rfc2217": _Rfc2217}
