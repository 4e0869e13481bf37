"""The protocol of a serial link, which both ends speak; docs/serial.md is its contract.

One file of the standard library, Python 3.7 to 3.13: a board gets it through its console, and the host imports the
same one. Nothing here does input or output or reads a clock: bytes and the time are given.
"""

from __future__ import annotations

import collections
import struct
import zlib

DATA, ACK, PING, TEST, ECHO, QUIT, GONE = range(1, 8)  # kinds of frame
OPEN, BYTES, END, CREDIT, CLOSE, EXIT, BROKEN, SPEED, AGREED, REFUSED, STAY = range(1, 12)  # kinds of record

_HEAD = struct.Struct(">BIIQ")  # kind, session, order, offset
_RANGE = struct.Struct(">II")
_RECORD = struct.Struct(">BHI")  # kind, channel, length
_CRC_BYTES = 4
_LONGEST_FRAME_BYTES = 8192
_FARTHEST_BYTES = 1 << 20
_MOST_RANGES = 16
_SMALLEST_BYTES = 64
_CHUNK_BYTES = 4096  # of one channel before another has its turn
_BURST_BYTES = 1024  # handed over at once, so that an acknowledgement never waits long behind data
CREDIT_BYTES = 64 << 10  # sent on a channel before the other side has taken any of it
_GRANT_BYTES = 8 << 10
_LONGEST_RECORD_BYTES = 1 << 20
_FIRST_RTO_S, _SHORTEST_RTO_S, _LONGEST_RTO_S = 1.0, 0.25, 3.0
_UNFINISHED_S = 0.2
FALLBACK_S = 6.0  # so long without a sound frame at another speed than the console's, and both ends return to that


def stuffed(data: bytes) -> bytes:
    """Return `data` without any zero byte.

    Source: S. Cheshire and M. Baker (1999), "Consistent Overhead Byte Stuffing", IEEE/ACM Trans. Networking 7(2).
    """
    out = bytearray()
    for run in data.split(b"\0"):
        while len(run) >= 254:
            out.append(255)
            out += run[:254]
            run = run[254:]  # noqa: PLW2901 - what is left of it
        out.append(len(run) + 1)
        out += run
    return bytes(out)


def unstuffed(data: bytes) -> bytes | None:
    """Return what was stuffed, or `None` where that cannot be."""
    out, at, length = bytearray(), 0, len(data)
    while at < length:
        code = data[at]
        end = at + code
        if code == 0 or end > length:
            return None
        out += data[at + 1 : end]
        at = end
        if code < 255 and at < length:
            out.append(0)
    return bytes(out)


def frame(kind: int, session: int, order: int = 0, offset: int = 0, payload: bytes = b"") -> bytes:
    """Return a frame as it goes over the line: between zeros, since anything may have come before."""
    body = _HEAD.pack(kind, session, order, offset) + payload
    return b"\0" + stuffed(body + zlib.crc32(body).to_bytes(_CRC_BYTES, "big")) + b"\0"


def opened(piece: bytes) -> tuple | None:
    """Return `(kind, session, order, offset, payload)` of what stood between two zeros, or `None` for anything else."""
    body = unstuffed(piece)
    if body is None or len(body) < _HEAD.size + _CRC_BYTES:
        return None
    if zlib.crc32(body[:-_CRC_BYTES]).to_bytes(_CRC_BYTES, "big") != body[-_CRC_BYTES:]:
        return None
    return (*_HEAD.unpack_from(body), body[_HEAD.size : -_CRC_BYTES])


class Limits:
    """Sizes that suit a line.

    Attributes:
        payload_bytes: The most in one frame: what passes in about 0.13 s.
        window_bytes: The most that is under way: what passes in about 1.4 s.
    """

    def __init__(self, baud: int | None = None) -> None:
        bytes_per_s = baud / 10 if baud else 20000
        self.payload_bytes = int(min(max(bytes_per_s * 0.13, _SMALLEST_BYTES), 1536))
        self.window_bytes = int(min(max(bytes_per_s * 1.4, 2048), 64 << 10))


class Piece:
    """Bytes of the stream that go in one frame; sent at `sent_at` as number `order`."""

    __slots__ = ("data", "end", "order", "sent_at", "start")

    def __init__(self, start: int, data: bytes) -> None:
        self.start, self.data, self.end = start, data, start + len(data)
        self.order, self.sent_at = 0, 0.0


class Sender:
    """One direction's sending side: what is under way, what is lost, when to try again.

    A line does not reorder. So a piece is lost as soon as one that was sent after it has arrived; without that, after
    a time that follows what round trips take (Source: RFC 6298). Pieces shrink where many are lost.
    """

    def __init__(self, source: object, limits: Limits) -> None:
        self._source = source
        self.limits = limits
        self._flying = {}  # by start, in the order of sending
        self._again = []
        self._next = self._order = self._base = 0
        self._progress_at = 0.0
        self._size = limits.payload_bytes
        self._smoothed_s, self._spread_s, self._rto_s, self._backoff = None, 0.0, _FIRST_RTO_S, 1

    @property
    def idle(self) -> bool:
        """Return whether everything that was sent has arrived."""
        return not self._flying and not self._again

    def acknowledged(self, order: int, offset: int, ranges: list, now: float) -> None:
        """Take note that all before `offset`, and `ranges` beyond, have arrived, last of all the frame `order`."""
        self._again = [piece for piece in self._again if not _covered(piece, offset, ranges)]
        arrived = [piece for piece in self._flying.values() if _covered(piece, offset, ranges)]
        for piece in arrived:
            del self._flying[piece.start]
            if piece.order == order:
                self._timed(now - piece.sent_at)
        self._base = max(self._base, offset)
        if arrived:
            self._backoff, self._progress_at = 1, now
        self._size = min(self._size + 16 * len(arrived), self.limits.payload_bytes)
        lost = [piece for piece in self._flying.values() if piece.order < order]
        if lost:
            self._size = max(self._size // 2, _SMALLEST_BYTES)
            self._lose(lost)

    def due(self, now: float) -> Piece | None:
        """Return the next piece to send now, or `None`."""
        if now >= self.wake_at():
            self._backoff, self._progress_at = min(2 * self._backoff, 8), now
            self._size = max(self._size // 2, _SMALLEST_BYTES)
            self._lose([next(iter(self._flying.values()))])
        piece = self._lost() or self._fresh()
        if piece is not None:
            self._progress_at = self._progress_at if self._flying else now
            self._order += 1
            piece.order, piece.sent_at = self._order, now
            self._flying[piece.start] = piece
        return piece

    def wake_at(self) -> float:
        """Return when the oldest piece under way counts as lost, if nothing arrives until then."""
        if not self._flying:
            return float("inf")
        return self._progress_at + min(self._rto_s * self._backoff, _LONGEST_RTO_S)

    def _lose(self, pieces: list) -> None:
        for piece in pieces:
            del self._flying[piece.start]
        self._again = sorted(self._again + pieces, key=lambda piece: piece.start)

    def _lost(self) -> Piece | None:
        if not self._again:
            return None
        piece = self._again.pop(0)
        if len(piece.data) > 2 * self._size:
            self._again.insert(0, Piece(piece.start + self._size, piece.data[self._size :]))
            piece = Piece(piece.start, piece.data[: self._size])
        return piece

    def _fresh(self) -> Piece | None:
        if self._flying and self._next + self._size > self._base + self.limits.window_bytes:
            return None
        data = self._source(self._size)
        if not data:
            return None
        piece = Piece(self._next, data)
        self._next = piece.end
        return piece

    def _timed(self, round_trip_s: float) -> None:
        if self._smoothed_s is None:
            self._smoothed_s, self._spread_s = round_trip_s, round_trip_s / 2
        self._spread_s += (abs(self._smoothed_s - round_trip_s) - self._spread_s) / 4
        self._smoothed_s += (round_trip_s - self._smoothed_s) / 8
        self._rto_s = min(max(self._smoothed_s + 4 * self._spread_s, _SHORTEST_RTO_S), _LONGEST_RTO_S)


def _covered(piece: Piece, offset: int, ranges: list) -> bool:
    return piece.end <= offset or any(start <= piece.start and piece.end <= end for start, end in ranges)


class Receiver:
    """One direction's receiving side: puts pieces in order, whatever comes early or twice."""

    def __init__(self) -> None:
        self.next = self.latest = 0
        self._early = {}

    def take(self, order: int, start: int, data: bytes) -> bytes:
        """Return what can be read on now."""
        self.latest = max(self.latest, order)
        if start + len(data) <= self.next or start > self.next + _FARTHEST_BYTES:
            return b""
        if len(data) > len(self._early.get(start, b"")):
            self._early[start] = data
        out = []
        for begin in sorted(self._early):
            if begin > self.next:
                break
            piece = self._early.pop(begin)[self.next - begin :]
            self.next += len(piece)
            out.append(piece)
        return b"".join(out)

    def acknowledgement(self) -> bytes:
        """Return the payload of an `ACK`: what has come beyond `next`."""
        ranges = []
        for start in sorted(self._early):
            end = start + len(self._early[start])
            if ranges and start <= ranges[-1][1]:
                ranges[-1][1] = max(ranges[-1][1], end)
            else:
                ranges.append([start, end])
        return b"".join(_RANGE.pack(start - self.next, end - start) for start, end in ranges[:_MOST_RANGES])


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


class Link:
    """Both ends of a link, without the line: frames in, frames out.

    Attributes:
        streams: The channels.
        heard_at: When the last sound frame came.
        quitting: The other side wants to end.
        gone: Why the other side is gone, or `None`.
        echoes: Test frames that came back whole.
    """

    def __init__(self, session: int, now: float, limits: Limits, ping_s: float = float("inf")) -> None:
        self.session, self.streams = session, Streams()
        self.heard_at, self.quitting, self.gone, self.echoes = now, False, None, 0
        self._sender, self._receiver = Sender(self._packed_bytes, limits), Receiver()
        self._ping_s, self._pinged_at = ping_s, now
        self._rest, self._rest_at = b"", 0.0
        self._packed = bytearray()
        self._deflate, self._inflate = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        self._urgent, self._owes = [], True

    @property
    def idle(self) -> bool:
        """Return whether all records but channels' bytes, and all that was sent, have arrived."""
        return self._sender.idle and not self._packed and not self.streams.telling

    def limit(self, limits: Limits) -> None:
        """Suit another speed."""
        self._sender.limits = limits

    def receive(self, data: bytes, now: float) -> list:
        """Take what came from the line; return the records that are whole now, as `(kind, channel, payload)`."""
        pieces = (self._rest + data).split(b"\0")
        self._rest, self._rest_at = pieces.pop(), now
        if len(self._rest) > _LONGEST_FRAME_BYTES:
            self._rest = b""
        records = []
        for piece in pieces:
            found = opened(piece) if piece else None
            if found and found[1] == self.session:
                self.heard_at = now
                records += self._frame(found[0], found[2], found[3], found[4], now)
        return records

    def send(self, now: float) -> bytes:
        """Return what is to be written to the line now; ask again until there is nothing more."""
        if self._rest and now >= self._rest_at + _UNFINISHED_S:
            self._rest = b""  # a frame's end was lost, or it was none: say what has come so far
            self._owes = True
        if now >= self._ping_at():
            self._pinged_at = now
            self.say(PING)
        out, self._urgent = b"".join(self._urgent), []
        if self._owes:
            self._owes, have = False, self._receiver
            out += frame(ACK, self.session, have.latest, have.next, have.acknowledgement())
        while len(out) < _BURST_BYTES:
            piece = self._sender.due(now)
            if piece is None:
                break
            out += frame(DATA, self.session, piece.order, piece.start, piece.data)
        return out

    def wake_at(self) -> float:
        """Return when `send` has something to do though nothing came or was queued."""
        unfinished_at = self._rest_at + _UNFINISHED_S if self._rest else float("inf")
        return min(self._sender.wake_at(), self._ping_at(), unfinished_at)

    def say(self, kind: int, payload: bytes = b"") -> None:
        """Send a frame once, come it or not: `PING`, `TEST`, `ECHO`, `QUIT`."""
        self._urgent.append(frame(kind, self.session, payload=payload))

    def confirm(self) -> None:
        """Say again what has arrived."""
        self._owes = True

    def _ping_at(self) -> float:
        return max(self._pinged_at, self.heard_at) + self._ping_s

    def _frame(self, kind: int, order: int, offset: int, payload: bytes, now: float) -> list:
        self._owes = self._owes or kind in (DATA, PING)
        if kind == DATA:
            fresh = self._receiver.take(order, offset, payload)
            return self._records(fresh) if fresh else []
        if kind == ACK:
            ranges = [(offset + start, offset + start + length) for start, length in _RANGE.iter_unpack(payload)]
            self._sender.acknowledged(order, offset, ranges, now)
        elif kind == TEST:
            self.say(ECHO, payload)
        elif kind == ECHO:
            self.echoes += 1
        elif kind == QUIT:
            self.quitting = True
        elif kind == GONE:
            self.gone = payload.decode(errors="replace")
        return []

    def _records(self, packed: bytes) -> list:
        try:
            return self.streams.read(self._inflate.decompress(packed))
        except (ValueError, zlib.error):
            self.gone = "what came makes no sense"
            return []

    def _packed_bytes(self, size: int) -> bytes:
        while len(self._packed) < size:
            record = self.streams.record()
            if not record:
                break
            self._packed += self._deflate.compress(record) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        data = bytes(self._packed[:size])
        del self._packed[:size]
        return data
