"""What the host wrote of a runtime that it pushed."""

from __future__ import annotations

import json
import os
from glob import escape, glob

from edgeprof_agent.errors import AgentError
from edgeprof_agent.files import checked_name, sha256_of

_NAMES = ("litert", "tflite-runtime")


def about_runtime(folder: str) -> dict:
    """Return `runtime.json` of a runtime's folder: `name`, `version`, `library`, `site_packages`.

    Raises:
        AgentError: `no_such_file`, or `runtime_failed`: it is not what the host writes.
    """
    try:
        with open(os.path.join(folder, "runtime.json"), encoding="utf-8") as file:
            found = json.load(file)
        about = {name: found[name] for name in ("name", "version", "library")}
        about["site_packages"] = bool(found.get("site_packages"))
        checked_name(about["library"], "library")
    except (FileNotFoundError, NotADirectoryError):
        raise AgentError(
            "no_such_file", "the runtime `{}` has no runtime.json".format(os.path.basename(folder))
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, AgentError) as exc:
        raise AgentError("runtime_failed", "runtime.json is not what the host writes: {!r}".format(exc)) from None
    if about["name"] not in _NAMES or not isinstance(about["version"], str):
        raise AgentError("runtime_failed", "unknown runtime {!r} {!r}".format(about["name"], about["version"]))
    return about


def library_sha256(folder: str, about: dict) -> str:
    """Return the SHA-256 of the file that computes: the library, or the extension module in the package.

    Raises:
        AgentError: `runtime_failed`: it is not there.
    """
    path = os.path.join(folder, about["library"])
    if os.path.isdir(path):
        path = next(iter(sorted(glob(os.path.join(escape(path), "*.so")))), path)
    try:
        return sha256_of(path)
    except OSError as exc:
        raise AgentError("runtime_failed", "no library in the runtime's folder: {}".format(exc)) from None
