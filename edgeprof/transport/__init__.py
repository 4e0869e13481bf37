"""Ways to a board: each opens commands there; files are built once on top (`transport.files`).

A transport is two methods. `edgeprof.transport.connect(url)` picks one by the URL's scheme and imports only that one.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

if TYPE_CHECKING:
    from edgeprof.transport.ssh import OfferedKey

_SERIAL = ("serial", "socket", "rfc2217")
SCHEMES = ("adb", "local", "ssh", *_SERIAL)
# Before a serial console's URL: a device that speaks MLPerf Tiny's protocol there, and runs no commands.
TINY = "tiny+"


class Channel(Protocol):
    """One running command on the board: bytes in, bytes out.

    Every wait has a deadline; a link that is gone raises `errors.LinkLost`, never hangs.
    """

    def write(self, data: bytes) -> None:
        """Send all of `data` to the command's standard input.

        Raises:
            LinkLost: The way to the board is gone, or the command took nothing for a minute.
            BrokenPipeError: The command has ended or closed its standard input.
        """

    def close_stdin(self) -> None:
        """Tell the command that nothing more comes."""

    def read(self, timeout_s: float) -> bytes:
        """Return what the command printed, at least one byte, or `b""` at its end.

        Raises:
            TimeoutError: Nothing came within `timeout_s`.
            LinkLost: The way to the board is gone.
        """

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        """Return the exit status and what was printed to standard error (at most its last 64 KiB).

        The status is negative where a signal ended the command.

        Raises:
            TimeoutError: The command runs on after `timeout_s`.
            LinkLost: The way to the board is gone.
        """

    def close(self) -> None:
        """Let go of the command: its standard input ends. Never raises."""


class Transport(Protocol):
    """A way to one board.

    Attributes:
        url: The device's URL.
        bytes_per_s: What the way carries at most, or `None` where that is more than anybody waits for.
    """

    url: str
    bytes_per_s: int | None

    def open(self, argv: Sequence[str]) -> Channel:
        """Start a command on the board; no shell sees `argv` unless it is `("sh", "-c", …)`.

        Raises:
            LinkLost: The way to the board is gone.
            TransportError: The board starts no further command.
        """

    def close(self) -> None:
        """Close the way and everything on it. Never raises."""


def connect(
    url: str,
    *,
    host_key: str | None = None,
    identity: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Transport:
    """Open the way that `url` names: `local:`, `ssh://[user@]host[:port]`, `adb:SERIAL`, or a serial console.

    A console is `serial://[user@]/dev/ttyUSB0`, `socket://[user@]host:port` or `rfc2217://[user@]host:port`.

    Args:
        url: The device's URL.
        host_key: The key the board must show, `SHA256:…`; `None` where `known_hosts` decides.
        identity: The private key to log in with, a file; `None` for those that `~/.ssh/config` or the agent has.
        say: Told what takes a while, such as a board that boots.

    Raises:
        UsageError: No such kind of way, or the URL cannot be read.
        TransportError: The board cannot be reached or does not let us in.
        DeviceError: The board has not what the way needs.
    """
    if url.lower().startswith(TINY):
        hint = "it needs no setup: `edgeprof profile MODEL -d NAME`; see docs/tiny.md"
        raise UsageError(f"`{url}` speaks MLPerf Tiny's protocol, which knows no commands for this", hint)
    scheme = _scheme(url)
    if scheme == "local":
        from edgeprof.transport.local import LocalTransport  # noqa: PLC0415 - one transport, one import

        return LocalTransport()
    if scheme in _SERIAL:
        from edgeprof.transport.serial import SerialTransport  # noqa: PLC0415 - one transport, one import

        return SerialTransport(url, say)
    if scheme == "adb":
        from edgeprof.transport.adb import AdbTransport  # noqa: PLC0415 - one transport, one import

        return AdbTransport(url)
    from edgeprof.transport.ssh import SshTransport  # noqa: PLC0415 - paramiko takes 0.4 s

    return SshTransport(url, host_key, identity=identity)


def absence(url: str) -> str | None:
    """Return what to say of a serial port of this machine that is not there now, or `None`; nothing is opened.

    Raises:
        UsageError: No such kind of way, or the URL cannot be read.
    """
    if _scheme(url) != "serial":
        return None
    from edgeprof.transport.serialport import absence as of_port  # noqa: PLC0415 - only for such a board
    from edgeprof.transport.serialurl import parse_address  # noqa: PLC0415

    return of_port(parse_address(url))


def serial_ports() -> list[tuple[str, str]]:
    """Return path and description of each serial port of this machine."""
    from edgeprof.transport.serialport import ports  # noqa: PLC0415 - pyserial

    return ports()


def phones() -> dict[str, str]:
    """Return the state of each phone that `adb` knows, by serial: `device` where it can be used.

    Raises:
        UsageError: `adb` is not installed.
        TransportError: It does not answer.
    """
    from edgeprof.transport.adb import phones as known  # noqa: PLC0415

    return known()


def ssh_keys() -> tuple[tuple[str, ...], bool]:
    """Return the usual private keys that this user has, and whether there is an agent."""
    from edgeprof.transport.sshlogin import usual_keys  # noqa: PLC0415 - paramiko takes 0.4 s

    return tuple(key for key in usual_keys() if Path(key).exists()), bool(os.environ.get("SSH_AUTH_SOCK"))


def offered_key(url: str) -> "OfferedKey | None":
    """Return the host key a board shows, or `None` where its kind of way has none.

    Raises:
        UsageError: No such kind of way, or the URL cannot be read.
        TransportError: The board cannot be reached.
    """
    scheme = _scheme(url)
    if scheme in _SERIAL:
        from edgeprof.transport.serialurl import parse_address  # noqa: PLC0415 - only for such a board

        parse_address(url)
    if scheme != "ssh":
        return None
    from edgeprof.transport.ssh import offered  # noqa: PLC0415 - paramiko takes 0.4 s

    return offered(url)


def _scheme(url: str) -> str:
    scheme = url.partition(":")[0].lower() if ":" in url else ""
    if scheme not in SCHEMES:
        hint = (
            did_you_mean(scheme, (*SCHEMES, "labgrid"))
            + "write ssh://user@host, serial:///dev/ttyUSB0, adb:SERIAL, or `local:`"
        )
        raise UsageError(f"unknown kind of connection: `{url}`", hint)
    return scheme
