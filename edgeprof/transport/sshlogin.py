"""Log in over SSH: through jump hosts, with host keys checked, with the agent's keys and those in files."""

import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.agent import AgentSSH

from edgeprof.errors import TransportError, UsageError
from edgeprof.transport.hostkeys import check
from edgeprof.transport.sshconfig import Login, login_for
from edgeprof.transport.sshlink import Deadlines, handshaken, shut, through

_MOST_HOPS = 8
_AGENT_S = 10.0


def logged_in(
    login: Login, pinned: str | None, sock: paramiko.Channel | None, deadlines: Deadlines
) -> paramiko.Transport:
    """Return a connection that is checked and logged in.

    Raises:
        HostKeyError: The board is not who it should be.
        TransportError: It cannot be reached, or does not let us in.
    """
    transport = handshaken(login.endpoint, sock, deadlines)
    try:
        check(login.endpoint, transport.get_remote_server_key(), pinned)
        _authenticate(transport, login)
    except BaseException:
        shut(transport)
        raise
    return transport


@contextmanager
def closed_on_error(hops: list[paramiko.Transport]) -> Iterator[None]:
    """Close every hop, the last first, if what is done with them fails."""
    try:
        yield
    except BaseException:
        shut_all(hops)
        raise


def shut_all(hops: list[paramiko.Transport]) -> None:
    """Close every hop, the last first. Never raises."""
    for hop in reversed(hops):
        shut(hop)


def hops_to(login: Login, deadlines: Deadlines) -> list[paramiko.Transport]:
    """Log in to each jump host on the way, in order; each one's host key is checked as a board's is.

    Raises:
        UsageError: The jump hosts go round in a circle.
        TransportError: One cannot be reached, or does not let us in.
    """
    hops: list[paramiko.Transport] = []
    with closed_on_error(hops):
        for step in _steps(login, 0):
            sock = through(hops[-1], step.endpoint, deadlines) if hops else None
            hops.append(logged_in(step, None, sock, deadlines))
    return hops


def _steps(login: Login, depth: int) -> list[Login]:
    """Return the jump hosts before a host; the first of them may have its own, as with OpenSSH."""
    if depth > _MOST_HOPS:
        raise UsageError(f"too many jump hosts on the way to `{login.name}`", "look at `ProxyJump` in `~/.ssh/config`")
    steps = [login_for(jump if "://" in jump else f"ssh://{jump}") for jump in login.jumps]
    # `Host *` with `ProxyJump gate` is about `gate` too, and then means nothing.
    steps = [] if any(step.name == login.name for step in steps) else steps
    return [*_steps(steps[0], depth + 1), *steps] if steps else []


def _authenticate(transport: paramiko.Transport, login: Login) -> None:
    """Try the agent's keys, then those in files.

    Raises:
        TransportError: None was accepted.
    """
    tried: list[str] = []
    with _agent_keys(login, tried) as held:
        for name, key in held + _file_keys(login, tried):
            if _accepted(transport, login, key, [*tried, name]):
                return
            tried.append(name)
    endpoint = login.endpoint
    raise TransportError(
        f"{endpoint.host} does not let `{endpoint.user}` in; tried: {', '.join(tried) or 'no key was found'}",
        f"put your key there: `ssh-copy-id -p {endpoint.port} {endpoint.user}@{endpoint.host}`; passwords are not used",
    )


def _accepted(transport: paramiko.Transport, login: Login, key: paramiko.PKey, tried: list[str]) -> bool:
    host, user = login.endpoint.host, login.endpoint.user
    try:
        further = transport.auth_publickey(user, key)
    except paramiko.BadAuthenticationType as exc:
        allowed = ", ".join(exc.allowed_types)
        text = f"{host} does not let `{user}` in with a key, only with: {allowed}"
        raise TransportError(text, "allow `PubkeyAuthentication` in the board's sshd_config") from exc
    except (paramiko.SSHException, OSError, EOFError, ValueError) as exc:
        if transport.is_active():
            return False
        text = f"{host} ended the login of `{user}` after: {', '.join(tried)}"
        hint = "with many keys in the agent, name one: `IdentityFile` and `IdentitiesOnly yes` in `~/.ssh/config`"
        raise TransportError(text, hint) from exc
    if further:
        text = f"{host} wants more than a key of `{user}`: {', '.join(further)}"
        raise TransportError(text, "edgeprof logs in with a key alone; make an account that allows it")
    return True


@contextmanager
def _agent_keys(login: Login, tried: list[str]) -> Iterator[list[tuple[str, paramiko.PKey]]]:
    """Yield the agent's keys, which work only while it is connected; those of named files first."""
    if login.agent is None:
        yield []
        return
    agent = AgentSSH()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(_AGENT_S)
            sock.connect(login.agent)
            agent._connect(sock)  # `paramiko.Agent` knows only SSH_AUTH_SOCK
        except (OSError, paramiko.SSHException, ValueError):
            tried.append(f"agent at {login.agent} (it does not answer)")
        named = {blob for path in login.keys if (blob := _public(path))}
        keys = [key for key in agent.get_keys() if not login.named_only or key.asbytes() in named]
        keys.sort(key=lambda key: key.asbytes() not in named)
        yield [(f"agent {key.get_name()} {key.comment}".rstrip(), key) for key in keys]


def _public(path: str) -> bytes | None:
    with suppress(OSError, ValueError, IndexError, paramiko.SSHException):
        words = Path(path if path.endswith(".pub") else f"{path}.pub").read_text().split()
        return bytes(paramiko.pkey.PublicBlob.from_string(" ".join(words[:2])).key_blob)
    return None


def _file_keys(login: Login, tried: list[str]) -> list[tuple[str, paramiko.PKey]]:
    found: list[tuple[str, paramiko.PKey]] = []
    for path in login.keys or usual_keys():
        try:
            with warnings.catch_warnings(action="ignore"):  # about kinds of key that are out of use
                found.append((path, paramiko.PKey.from_path(path)))
        except (paramiko.PasswordRequiredException, TypeError):  # cryptography says TypeError for some formats
            tried.append(f"{path} (encrypted: `ssh-add {path}` first)")
        except FileNotFoundError:
            if login.keys:
                tried.append(f"{path} (not there)")
        except OSError as exc:
            tried.append(f"{path} ({exc.strerror})")
        except (ValueError, UnsupportedAlgorithm, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
            tried.append(f"{path} (not a private key we can read)")
    return found


def usual_keys() -> tuple[str, ...]:
    """Return the paths of the keys that are tried where nobody names one."""
    return tuple(str(Path(f"~/.ssh/id_{kind}").expanduser()) for kind in ("ed25519", "ecdsa", "rsa"))
