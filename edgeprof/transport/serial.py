"""A board at its serial console: one link over it, and a channel for each command."""

import json
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence

from edgeprof.errors import TransportError
from edgeprof.transport import Channel
from edgeprof.transport.seriallink import Link, drive, flow, frames, protocol, streams
from edgeprof.transport.seriallogin import Login, start_link
from edgeprof.transport.serialport import Line, open_line
from edgeprof.transport.serialpump import Deadlines, Pump
from edgeprof.transport.serialspeed import raised
from edgeprof.transport.serialurl import SerialAddress, parse_address

_WRITE_BYTES = 4096
_AHEAD_BYTES = 8192  # queued here before `write` waits: little, so that progress tells the truth
_READ_BYTES = 64 << 10


class SerialTransport:
    """See `Transport`.

    Attributes:
        baud: The speed agreed on; of no meaning for a `socket://`.
    """

    def __init__(self, url: str, say: Callable[[str], None], deadlines: Deadlines | None = None) -> None:
        """Open the line, log in, and start the link.

        Raises:
            UsageError: The URL cannot be read.
            TransportError: The port cannot be opened, nothing answers, or we are not let in.
            DeviceError: The board has no Python 3.
        """
        self.url = url
        address = parse_address(url)
        self._deadlines = deadlines or Deadlines(silent_s=address.silent_s)
        line = open_line(address)
        try:
            link, self.baud = _linked(address, line, self._deadlines, say)
        except OSError as exc:
            line.close()
            raise _went_away(address, exc) from exc
        except BaseException:
            line.close()
            raise
        self.bytes_per_s = self.baud // 10 if address.bytes_per_s else None
        self._pump = Pump(address, line, link, self.baud, self._deadlines)

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`."""
        return SerialChannel(self._pump, argv, self._deadlines.stall_s)

    def close(self) -> None:
        """See `Transport`."""
        self._pump.close()


def _linked(address: SerialAddress, line: Line, deadlines: Deadlines, say: Callable[[str], None]) -> tuple[Link, int]:
    """Return the link on a line, and the speed it runs at."""
    session = start_link(line, Login(address, deadlines.far_silent_s, say, deadlines.console))
    limits = flow.Limits(address.baud if address.bytes_per_s else None)
    link = protocol.Link(session, time.monotonic(), limits, deadlines.ping_s)
    begun = link.heard_at
    link.say(frames.PING)
    if not drive(line, link, lambda _: link.heard_at > begun, deadlines.first_frame_s):
        hint = "is the line very noisy? a lower `?baud=` may help"
        raise TransportError(f"the link's program on {address.url} started, but no frame of it gets through", hint)
    if address.kind == "socket" or address.fastest_baud <= address.baud:
        return link, address.baud
    return link, raised(line, link, address.baud, address.fastest_baud)


def _went_away(address: SerialAddress, exc: OSError) -> TransportError:
    text = f"{address.url} went away while connecting: {exc.strerror or exc}"
    return TransportError(text, "is the cable firmly in, and nothing else using this port?")


class SerialChannel:
    """See `Channel`."""

    def __init__(self, pump: Pump, argv: Sequence[str], stall_s: float) -> None:
        self._pump, self._stall_s = pump, stall_s
        self._chunks: deque[bytes] = deque()
        self._ended = self._broken = self._closed = False
        self._status: int | None = None
        self._noise = b""
        with pump.changed:
            pump.await_(lambda: True, 0)
            self._number = pump.add(self._take)
            pump.link.streams.tell(streams.OPEN, self._number, json.dumps(list(argv)).encode())
            pump.changed.notify_all()

    def write(self, data: bytes) -> None:
        """See `Channel`; a command that takes nothing for `Deadlines.stall_s` is `LinkLost` too."""
        for start in range(0, len(data), _WRITE_BYTES):
            with self._pump.changed:
                self._await_room()
                self._pump.link.streams.write(self._number, data[start : start + _WRITE_BYTES])
                self._pump.changed.notify_all()

    def _await_room(self) -> None:
        while self._queued() > _AHEAD_BYTES or self._shut:
            if self._shut:
                raise BrokenPipeError
            waiting = self._queued()
            if not self._pump.await_(lambda: self._shut or self._queued() != waiting, self._stall_s):  # noqa: B023 - at once
                raise self._pump.lost(f"the command there took nothing for {self._stall_s:g} s")

    def _queued(self) -> int:
        return int(self._pump.link.streams.queued(self._number))

    @property
    def _shut(self) -> bool:
        return self._broken or self._closed or self._status is not None

    def close_stdin(self) -> None:
        """See `Channel`."""
        with self._pump.changed:
            if not self._closed:
                self._pump.link.streams.end(self._number)
                self._pump.changed.notify_all()

    def read(self, timeout_s: float) -> bytes:
        """See `Channel`."""
        with self._pump.changed:
            if not self._pump.await_(lambda: bool(self._chunks) or self._ended or self._closed, timeout_s):
                raise TimeoutError
            data = b""
            while self._chunks and len(data) < _READ_BYTES and not self._closed:
                data += self._chunks.popleft()
            self._pump.link.streams.taken(self._number, len(data))
            self._pump.changed.notify_all()
            return data

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        """See `Channel`."""
        with self._pump.changed:
            if not self._pump.await_(lambda: self._status is not None, timeout_s):
                raise TimeoutError
            assert self._status is not None  # noqa: S101 - it was just waited for
            return self._status, self._noise

    def close(self) -> None:
        """See `Channel`."""
        with self._pump.changed:
            if not self._closed:
                self._closed = True
                self._pump.remove(self._number)

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == streams.BYTES:
            self._chunks.append(payload)
        elif kind == streams.END:
            self._ended = True
        elif kind == streams.BROKEN:
            self._broken = True
        elif kind == streams.EXIT:
            self._status, self._noise = struct.unpack(">i", payload[:4])[0], payload[4:]
