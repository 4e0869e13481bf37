"""Every error a user can meet, split by who can mend it.

    EdgeprofError
    ├── UsageError        what was typed or configured: mend the command or the file     (exit 2)
    ├── ModelError        the model, its data or its conversion                          (exit 1)
    ├── TransportError    the way to the board                                           (exit 1)
    │   ├── HostKeyError  the board's identity is unknown or has changed
    │   └── LinkLost      the way was there and is gone
    ├── DeviceError       the board: room, Python, C library, already in use             (exit 1)
    │   └── ChildError    a child process on the board died, was refused or ran too long
    ├── MeasurementError  the measuring itself gave nothing that may be shown            (exit 1)
    ├── StoreError        the results' database                                          (exit 1)
    └── EvidenceError     evidence is not what it was when it was written                (exit 1)

An error names the offending value in its message and the next step in its hint. The command line prints
`error: MESSAGE`, an empty line, `hint: HINT`; only `edgeprof.cli` catches `EdgeprofError`.
"""


class EdgeprofError(Exception):
    """Base of everything edgeprof raises on purpose.

    Attributes:
        message: One sentence without a full stop, naming the value.
        hint: The next step, or `None` where none is certainly right.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EdgeprofError):
    """What was typed or configured cannot be done as it stands."""

    exit_code = 2


class ModelError(EdgeprofError):
    """The model, its data or its conversion is at fault."""


class TransportError(EdgeprofError):
    """The board cannot be reached, or refuses who we are."""


class HostKeyError(TransportError):
    """The board's identity is unknown or is not the one that was agreed on."""


class LinkLost(TransportError):  # noqa: N818 - it is a state of the world, not a mistake
    """The way to the board was there and is gone; what was stored stays stored."""


class DeviceError(EdgeprofError):
    """The board cannot do what was asked: no room, no fitting runtime, already in use."""


class ChildError(DeviceError):
    """A child process on the board died, was refused or ran too long.

    Attributes:
        code: The agent's error code, such as `child_crashed`; see docs/agent-protocol.md.
        signal: The signal that ended it, such as `SIGKILL`, or `None`.
        pid: The process that it was, or `None` where the agent does not say.
    """

    def __init__(
        self, message: str, hint: str | None = None, *, code: str, signal: str | None = None, pid: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.code = code
        self.signal = signal
        self.pid = pid


class MeasurementError(EdgeprofError):
    """The measuring gave nothing that may be shown."""


class StoreError(EdgeprofError):
    """The store of results cannot be read or written."""


class EvidenceError(EdgeprofError):
    """Something in an evidence bundle is not what it was when it was written."""
