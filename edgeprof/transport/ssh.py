"""A board over SSH: one connection, and a channel for each command on it."""

import shlex
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import paramiko

from edgeprof.errors import TransportError
from edgeprof.transport import Channel
from edgeprof.transport.hostkeys import Endpoint, check_offer, fingerprint, is_known, trust
from edgeprof.transport.sshconfig import login_for
from edgeprof.transport.sshlink import (
    WINDOW_BYTES,
    Deadlines,
    handshaken,
    lost,
    lost_link,
    shut,
    through,
    usual_deadlines,
    why_gone,
)
from edgeprof.transport.sshlogin import closed_on_error, hops_to, logged_in, shut_all

_KEPT_BYTES = 64 << 10
_READ_BYTES = 1 << 18
# OpenSSH takes packets of 32 KiB; paramiko keeps 64 bytes of them. More at once would only be copied and cut.
_WRITE_BYTES = (32 << 10) - 64
_GRACE_S = 3.0
_ENDING_S = 0.2
_SHORTEST_S = 0.01  # the time limit is the draining thread's too, which must not spin


class SshTransport:
    """See `Transport`."""

    bytes_per_s: int | None = None

    def __init__(
        self, url: str, host_key: str | None = None, deadlines: Deadlines | None = None, identity: str | None = None
    ) -> None:
        """Connect and log in.

        Raises:
            UsageError: The URL or `~/.ssh/config` cannot be read.
            HostKeyError: The board is not who it should be.
            TransportError: It cannot be reached, or does not let us in.
        """
        self.url = url
        self._deadlines = deadlines or usual_deadlines()
        login = login_for(url, identity)
        self._hops = hops_to(login, self._deadlines)
        with closed_on_error(self._hops):
            sock = through(self._hops[-1], login.endpoint, self._deadlines) if self._hops else None
            self._transport = logged_in(login, host_key, sock, self._deadlines)

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`.

        Raises:
            LinkLost: The way to the board is gone.
            TransportError: The board's SSH server starts no further command.
        """
        patience_s = self._deadlines.connect_s + self._deadlines.silent_s
        try:
            session = self._transport.open_session(window_size=WINDOW_BYTES, timeout=patience_s)
        except paramiko.ChannelException as exc:
            raise self._refused(exc) from exc
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise lost(self.url, why_gone(self._transport, str(exc))) from exc
        try:
            # Whatever shell the user has there, it only starts `argv`.
            session.exec_command(shlex.join(argv))
        except (paramiko.SSHException, OSError, EOFError) as exc:
            if self._transport.is_active():
                raise self._refused(exc) from exc
            raise lost(self.url, why_gone(self._transport, str(exc))) from exc
        return SshChannel(session, self.url, self._deadlines.stall_s)

    def _refused(self, exc: Exception) -> TransportError:
        return TransportError(
            f"the SSH server of {self.url} starts no further command: {exc}",
            "too many at once? `MaxSessions` in the board's sshd_config; or does this account allow no commands?",
        )

    def close(self) -> None:
        """See `Transport`."""
        shut(self._transport)
        shut_all(self._hops)


class SshChannel:
    """See `Channel`."""

    def __init__(self, session: paramiko.Channel, url: str, stall_s: float) -> None:
        self._session = session
        self._url = url
        self._stall_s = stall_s
        self._noise = bytearray()
        # Standard error shares the channel's window: left alone, 8 MB of it block standard output.
        self._drain = threading.Thread(target=self._drain_stderr, name="edgeprof-stderr", daemon=True)
        self._drain.start()

    def write(self, data: bytes) -> None:
        """See `Channel`; a command that takes nothing for `Deadlines.stall_s` is `LinkLost` too."""
        self._session.settimeout(self._stall_s)
        for start in range(0, len(data), _WRITE_BYTES):
            self._write_all(data[start : start + _WRITE_BYTES])

    def _write_all(self, data: bytes) -> None:
        while data:
            try:
                count = self._session.send(data)
            except TimeoutError as exc:
                raise lost(self._url, f"the command there took nothing for {self._stall_s:g} s") from exc
            except (OSError, EOFError, paramiko.SSHException) as exc:
                self._raise_if_lost(str(exc))
                raise BrokenPipeError from exc
            if not count:
                self._raise_if_lost("")
                raise BrokenPipeError
            data = data[count:]

    def close_stdin(self) -> None:
        """See `Channel`."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._session.shutdown_write()

    def read(self, timeout_s: float) -> bytes:
        """See `Channel`."""
        self._session.settimeout(max(timeout_s, _SHORTEST_S))
        with lost_link(self._url):
            data: bytes = self._session.recv(_READ_BYTES)
        if not data and not self._session.eof_received:
            self._raise_if_lost("")
        return data

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        """See `Channel`; the status is -1 where a signal ended the command."""
        if not self._session.status_event.wait(timeout_s):
            raise TimeoutError
        self._drain.join(_GRACE_S)
        if self._session.exit_status == -1:
            self._raise_if_lost("")
        return self._session.exit_status, bytes(self._noise)

    def close(self) -> None:
        """See `Channel`."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._session.close()
        self._drain.join(_GRACE_S)

    def _drain_stderr(self) -> None:
        while True:
            try:
                chunk = self._session.recv_stderr(1 << 16)
            except TimeoutError:
                continue  # the time limit of whoever reads standard output is not ours
            except (OSError, EOFError, paramiko.SSHException):
                return
            if not chunk:
                return
            self._noise += chunk
            del self._noise[:-_KEPT_BYTES]

    def _raise_if_lost(self, why: str) -> None:
        """Raise `LinkLost` unless the connection is alive, so that only the command has ended."""
        transport = self._session.get_transport()
        transport.join(_ENDING_S)  # a connection that comes down ends its channels first, a moment before itself
        if not transport.is_alive():
            raise lost(self._url, why_gone(transport, why))


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """The key a board shows.

    Attributes:
        type: Such as `ssh-ed25519`.
        sha256: Its fingerprint, `SHA256:…`.
        known: It is in a `known_hosts` already.
        endpoint: Whose it is.
        key: The key itself.
    """

    type: str
    sha256: str
    known: bool
    endpoint: Endpoint
    key: paramiko.PKey

    def trust(self, pinned: str | None) -> None:
        """Write it down as this board's; against `pinned` if that is given.

        Raises:
            HostKeyError: It is not `pinned`, it is revoked, or another key is known for this host.
        """
        check_offer(self.endpoint, self.key, pinned)
        if not self.known:
            trust(self.endpoint, self.key)


def offered(url: str, deadlines: Deadlines | None = None) -> OfferedKey:
    """Ask a board for its key, without logging in; jump hosts on the way are logged in to.

    Raises:
        UsageError: The URL or `~/.ssh/config` cannot be read.
        TransportError: It cannot be reached.
    """
    limits = deadlines or usual_deadlines()
    login = login_for(url)
    hops = hops_to(login, limits)
    try:
        sock = through(hops[-1], login.endpoint, limits) if hops else None
        transport = handshaken(login.endpoint, sock, limits)
        key = transport.get_remote_server_key()
        shut(transport)
    finally:
        shut_all(hops)
    return OfferedKey(key.get_name(), fingerprint(key), is_known(login.endpoint, key), login.endpoint, key)
