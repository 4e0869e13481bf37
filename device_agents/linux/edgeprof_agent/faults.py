"""What can go wrong, as the protocol names it."""

from __future__ import annotations

import errno


class Fault(Exception):
    """An error with one of the protocol's codes.

    Attributes:
        code: Such as `bad_request`.
        message: For people.
        data: More for programs.
    """

    def __init__(self, code: str, message: str, data: dict | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data or {}

    def as_error(self) -> dict:
        """Return the value of an answer's `error`."""
        return {"code": self.code, "message": self.message, "data": self.data}


def from_oserror(exc: OSError) -> Fault:
    """Return the fault that an `OSError` is."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return Fault("disk_full", str(exc))
    return Fault("internal", "%s: %s" % (type(exc).__name__, exc))
