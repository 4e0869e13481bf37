"""Channels over one ordered stream of bytes: records in turn, each channel within its credit."""

from __future__ import annotations

import collections
import struct

OPEN, BYTES, END, CREDIT, CLOSE, EXIT, BROKEN, SPEED, AGREED, REFUSED, STAY = range(1, 12)  # kinds of record
CREDIT_BYTES = 64 << 10  # sent on a channel before the other side has taken any of it

_RECORD = struct.Struct(">BHI")  # kind, channel, length
_CHUNK_BYTES = 4096  # of one channel before another has its turn
_GRANT_BYTES = 8 << 10
_LONGEST_RECORD_BYTES = 1 << 20


class Stream:
    """One channel's bytes to the other side; `ending` is the record that ends it, once its bytes are out."""

    __slots__ = ("credit", "ending", "owed", "queue", "queued")

    def __init__(self) -> None:
        self.queue, self.queued, self.credit, self.owed, self.ending = collections.deque(), 0, CREDIT_BYTES, 0, None


class Streams:
    """Channels over one ordered stream: records in turn, each channel within its credit."""

    def __init__(self) -> None:
        self._control = collections.deque()
        self._streams = collections.OrderedDict()
        self._rest = b""

    @property
    def telling(self) -> bool:
        """Return whether records wait that go before all channels' bytes."""
        return bool(self._control)

    def add(self, channel: int) -> None:
        """Begin a channel."""
        self._streams[channel] = Stream()

    def forget(self, channel: int) -> None:
        """End a channel and drop what it still had to send."""
        self._streams.pop(channel, None)

    def tell(self, kind: int, channel: int = 0, payload: bytes = b"") -> None:
        """Queue a record that goes before all channels' bytes."""
        self._control.append(_RECORD.pack(kind, channel, len(payload)) + payload)

    def write(self, channel: int, data: bytes) -> None:
        """Queue bytes on a channel."""
        stream = self._streams[channel]
        stream.queue.append(data)
        stream.queued += len(data)

    def end(self, channel: int, kind: int = END) -> None:
        """Say `END` or `CLOSE` on a channel once its bytes are out; what nobody takes keeps no `CLOSE` back."""
        if channel in self._streams:
            self._streams[channel].ending = kind

    def queued(self, channel: int) -> int:
        """Return how many bytes wait on a channel."""
        stream = self._streams.get(channel)
        return stream.queued if stream else 0

    def taken(self, channel: int, count: int) -> None:
        """Let the other side send as many bytes again as were taken here."""
        stream = self._streams.get(channel)
        if stream:
            stream.owed += count
            if stream.owed >= _GRANT_BYTES:
                self.tell(CREDIT, channel, struct.pack(">I", stream.owed))
                stream.owed = 0

    def record(self) -> bytes:
        """Return the next record to send, or `b""`."""
        if self._control:
            return self._control.popleft()
        for channel, stream in list(self._streams.items()):
            record = _next_of(channel, stream)
            if record:
                self._streams.move_to_end(channel)
                if record[0] == CLOSE:
                    self.forget(channel)
                return record
        return b""

    def read(self, data: bytes) -> list:
        """Return the records that are whole now, as `(kind, channel, payload)`; credit is taken note of.

        Raises:
            ValueError: This is no stream of records.
        """
        self._rest += data
        found, at = [], 0
        while len(self._rest) - at >= _RECORD.size:
            kind, channel, length = _RECORD.unpack_from(self._rest, at)
            if not OPEN <= kind <= STAY or length > _LONGEST_RECORD_BYTES:
                raise ValueError("no record")
            end = at + _RECORD.size + length
            if end > len(self._rest):
                break
            payload = self._rest[at + _RECORD.size : end]
            at = end
            if kind != CREDIT:
                found.append((kind, channel, payload))
            elif channel in self._streams:
                self._streams[channel].credit += struct.unpack(">I", payload)[0]
        self._rest = self._rest[at:]
        return found


def _next_of(channel: int, stream: Stream) -> bytes:
    if stream.queue and stream.credit:
        data = stream.queue.popleft()
        size = min(_CHUNK_BYTES, stream.credit)
        if len(data) > size:
            stream.queue.appendleft(data[size:])
            data = data[:size]
        stream.queued -= len(data)
        stream.credit -= len(data)
        return _RECORD.pack(BYTES, channel, len(data)) + data
    if stream.ending and (not stream.queue or stream.ending == CLOSE):
        kind, stream.ending = stream.ending, None
        return _RECORD.pack(kind, channel, 0)
    return b""
