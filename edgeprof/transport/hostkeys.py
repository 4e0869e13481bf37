"""Who a board is: its host key, the files that know it, and what to say when it is unknown or another."""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import paramiko

from edgeprof.devices import config_dir
from edgeprof.errors import HostKeyError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an SSH connection goes, after `~/.ssh/config` had its say.

    Attributes:
        host: Name or address to connect to.
        port: Its port.
        user: Whom to log in as.
        alias: The name it is known by in `known_hosts`.
    """

    host: str
    port: int
    user: str
    alias: str

    @property
    def known_as(self) -> str:
        """Return its name as `known_hosts` writes it."""
        return self.alias if self.port == 22 or self.alias != self.host else f"[{self.alias}]:{self.port}"


def own_file() -> Path:
    """Return edgeprof's own `known_hosts`; the user's is read and never written."""
    return config_dir() / "known_hosts"


def known_files() -> tuple[Path, ...]:
    """Return the files that know hosts, those that exist."""
    files = (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts"), own_file())
    return tuple(path for path in files if path.is_file())


def known_keys() -> paramiko.HostKeys:
    """Return every known key of every file.

    Raises:
        HostKeyError: A file cannot be read.
    """
    keys = paramiko.HostKeys()
    for path in known_files():
        try:
            keys.load(str(path))
        except (OSError, ValueError, paramiko.SSHException) as exc:
            raise HostKeyError(f"`{path}` cannot be read: {exc}", "mend or remove that file") from exc
    return keys


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH prints it: `SHA256:…`."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def check(endpoint: Endpoint, key: paramiko.PKey, pinned: str | None) -> None:
    """Refuse a key that is not the one agreed on.

    Raises:
        HostKeyError: It is unknown, another than before, revoked, or not the pinned one.
    """
    shown = fingerprint(key)
    if pinned is not None:
        if shown != pinned:
            raise HostKeyError(
                f"{endpoint.host} shows the key {shown}, not {pinned}",
                "is it another board, or was it set up anew? Compare on the board: "
                "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`",
            )
        return
    known = known_keys().lookup(endpoint.known_as)
    if known is None:
        raise HostKeyError(
            f"{endpoint.known_as} shows a {key.get_name()} key that is not known yet: {shown}",
            f"if that is your board: `edgeprof device add NAME URL --host-key {shown}`",
        )
    if not any(known_key == key for known_key in known.values()):
        raise HostKeyError(
            f"{endpoint.known_as} shows another {key.get_name()} key than before: {shown}",
            f"somebody may be in between, or the board was set up anew: {_places(endpoint)}; remove the old line there "
            f"(`ssh-keygen -R '{endpoint.known_as}' -f FILE`) only if you know why",
        )


def trust(endpoint: Endpoint, key: paramiko.PKey) -> None:
    """Write a key into edgeprof's own `known_hosts`."""
    path = own_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    line = f"{endpoint.known_as} {key.get_name()} {key.get_base64()}\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
        file.write(line)


def _places(endpoint: Endpoint) -> str:
    found = []
    for path in known_files():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            entry = paramiko.hostkeys.HostKeyEntry.from_line(line) if line.strip() else None
            if entry and _names(entry, endpoint.known_as):
                found.append(f"{path} line {number}")
    return ", ".join(found) or "it is in your known_hosts"


def _names(entry: paramiko.hostkeys.HostKeyEntry, name: str) -> bool:
    keys = paramiko.HostKeys()
    keys._entries.append(entry)  # noqa: SLF001 - paramiko hashes names only inside HostKeys
    return keys.lookup(name) is not None
