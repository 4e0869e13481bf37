"""Who a board is: its host key, the files that know it, and what to say when it is unknown or another.

The files are read here and not by paramiko, which passes over `@revoked` lines, patterns, and all but the first of
several keys of a kind. Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from edgeprof.errors import HostKeyError
from edgeprof.resources import config_dir

_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an SSH connection goes, after `~/.ssh/config` had its say.

    Attributes:
        host: Name or address to connect to.
        port: Its port.
        user: Whom to log in as.
        alias: Its `HostKeyAlias`, the name it has in `known_hosts` instead of host and port.
        known_files: The user's and the system's files of known hosts.
    """

    host: str
    port: int
    user: str
    alias: str | None = None
    known_files: tuple[Path, ...] = ()

    @property
    def known_as(self) -> str:
        """Return its name as `known_hosts` writes it."""
        if self.alias:
            return self.alias
        name = self.host.lower()
        return name if self.port == _SSH_PORT else f"[{name}]:{self.port}"


@dataclass(frozen=True, slots=True)
class Known:
    """A line about a host in a file of known hosts.

    Attributes:
        where: File and line, for people.
        marker: Empty, `@revoked` or `@cert-authority`.
        kind: Such as `ssh-ed25519`.
        blob: The public key as it goes over the wire.
        exact: It names host and port; OpenSSH also takes a key that is known for the host at port 22.
    """

    where: str
    marker: str
    kind: str
    blob: bytes
    exact: bool


def own_file() -> Path:
    """Return edgeprof's own `known_hosts`; the user's is read and never written."""
    return config_dir() / "known_hosts"


def known(endpoint: Endpoint) -> list[Known]:
    """Return every line that is about a host.

    Raises:
        HostKeyError: A file cannot be read.
    """
    names = [endpoint.known_as] + ([] if endpoint.alias else [endpoint.host.lower()])
    files = (*endpoint.known_files, own_file())
    return [line for path in dict.fromkeys(files) if path.is_file() for line in _lines_about(path, names)]


def is_known(endpoint: Endpoint, key: paramiko.PKey) -> bool:
    """Return whether a key is this host's, by some file.

    Raises:
        HostKeyError: A file cannot be read.
    """
    return any(not line.marker and line.blob == key.asbytes() for line in known(endpoint))


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH prints it: `SHA256:…`."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def check(endpoint: Endpoint, key: paramiko.PKey, pinned: str | None) -> None:
    """Refuse a key that is not the one agreed on.

    Raises:
        HostKeyError: It is unknown, another than before, revoked, or not the pinned one; or a file cannot be read.
    """
    check_offer(endpoint, key, pinned)
    if pinned is None and not is_known(endpoint, key):
        shown = fingerprint(key)
        raise HostKeyError(
            f"{endpoint.known_as} shows a {key.get_name()} key that is not known yet: {shown}",
            f"if that is your board: `edgeprof device add NAME URL --host-key {shown}`",
        )


def check_offer(endpoint: Endpoint, key: paramiko.PKey, pinned: str | None) -> None:
    """Refuse a key that cannot be agreed on: as `check`, but it may be unknown.

    Raises:
        HostKeyError: It is another than before, revoked, or not the pinned one; or a file cannot be read.
    """
    lines = known(endpoint)
    _check_revoked(endpoint, key, lines)
    if pinned is not None:
        _check_pinned(endpoint, key, pinned)
        return
    keys = [line for line in lines if not line.marker]
    before = [line for line in keys if line.exact]
    if before and not any(line.blob == key.asbytes() for line in keys):
        raise _changed(endpoint, key, before)


def trust(endpoint: Endpoint, key: paramiko.PKey) -> None:
    """Write a key into edgeprof's own `known_hosts`.

    Raises:
        HostKeyError: That file cannot be written.
    """
    path = own_file()
    line = f"{endpoint.known_as} {key.get_name()} {key.get_base64()}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
            file.write(line)
    except OSError as exc:
        raise HostKeyError(f"`{path}` cannot be written: {exc.strerror}", "is that folder yours?") from exc


def _check_revoked(endpoint: Endpoint, key: paramiko.PKey, lines: list[Known]) -> None:
    for line in lines:
        if line.marker == "@revoked" and line.blob == key.asbytes():
            text = f"{endpoint.known_as} shows a key that is marked @revoked in {line.where}: {fingerprint(key)}"
            raise HostKeyError(text, "it was withdrawn on purpose; the board needs a new host key")


def _check_pinned(endpoint: Endpoint, key: paramiko.PKey, pinned: str) -> None:
    shown = fingerprint(key)
    if shown != pinned.rstrip("="):
        raise HostKeyError(
            f"{endpoint.host} shows the key {shown}, not {pinned}",
            "is it another board, or was it set up anew? Compare on the board: "
            "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`",
        )


def _changed(endpoint: Endpoint, key: paramiko.PKey, before: list[Known]) -> HostKeyError:
    places = ", ".join(line.where for line in before)
    return HostKeyError(
        f"{endpoint.known_as} shows another {key.get_name()} key than before: {fingerprint(key)}",
        f"somebody may be in between, or the board was set up anew; remove the old key ({places}; "
        f"`ssh-keygen -R '{endpoint.known_as}' -f FILE`) only if you know why",
    )


def _lines_about(path: Path, names: list[str]) -> Iterator[Known]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as exc:
        raise HostKeyError(f"`{path}` cannot be read: {exc.strerror}", "mend or remove that file") from exc
    for number, line in enumerate(lines, 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        about = [_is_about(fields[0], name) for name in names]
        if any(about) and (blob := _decoded(fields[2])):
            yield Known(f"{path} line {number}", marker, fields[1], blob, about[0])


def _is_about(patterns: str, name: str) -> bool:
    """Return whether a comma-separated list of patterns, or one hashed name, means a host."""
    if patterns.startswith("|1|"):
        return _is_hash_of(patterns, name)
    found = False
    for pattern in patterns.split(","):
        if _fits(pattern.removeprefix("!"), name):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _fits(pattern: str, name: str) -> bool:
    # Not fnmatch: to it the brackets of `[host]:port` are a set of letters.
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, name, re.IGNORECASE) is not None


def _is_hash_of(hashed: str, name: str) -> bool:
    salt, _, digest = hashed.removeprefix("|1|").partition("|")
    key = _decoded(salt)
    return key is not None and hmac.new(key, name.encode(), "sha1").digest() == _decoded(digest)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # OpenSSH passes over such a line too
        return None
