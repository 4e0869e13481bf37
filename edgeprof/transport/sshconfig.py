"""`~/.ssh/config` as OpenSSH reads it, with `Include`, which paramiko's reader leaves out."""

import getpass
import glob
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import paramiko

from edgeprof.errors import UsageError
from edgeprof.transport.hostkeys import Endpoint

_DEEPEST_INCLUDE = 16


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in somewhere.

    Attributes:
        endpoint: Where.
        keys: Private keys named in the configuration; empty for the usual ones.
        jumps: Hosts to go through, in order, each as `user@host:port`.
        use_agent: The agent's keys may be tried.
    """

    endpoint: Endpoint
    keys: tuple[str, ...]
    jumps: tuple[str, ...]
    use_agent: bool


def login_for(url: str) -> Login:
    """Return how to reach `ssh://[user@]host[:port]`.

    Raises:
        UsageError: The URL names no host, or the configuration cannot be read.
    """
    parts = _split(url)
    host = parts.hostname or ""
    config = _config().lookup(host)
    name = config.get("hostname", host)
    endpoint = Endpoint(
        host=name,
        port=parts.port or int(config.get("port", 22)),
        user=parts.username or config.get("user") or getpass.getuser(),
        alias=config.get("hostkeyalias", name),
    )
    jumps = config.get("proxyjump", "none")
    return Login(
        endpoint=endpoint,
        keys=tuple(str(Path(key).expanduser()) for key in config.get("identityfile", [])),
        jumps=() if jumps == "none" else tuple(jumps.split(",")),
        use_agent=config.get("identitiesonly", "no") != "yes",
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise UsageError(f"not a board's URL: `{url}`: {exc}", "write ssh://user@host or ssh://user@host:2222") from exc
    if not parts.hostname:
        raise UsageError(f"`{url}` names no host", "write ssh://user@host or ssh://user@host:2222")
    return parts


def _config() -> paramiko.SSHConfig:
    path = Path("~/.ssh/config").expanduser()
    try:
        return paramiko.SSHConfig.from_text("\n".join(_lines(path, 0)) if path.is_file() else "")
    except (OSError, paramiko.ConfigParseError, paramiko.SSHException) as exc:
        raise UsageError(f"`{path}` cannot be read: {exc}", "`ssh -G HOST` shows what OpenSSH makes of it") from exc


def _lines(path: Path, depth: int) -> list[str]:
    """Return a file's lines with each `Include` replaced by what it names."""
    found: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        words = line.replace("=", " ", 1).split()
        if not words or words[0].lower() != "include" or depth >= _DEEPEST_INCLUDE:
            found.append(line)
            continue
        for pattern in words[1:]:
            whole = Path(pattern).expanduser()
            whole = whole if whole.is_absolute() else Path("~/.ssh").expanduser() / whole
            for name in sorted(glob.glob(str(whole))):  # noqa: PTH207 - the pattern is absolute
                found += _lines(Path(name), depth + 1)
    return found
