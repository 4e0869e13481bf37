"""Our folder on the board: bare names in, paths below it out."""

from __future__ import annotations

import hashlib
import os
import re
import shutil

from edgeprof_agent.faults import Fault

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLOCK_BYTES = 1 << 20


def bare(name: object, what: str) -> str:
    """Return a name that is no path.

    Raises:
        Fault: `bad_request`: it is something else.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Fault("bad_request", "%s must be a bare name, not %r" % (what, name))
    return name


def hashed(home: str, folder: str, sha256: object, suffix: str) -> str:
    """Return the path of a file that is named by its hash.

    Raises:
        Fault: `bad_request` or `no_such_file`.
    """
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise Fault("bad_request", "not a SHA-256: %r" % (sha256,))
    path = os.path.join(home, folder, sha256 + suffix)
    if not os.path.isfile(path):
        raise Fault("no_such_file", "%s/%s%s is not on the board" % (folder, sha256, suffix))
    return path


def runtime_folder(home: str, name: object) -> str:
    """Return the folder of a runtime.

    Raises:
        Fault: `bad_request` or `no_such_file`.
    """
    path = os.path.join(home, "runtimes", bare(name, "runtime"))
    if not os.path.isfile(os.path.join(path, "runtime.json")):
        raise Fault("no_such_file", "the runtime %s is not on the board" % name)
    return path


def kept_launches(home: str) -> list:
    """Return the names of launches that no host has acknowledged yet."""
    folder = os.path.join(home, "launches")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def remove_launch(home: str, name: str) -> None:
    """Delete a launch's files; nothing happens if there are none."""
    shutil.rmtree(os.path.join(home, "launches", bare(name, "launch")), ignore_errors=True)


def described(home: str, path: str) -> dict:
    """Return `file`, `size_bytes` and `sha256` of a file below home."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return {"file": os.path.relpath(path, home), "size_bytes": os.path.getsize(path), "sha256": digest.hexdigest()}
