"""Files below the agent's home: names confined to it, launches, hashes, the lock."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time

from edgeprof_agent.errors import AgentError

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\Z")
_CHUNK_BYTES = 1 << 20


def checked_name(value: object, what: str) -> str:
    """Return `value` if it is a bare name.

    Raises:
        AgentError: `bad_request`: it is a path, hidden, or no text.
    """
    if not isinstance(value, str) or not _NAME.match(value):
        raise AgentError("bad_request", "`{}` must be a bare name, not {!r}".format(what, value))
    return value


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def described(home: str, path: str) -> dict:
    """Return `file` (below home), `size_bytes` and `sha256` of a finished file."""
    return {
        "file": os.path.relpath(path, home).replace(os.sep, "/"),
        "size_bytes": os.path.getsize(path),
        "sha256": sha256_of(path),
    }


class Home:
    """The agent's folder on the board.

    Attributes:
        path: Absolute.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self._lock = None

    def existing(self, folder: str, name: object, suffix: str, what: str) -> str:
        """Return the path of a file or folder that the host pushed.

        Raises:
            AgentError: `bad_request` for a bad name, `no_such_file` if it is not there.
        """
        path = os.path.join(self.path, folder, checked_name(name, what) + suffix)
        if not os.path.exists(path):
            raise AgentError("no_such_file", "{} `{}` is not on the board".format(what, name))
        return path

    def kept(self) -> list:
        """Return the names of launches not yet acknowledged, oldest first."""
        try:
            return sorted(name for name in os.listdir(os.path.join(self.path, "launches")) if _NAME.match(name))
        except FileNotFoundError:
            return []

    def new_launch(self) -> str:
        """Make a folder for a launch and return its name.

        Raises:
            OSError: There is no room, or no right to write.
        """
        os.makedirs(os.path.join(self.path, "launches"), exist_ok=True)
        stem = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        for number in range(1000):
            name = "{}-{}-{}".format(stem, os.getpid(), number)
            try:
                os.mkdir(self.launch_path(name))
            except FileExistsError:
                continue
            return name
        raise AgentError("internal", "no free name for a launch")

    def launch_path(self, name: str) -> str:
        """Return the absolute path of a launch's folder."""
        return os.path.join(self.path, "launches", name)

    def forget(self, name: str) -> None:
        """Remove a launch's files; one that is gone already is no error."""
        shutil.rmtree(self.launch_path(name), ignore_errors=True)

    def lock(self, owner: str) -> None:
        """Hold the board until this process ends.

        Raises:
            AgentError: `busy`, with `owner` and `since_unix_s` of who holds it; `disk_full`.
        """
        if self._lock is None:
            os.makedirs(self.path, exist_ok=True)
            file = open(os.path.join(self.path, "lock"), "a+b", buffering=0)  # noqa: SIM115 - held until the end
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(file)
                file.close()
                raise AgentError("busy", "the board is in use", holder) from None
            self._lock = file
        self._lock.truncate(0)
        self._lock.write(json.dumps({"owner": owner, "since_unix_s": int(time.time())}).encode())


def _holder(file: object) -> dict:
    try:
        file.seek(0)
        found = json.loads(file.read(4096).decode())
        return {"owner": found["owner"], "since_unix_s": found["since_unix_s"]}
    except (ValueError, KeyError, TypeError):  # it is being written this moment
        return {"owner": None, "since_unix_s": None}
