"""`~/.ssh/config` as OpenSSH reads it, with `Include` and the system's file, which paramiko's reader leaves out."""

import getpass
import glob
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paramiko

from edgeprof.errors import UsageError
from edgeprof.transport.hostkeys import Endpoint

_DEEPEST_INCLUDE = 16
_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
_SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
_URL_HINT = "write ssh://user@host or ssh://user@host:2222"


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in somewhere.

    Attributes:
        name: The host as it was asked for, before the configuration.
        endpoint: Where.
        keys: Private keys named in the configuration; empty for the usual ones.
        jumps: Hosts to go through, in order, each as `user@host:port`.
        agent: Socket of the SSH agent; `None` where there is none or it may not be asked.
        named_only: Of the agent's keys only those in `keys` may be tried.
    """

    name: str
    endpoint: Endpoint
    keys: tuple[str, ...]
    jumps: tuple[str, ...]
    agent: str | None
    named_only: bool


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int | None
    user: str | None


def login_for(url: str, identity: str | None = None) -> Login:
    """Return how to reach `ssh://[user@]host[:port]`.

    Args:
        url: The board's URL.
        identity: The only private key to try, a file; `None` for those of the configuration and the agent.

    Raises:
        UsageError: The URL is none of ours, or the configuration cannot be read or asks for what we cannot do.
    """
    address = _address(url)
    config = _looked_up(address)
    if config.get("proxycommand") and "proxyjump" not in config:
        raise UsageError(f"`ProxyCommand` for `{address.host}` is not supported", "use `ProxyJump` in `~/.ssh/config`")
    jumps = config.get("proxyjump", "none")
    named = [identity] if identity else config.get("identityfile", [])
    return Login(
        name=address.host,
        endpoint=_endpoint(address, config),
        keys=tuple(str(Path(key).expanduser()) for key in named if key.lower() != "none"),
        jumps=() if jumps.lower() == "none" else tuple(jump.strip() for jump in jumps.split(",")),
        agent=_agent(config.get("identityagent", "SSH_AUTH_SOCK")),
        named_only=identity is not None or config.get("identitiesonly", "no").lower() == "yes",
    )


def _endpoint(address: _Address, config: paramiko.SSHConfigDict) -> Endpoint:
    try:
        port = address.port or int(config.get("port", 22))
    except ValueError as exc:
        raise UsageError(f"`Port {config['port']}` for `{address.host}` in `~/.ssh/config` is not a number") from exc
    user_files = config.get("userknownhostsfile", _USER_KNOWN_HOSTS)
    system_files = config.get("globalknownhostsfile", _SYSTEM_KNOWN_HOSTS)
    return Endpoint(
        host=config["hostname"],
        port=port,
        user=address.user or config.get("user") or getpass.getuser(),
        alias=config.get("hostkeyalias"),
        known_files=tuple(Path(name).expanduser() for name in shlex.split(f"{user_files} {system_files}")),
    )


def _agent(setting: str) -> str | None:
    """Return the agent's socket. Source: ssh_config(5), `IdentityAgent`."""
    if setting.lower() == "none":
        return None
    if setting == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK") or None
    if setting.startswith("$"):
        return os.environ.get(setting.strip("${}")) or None
    return str(Path(setting).expanduser())


def _address(url: str) -> _Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise UsageError(f"not a board's URL: `{url}`: {exc}", _URL_HINT) from exc
    who, _, where = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    # Not `parts.hostname`: that is in small letters, and a `Host` of the configuration need not be.
    host = unquote(where[1:].partition("]")[0] if where.startswith("[") else where.partition(":")[0])
    if not host:
        raise UsageError(f"`{url}` names no host", _URL_HINT)
    if password:
        raise UsageError(f"the URL of `{host}` holds a password", f"passwords are not used, keys are: {_URL_HINT}")
    user = unquote(user)
    if any(not letter.isprintable() or letter.isspace() for letter in host + user) or host.startswith("-"):
        raise UsageError(f"not a board's URL: `{url}`: no such name can be", _URL_HINT)
    return _Address(host, port, user or None)


def _looked_up(address: _Address) -> paramiko.SSHConfigDict:
    path = Path("~/.ssh/config").expanduser()
    # What was asked for stands first, as on ssh's command line: the first value wins, `Match user` and `%r` see it.
    lines = [
        "Host *",
        *([f"User {address.user}"] if address.user else []),
        *([f"Port {address.port}"] if address.port else []),
    ]
    try:
        for file in (path, _SYSTEM_CONFIG):
            lines += ["Host *", *(_lines(file, file.parent, "Host *", 0) if file.is_file() else [])]
        return paramiko.SSHConfig.from_text("\n".join(lines)).lookup(address.host)
    except (OSError, ValueError, KeyError, ImportError, paramiko.SSHException) as exc:
        raise UsageError(
            f"`{path}` cannot be read: {exc}", f"`ssh -G {address.host}` shows what OpenSSH makes of it"
        ) from exc


def _lines(path: Path, folder: Path, block: str, depth: int) -> list[str]:
    """Return a file's lines with each `Include` replaced by what it names; after it, the block it stands in goes on."""
    found: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        keyword = line.replace("=", " ", 1).split(maxsplit=1)
        kind = keyword[0].lower() if keyword else ""
        if kind in ("host", "match"):
            block = line
        if kind != "include":
            found.append(line)
        elif depth < _DEEPEST_INCLUDE:
            for name in _included(keyword[1] if len(keyword) > 1 else "", folder):
                found += [*_lines(name, folder, block, depth + 1), block]
    return found


def _included(patterns: str, folder: Path) -> list[Path]:
    found: list[Path] = []
    for pattern in shlex.split(patterns):
        whole = folder / Path(pattern).expanduser()
        found += sorted(Path(name) for name in glob.glob(str(whole)))  # noqa: PTH207 - the pattern is absolute
    return found
