"""The one error that crosses the wire."""

from __future__ import annotations

import errno
import traceback

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class AgentError(Exception):
    """An answer of the kind `error`.

    Attributes:
        code: One of the codes in docs/agent-protocol.md, section "Children".
        message: What happened, for people.
        data: What is known besides, JSON types only; may be empty.
    """

    def __init__(self, code: str, message: str, data: dict = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data or {}

    def as_json(self) -> dict:
        """Return the error as it stands in an answer."""
        return {"code": self.code, "message": self.message, "data": self.data}


def from_exception(exc: BaseException) -> AgentError:
    """Return any exception as an error of the protocol: `disk_full`, `child_out_of_memory` or `internal`."""
    if isinstance(exc, AgentError):
        return exc
    if isinstance(exc, OSError) and exc.errno in _NO_ROOM:
        return AgentError("disk_full", "no room left on the board: {}".format(exc))
    if isinstance(exc, MemoryError):
        return AgentError("child_out_of_memory", "Python could not get memory")
    lines = traceback.format_exception(type(exc), exc, exc.__traceback__)
    place = [line.strip().splitlines()[0] for line in lines if line.startswith("  File")]
    return AgentError("internal", "{}: {} ({})".format(type(exc).__name__, exc, place[-1] if place else "no place"))
