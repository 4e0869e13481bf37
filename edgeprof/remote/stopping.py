"""Ways to boards that end when they are told to: every wait looks, now and then, whether it should go on."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from edgeprof.transport import Channel, Transport

# A wait that nobody stops wakes up twice a second, and somebody who presses Ctrl-C waits half of one.
_SLICE_S = 0.5

T = TypeVar("T")


class Stopped(BaseException):
    """Nobody wants this measurement any more; like `KeyboardInterrupt`, no error that anything handles."""


class StoppableTransport:
    """A transport whose waits end with `Stopped` once `stop` is set; see `Transport`."""

    def __init__(self, transport: Transport, stop: threading.Event) -> None:
        self._transport = transport
        self._stop = stop
        self.url = transport.url
        self.bytes_per_s = transport.bytes_per_s

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`."""
        if self._stop.is_set():
            raise Stopped
        return _StoppableChannel(self._transport.open(argv), self._stop)

    def close(self) -> None:
        """See `Transport`; it works after a stop too."""
        self._transport.close()


class _StoppableChannel:
    def __init__(self, channel: Channel, stop: threading.Event) -> None:
        self._channel = channel
        self._stop = stop

    def write(self, data: bytes) -> None:
        if self._stop.is_set():
            raise Stopped
        self._channel.write(data)

    def close_stdin(self) -> None:
        self._channel.close_stdin()

    def read(self, timeout_s: float) -> bytes:
        return self._sliced(self._channel.read, timeout_s)

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        return self._sliced(self._channel.wait, timeout_s)

    def close(self) -> None:
        self._channel.close()

    def _sliced(self, ask: Callable[[float], T], timeout_s: float) -> T:
        end = time.monotonic() + timeout_s
        while True:
            if self._stop.is_set():
                raise Stopped
            left_s = end - time.monotonic()
            try:
                return ask(max(0.001, min(_SLICE_S, left_s)))
            except TimeoutError:
                if left_s <= _SLICE_S:
                    raise
