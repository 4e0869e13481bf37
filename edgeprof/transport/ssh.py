"""A board over SSH: one connection, and a channel for each command on it."""

import logging
import shlex
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import paramiko

from edgeprof.errors import LinkLost, TransportError
from edgeprof.transport import Channel
from edgeprof.transport.hostkeys import Endpoint, check, fingerprint, known_keys, trust
from edgeprof.transport.sshconfig import Login, login_for

# paramiko's threads print tracebacks through this logger where nobody listens.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

_KEPT_BYTES = 64 << 10
_STALL_S = 30.0
_GRACE_S = 3.0
# Fastest first where the processor has AES instructions; boards without them negotiate the same and are slower.
_CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-gcm@openssh.com", "aes256-ctr")
_WINDOW_BYTES = 8 << 20
_PACKET_BYTES = 1 << 15


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait for a link.

    Attributes:
        connect_s: For a connection and each step of its handshake.
        dead_link_s: A link whose data stay unacknowledged so long is gone.
    """

    connect_s: float = 10.0
    dead_link_s: float = 7.0


class SshTransport:
    """See `Transport`."""

    def __init__(self, url: str, host_key: str | None = None, deadlines: Deadlines | None = None) -> None:
        """Connect and log in.

        Raises:
            UsageError: The URL or `~/.ssh/config` cannot be read.
            HostKeyError: The board is not who it should be.
            TransportError: It cannot be reached, or does not let us in.
        """
        self.url = url
        self._deadlines = deadlines or Deadlines()
        login = login_for(url)
        self._hops = _hops(login, self._deadlines)
        try:
            sock = _through(self._hops[-1], login.endpoint, self._deadlines) if self._hops else None
            self._transport = _logged_in(login, host_key, sock, self._deadlines)
        except BaseException:
            self._close_hops()
            raise

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`."""
        try:
            session = self._transport.open_session(window_size=_WINDOW_BYTES, timeout=self._deadlines.connect_s)
            session.exec_command(_command(argv))
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise LinkLost(f"the link to {self.url} is gone: {exc}", "what finished is stored") from exc
        return SshChannel(session, self.url)

    def close(self) -> None:
        """See `Transport`."""
        self._transport.close()
        self._close_hops()

    def _close_hops(self) -> None:
        for hop in reversed(self._hops):
            hop.close()


class SshChannel:
    """See `Channel`."""

    def __init__(self, session: paramiko.Channel, url: str) -> None:
        self._session = session
        self._url = url
        self._noise = bytearray()
        # Standard error shares the channel's window: left alone, 8 MB of it block standard output.
        self._drain = threading.Thread(target=self._drain_stderr, daemon=True)
        self._drain.start()

    def write(self, data: bytes) -> None:
        """See `Channel`."""
        view = memoryview(data)
        self._session.settimeout(_STALL_S)
        while view:
            try:
                view = view[self._session.send(bytes(view[: 1 << 18])) :]  # type: ignore[arg-type]
            except TimeoutError as exc:
                raise self._lost("nothing was taken for a while") from exc
            except OSError as exc:
                if self._alive():
                    raise BrokenPipeError from exc
                raise self._lost(str(exc)) from exc

    def close_stdin(self) -> None:
        """See `Channel`."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._session.shutdown_write()

    def read(self, timeout_s: float) -> bytes:
        """See `Channel`."""
        self._session.settimeout(timeout_s)
        data = self._session.recv(1 << 18)
        if not data and not self._alive():
            raise self._lost("it was closed or cut")
        return data

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        """See `Channel`."""
        if not self._session.status_event.wait(timeout_s):
            raise TimeoutError
        self._drain.join(_GRACE_S)
        status = self._session.exit_status
        if status == -1 and not self._alive():
            raise self._lost("it was closed or cut")
        return status, bytes(self._noise)

    def close(self) -> None:
        """See `Channel`."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._session.close()

    def _drain_stderr(self) -> None:
        while True:
            try:
                chunk = self._session.recv_stderr(1 << 16)
            except TimeoutError:
                continue  # the time limit of whoever reads standard output is not ours
            except (OSError, EOFError):
                return
            if not chunk:
                return
            self._noise += chunk
            del self._noise[:-_KEPT_BYTES]

    def _alive(self) -> bool:
        transport = self._session.get_transport()
        return transport is not None and transport.is_active()

    def _lost(self, why: str) -> LinkLost:
        return LinkLost(f"the link to {self._url} is gone: {why}", "what finished is stored")


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
            HostKeyError: It is not `pinned`, or another key is known for this host.
        """
        if pinned is not None or known_keys().lookup(self.endpoint.known_as) is not None:
            check(self.endpoint, self.key, pinned)
        if not self.known:
            trust(self.endpoint, self.key)


def offered(url: str, deadlines: Deadlines | None = None) -> OfferedKey:
    """Ask a board for its key, without logging in.

    Raises:
        UsageError: The URL cannot be read.
        TransportError: It cannot be reached.
    """
    limits = deadlines or Deadlines()
    login = login_for(url)
    hops = _hops(login, limits)
    try:
        sock = _through(hops[-1], login.endpoint, limits) if hops else None
        transport = _handshaken(login.endpoint, sock, limits)
        key = transport.get_remote_server_key()
        transport.close()
    finally:
        for hop in reversed(hops):
            hop.close()
    known = known_keys().check(login.endpoint.known_as, key)
    return OfferedKey(key.get_name(), fingerprint(key), known, login.endpoint, key)


def _hops(login: Login, deadlines: Deadlines) -> list[paramiko.Transport]:
    hops: list[paramiko.Transport] = []
    for jump in login.jumps:
        step = login_for(jump if "://" in jump else f"ssh://{jump}")
        sock = _through(hops[-1], step.endpoint, deadlines) if hops else None
        hops.append(_logged_in(step, None, sock, deadlines))
    return hops


def _through(hop: paramiko.Transport, endpoint: Endpoint, deadlines: Deadlines) -> Any:  # noqa: ANN401 - a channel used as a socket
    try:
        there = (endpoint.host, endpoint.port)
        return hop.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=deadlines.connect_s)
    except (paramiko.SSHException, OSError) as exc:
        raise TransportError(f"the jump host cannot reach {endpoint.host}:{endpoint.port}: {exc}") from exc


def _logged_in(login: Login, pinned: str | None, sock: Any, deadlines: Deadlines) -> paramiko.Transport:  # noqa: ANN401
    transport = _handshaken(login.endpoint, sock, deadlines)
    try:
        check(login.endpoint, transport.get_remote_server_key(), pinned)
        _authenticate(transport, login)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(max(1, int(deadlines.dead_link_s / 2)))
    return transport


def _handshaken(endpoint: Endpoint, sock: Any, deadlines: Deadlines) -> paramiko.Transport:  # noqa: ANN401
    where = f"{endpoint.host}:{endpoint.port}"
    connected = sock or _connected(endpoint, deadlines)
    try:
        transport = paramiko.Transport(connected, default_window_size=_WINDOW_BYTES, default_max_packet_size=_PACKET_BYTES)
        options = transport.get_security_options()
        options.ciphers = tuple(name for name in _CIPHERS if name in options.ciphers)
        transport.banner_timeout = transport.handshake_timeout = deadlines.connect_s
        known = known_keys().lookup(endpoint.known_as)
        if known:  # ask for the kinds of key we can check
            kinds = [kind for kind in options.key_types if any(kind.endswith(k) or k.endswith(kind) for k in known)]
            options.key_types = tuple(kinds + [kind for kind in options.key_types if kind not in kinds])
        transport.start_client(timeout=deadlines.connect_s)
    except (paramiko.SSHException, OSError, EOFError) as exc:
        connected.close()
        hint = "is that port an SSH server's, and is it not overloaded? `ssh -v` to it says more"
        raise TransportError(f"{where} answers, but not as an SSH server does: {exc or 'it closed the connection'}", hint) from exc
    return transport


def _connected(endpoint: Endpoint, deadlines: Deadlines) -> socket.socket:
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        sock = socket.create_connection((endpoint.host, endpoint.port), timeout=deadlines.connect_s)
    except socket.gaierror as exc:
        raise TransportError(f"unknown host: `{endpoint.host}`", "is the name right, and the board in this network?") from exc
    except ConnectionRefusedError as exc:
        hint = "is the SSH server running there? `sudo systemctl enable --now ssh` on the board"
        raise TransportError(f"{where} refuses connections", hint) from exc
    except TimeoutError as exc:
        hint = "is it switched on, and in this network? `ping` it"
        raise TransportError(f"{where} does not answer within {deadlines.connect_s:g} s", hint) from exc
    except OSError as exc:
        raise TransportError(f"{where} cannot be reached: {exc.strerror or exc}", "is there a route to it? `ping` it") from exc
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it a command costs 44 ms instead of 3
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(deadlines.dead_link_s * 1000))
    return sock


def _authenticate(transport: paramiko.Transport, login: Login) -> None:
    """Try the agent's keys, then those in files.

    Raises:
        TransportError: None was accepted.
    """
    user, tried = login.endpoint.user, []
    for name, key in _keys(login, tried):
        try:
            transport.auth_publickey(user, key)
        except paramiko.AuthenticationException:
            tried.append(name)
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise TransportError(f"{login.endpoint.host} ended the login of `{user}`: {exc or 'no reason'}") from exc
        else:
            return
    raise TransportError(
        f"{login.endpoint.host} does not let `{user}` in; tried: {', '.join(tried) or 'no key was found'}",
        f"put your key there: `ssh-copy-id -p {login.endpoint.port} {user}@{login.endpoint.host}` (passwords are not used)",
    )


def _keys(login: Login, tried: list[str]) -> list[tuple[str, paramiko.PKey]]:
    found: list[tuple[str, paramiko.PKey]] = []
    if login.use_agent:
        with suppress(paramiko.SSHException, OSError):
            found += [(f"agent {key.get_name()}", key) for key in paramiko.Agent().get_keys()]
    for path in login.keys or _usual_keys():
        try:
            found.append((path, paramiko.PKey.from_path(path)))
        except paramiko.PasswordRequiredException:
            tried.append(f"{path} (encrypted: `ssh-add {path}` first)")
        except FileNotFoundError:
            if login.keys:
                tried.append(f"{path} (not there)")
        except (paramiko.SSHException, OSError, ValueError, paramiko.pkey.UnknownKeyType) as exc:
            tried.append(f"{path} ({exc or 'not a key we can read'})")
    return found


def _usual_keys() -> tuple[str, ...]:
    from pathlib import Path  # noqa: PLC0415 - only where the configuration names none

    return tuple(str(Path(f"~/.ssh/id_{kind}").expanduser()) for kind in ("ed25519", "ecdsa", "rsa"))


def _command(argv: Sequence[str]) -> str:
    """Return one command line; whatever shell the user has there, it only starts `sh`."""
    return shlex.join(argv)


