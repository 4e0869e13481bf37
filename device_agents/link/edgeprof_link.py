"""Both ends of a serial link, without the line; docs/serial.md is the contract.

This file and those it imports are of the standard library, Python 3.7 to 3.13: a board gets them through its console,
and the host imports the same ones. None does input or output or reads a clock: bytes and the time are given.
"""

from __future__ import annotations

import zlib

from edgeprof_flow import RANGE, Limits, Receiver, Sender
from edgeprof_frames import ACK, DATA, ECHO, GONE, LONGEST_BYTES, PING, QUIT, TEST, frame, opened
from edgeprof_streams import Streams

FALLBACK_S = 6.0  # so long without a sound frame at another speed than the console's, and both ends return to that
_BURST_BYTES = 1024  # handed over at once, so that an acknowledgement never waits long behind data
_UNFINISHED_S = 0.2


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
        if len(self._rest) > LONGEST_BYTES:
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
            ranges = [(offset + start, offset + start + length) for start, length in RANGE.iter_unpack(payload)]
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
