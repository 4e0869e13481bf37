"""Ctrl-C, pressed twice by a nervous finger: the second must not cut short what the first has begun to put in order."""

import signal
from time import monotonic

_TWICE_S = 1.0


def settle() -> None:
    """Let a Ctrl-C within a second of another count as the same; a shell's background job goes on ignoring it."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    last_s = -_TWICE_S

    def press(*_: object) -> None:
        nonlocal last_s
        before_s, last_s = last_s, monotonic()
        if last_s - before_s >= _TWICE_S:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)


def ignore() -> None:
    """Ignore Ctrl-C from now on: what is left takes a moment, and pressed again it would end amid a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
