"""An SSH connection up to the point where the board has shown its key: sockets, hops, handshake, signs of life."""

import errno
import logging
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import paramiko

from edgeprof.errors import LinkLost, TransportError
from edgeprof.transport.hostkeys import Endpoint, known
from edgeprof.transport.patience import answer_s

# paramiko's threads print tracebacks through this logger where nobody listens.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

# Fastest first where the processor has AES instructions; boards without them negotiate the same and are slower.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes256-gcm@openssh.com",
    "aes256-ctr",
)
WINDOW_BYTES = 8 << 20
_PACKET_BYTES = 1 << 15
_JOIN_S = 2.0
_LISTEN_S = 0.2  # paramiko looks at its socket every tenth of a second
_CUT = "it was closed or cut"
_HOP_GONE = "its jump host is gone"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait for a link.

    Attributes:
        connect_s: For a connection and each step of its handshake.
        dead_link_s: A link whose data stay unacknowledged so long is gone.
        silent_s: A board whose SSH server says nothing for so long is gone, though something acknowledges for it: a
            jump host does. A busy board may be slow to answer.
        stall_s: A command that takes none of its input for so long is given up.
    """

    connect_s: float = 10.0
    dead_link_s: float = 7.0
    silent_s: float = 45.0
    stall_s: float = 60.0


def usual_deadlines() -> Deadlines:
    """Return the deadlines that nobody has set, or whose answers the environment has.

    Raises:
        UsageError: The environment says something else than a number of seconds.
    """
    return Deadlines(connect_s=answer_s(Deadlines().connect_s))


class Watched:
    """A socket for paramiko that asks for signs of life, and fails once the other side has been silent for too long.

    `Transport.set_keepalive` wants no answer, so that behind a jump host it finds nothing; and it asks nothing while
    something is sent, such as the questions to the board behind a jump host.
    """

    def __init__(self, sock: Any, silent_s: float) -> None:  # noqa: ANN401 - a socket, or a channel used as one
        self._sock = sock
        self._silent_s = silent_s
        self._quiet_s = 0.0
        self._asked_s = 0.0
        self._ask: tuple[float, Callable[[], None]] | None = None
        self.send = sock.send
        self.settimeout = sock.settimeout

    @property
    def _closed(self) -> bool:
        """Say what paramiko asks of a socket when it ends its thread."""
        return bool(getattr(self._sock, "_closed", getattr(self._sock, "closed", False)))

    @property
    def hop(self) -> paramiko.Transport | None:
        """Return the connection to the jump host that this one goes through, if it does."""
        return self._sock.get_transport() if isinstance(self._sock, paramiko.Channel) else None

    def ask(self, every_s: float, question: Callable[[], None]) -> None:
        """Ask a question whenever nothing was heard for so long."""
        self._ask = (every_s, question)

    def close(self) -> None:
        """Close it; a thread that reads from it wakes at once."""
        if isinstance(self._sock, socket.socket):
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def recv(self, size: int) -> bytes:
        """Return what came, as a socket does.

        Raises:
            TimeoutError: Nothing came for now.
            ConnectionResetError: Nothing came for so long that the board must be gone.
        """
        began = time.monotonic()
        try:
            data: bytes = self._sock.recv(size)
        except TimeoutError as exc:
            # A host that slept, or had no time for this thread, did not listen all the while.
            self._quiet_s += min(time.monotonic() - began, _LISTEN_S)
            if exc.errno == errno.ETIMEDOUT or self._quiet_s > self._silent_s:
                # Not ETIMEDOUT: that is a TimeoutError, after which paramiko tries again.
                raise ConnectionResetError(errno.ECONNRESET, f"nothing was heard for {self._quiet_s:.1f} s") from None
            self._ask_again()
            raise
        self._quiet_s = self._asked_s = 0.0
        return data

    def _ask_again(self) -> None:
        if self._ask is not None and self._quiet_s - self._asked_s > self._ask[0]:
            self._asked_s = self._quiet_s
            self._ask[1]()


@contextmanager
def lost_link(url: str) -> Iterator[None]:
    """Turn whatever paramiko raises over a dead link into `LinkLost`."""
    try:
        yield
    except TimeoutError:
        raise
    except (paramiko.SSHException, OSError, EOFError) as exc:
        raise lost(url, str(exc)) from exc


def lost(url: str, why: str) -> LinkLost:
    """Return the error of a link that is gone."""
    return LinkLost(f"the link to {url} is gone: {why or _CUT}", "what finished is stored; run it again")


def why_gone(transport: paramiko.Transport, otherwise: str = "") -> str:
    """Return why a connection ended: for one through a jump host that ended first, why that did."""
    hop = transport.sock.hop
    if hop is not None and not hop.is_active():
        why = why_gone(hop, _CUT)
        return why if why.startswith(_HOP_GONE) else f"{_HOP_GONE}: {why}"
    why = transport.saved_exception
    return str(getattr(why, "strerror", None) or why or "") or otherwise  # an `EOFError` is there and says nothing


def through(hop: paramiko.Transport, endpoint: Endpoint, deadlines: Deadlines) -> paramiko.Channel:
    """Return a way through a jump host, to be used as a socket.

    Raises:
        TransportError: It cannot reach the endpoint, or may not forward.
    """
    try:
        there = (endpoint.host, endpoint.port)
        return hop.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=deadlines.connect_s)
    except (paramiko.SSHException, OSError, EOFError) as exc:
        raise TransportError(
            f"the jump host cannot reach {endpoint.host}:{endpoint.port}: {exc}",
            "is the board switched on and in the jump host's network, and may it forward (`AllowTcpForwarding`)?",
        ) from exc


def shut(transport: paramiko.Transport) -> None:
    """Close a connection and wait for its threads. Never raises."""
    with suppress(OSError, EOFError, paramiko.SSHException):
        transport.close()
    transport.packetizer.complete_handshake()  # else a timer lives on after a handshake that failed
    if transport.ident is not None:
        transport.join(_JOIN_S)


def handshaken(endpoint: Endpoint, sock: paramiko.Channel | None, deadlines: Deadlines) -> paramiko.Transport:
    """Return a connection whose host key is shown and not yet checked; nobody is logged in.

    Args:
        endpoint: Where.
        sock: A way there through a jump host, if it needs one.
        deadlines: How long to wait.

    Raises:
        TransportError: It cannot be reached or is no SSH server.
        HostKeyError: A file of known hosts cannot be read.
    """
    kinds = {line.kind for line in known(endpoint)}
    transport = paramiko.Transport(
        Watched(sock or _connected(endpoint, deadlines), deadlines.silent_s),
        default_window_size=WINDOW_BYTES,
        default_max_packet_size=_PACKET_BYTES,
    )
    _prefer(transport, kinds)
    transport.banner_timeout = transport.handshake_timeout = deadlines.connect_s
    transport.auth_timeout = 3 * deadlines.connect_s  # a server that looks our name up takes its time
    try:
        transport.start_client(timeout=2 * deadlines.connect_s)
        transport.get_remote_server_key()
    except BaseException as exc:
        shut(transport)
        if isinstance(exc, Exception):  # paramiko passes on whatever its thread stumbled over
            raise _no_server(endpoint, exc) from exc
        raise
    _keep_alive(transport, deadlines)
    return transport


def _prefer(transport: paramiko.Transport, kinds: set[str]) -> None:
    """Choose quick ciphers, and ask for the kinds of key that are known already."""
    options = transport.get_security_options()
    options.ciphers = tuple(name for name in _CIPHERS if name in options.ciphers)
    if "ssh-rsa" in kinds:  # one kind of key, signed in newer ways
        kinds = kinds | {"rsa-sha2-512", "rsa-sha2-256"}
    options.key_types = tuple(sorted(options.key_types, key=lambda kind: kind not in kinds))


def _no_server(endpoint: Endpoint, exc: Exception) -> TransportError:
    why = str(exc) or "it said nothing more or closed the connection"
    return TransportError(
        f"{endpoint.host}:{endpoint.port} answers, but not as an SSH server does: {why}",
        "is that port an SSH server's, and is it not overloaded? `ssh -v` to it says more",
    )


def _keep_alive(transport: paramiko.Transport, deadlines: Deadlines) -> None:
    """Ask the server for a sign of life whenever nothing was heard for a while."""
    reference = weakref.ref(transport)
    message = paramiko.Message()
    message.add_byte(paramiko.common.cMSG_GLOBAL_REQUEST)
    message.add_string("keepalive@openssh.com")
    message.add_boolean(True)  # noqa: FBT003 - it wants an answer

    def ask() -> None:
        alive = reference()
        if alive is not None and alive.clear_to_send.is_set():  # else this, the reading thread, would wait for itself
            alive._send_user_message(message)  # `global_request` would wait for the answer

    transport.sock.ask(min(deadlines.dead_link_s, deadlines.silent_s) / 3, ask)


def _connected(endpoint: Endpoint, deadlines: Deadlines) -> socket.socket:
    where = f"{endpoint.host}:{endpoint.port}"
    try:
        sock = socket.create_connection((endpoint.host, endpoint.port), timeout=deadlines.connect_s)
    except (socket.gaierror, UnicodeError) as exc:
        raise TransportError(
            f"unknown host: `{endpoint.host}`", "is the name right, and the board in this network?"
        ) from exc
    except ConnectionRefusedError as exc:
        hint = "is the SSH server running there? `sudo systemctl enable --now ssh` on the board"
        raise TransportError(f"{where} refuses connections", hint) from exc
    except TimeoutError as exc:
        hint = "is it switched on, and in this network? `ping` it"
        raise TransportError(f"{where} does not answer within {deadlines.connect_s:g} s", hint) from exc
    except (OSError, OverflowError) as exc:
        raise TransportError(f"{where} cannot be reached: {exc}", "is there a route to it? `ping` it") from exc
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it a command costs 44 ms instead of 3
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(deadlines.dead_link_s * 1000))
    return sock
