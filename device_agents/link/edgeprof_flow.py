"""One direction of a link: what is under way, what is lost, and in which order it is read."""

from __future__ import annotations

import struct

RANGE = struct.Struct(">II")
_FARTHEST_BYTES = 1 << 20
_MOST_RANGES = 16
_SMALLEST_BYTES = 64
_FIRST_RTO_S, _SHORTEST_RTO_S, _LONGEST_RTO_S = 1.0, 0.25, 3.0


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
        return b"".join(RANGE.pack(start - self.next, end - start) for start, end in ranges[:_MOST_RANGES])
