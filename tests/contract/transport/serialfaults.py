"""Two ends of a link joined in memory by a line that harms what passes. Seeded; the clock is simulated."""

import random
import sys
from dataclasses import dataclass, field

from edgeprof.transport.seriallink import flow, protocol, streams

BYTES_PER_S = 11520


@dataclass
class Faults:
    """What a line does to a byte, each with a chance; a burst replaces up to 40 bytes, and counts once."""

    drop: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0
    burst: float = 0.0
    seed: int = 1
    counted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("drop", "flip", "duplicate", "burst"), 0))

    def __post_init__(self):
        self._random = random.Random(self.seed)
        self._kinds = ("drop", "flip", "duplicate", "burst")
        self._weights = [getattr(self, kind) for kind in self._kinds]
        self._each = sum(self._weights)
        self._left = self._gap()

    @property
    def total(self) -> int:
        return sum(self.counted.values())

    def _gap(self) -> int:
        return int(self._random.expovariate(self._each)) if self._each else sys.maxsize

    def passed(self, data: bytes) -> bytes:
        if self._left >= len(data):
            self._left -= len(data)
            return data
        out, at = bytearray(), 0
        while at + self._left < len(data):
            hit = at + self._left
            out += data[at:hit]
            at = self._harm(data, hit, out)
            self._left = self._gap()
        out += data[at:]
        self._left -= len(data) - at
        return bytes(out)

    def _harm(self, data: bytes, hit: int, out: bytearray) -> int:
        kind = self._random.choices(self._kinds, self._weights)[0]
        self.counted[kind] += 1
        if kind == "flip":
            out.append(data[hit] ^ 1 << self._random.randrange(8))
        elif kind == "duplicate":
            out += data[hit : hit + 1] * 2
        elif kind == "burst":
            length = self._random.randint(2, 40)
            out += self._random.randbytes(min(length, len(data) - hit))
            return min(hit + length, len(data))
        return hit + 1


class Pair:
    """A host's and a board's end; `run` lets time pass until `done` says so."""

    def __init__(self, there=None, back=None, limits=None):
        limits = limits or flow.Limits(BYTES_PER_S * 10)
        self.now = 0.0
        self.host, self.board = protocol.Link(7, 0.0, limits, ping_s=2.0), protocol.Link(7, 0.0, limits)
        self.there, self.back = there or Faults(), back or Faults()
        self.carried = 0
        self.cut_at = None
        self.cut_for_s = 0.0
        self.got = {"host": {}, "board": {}}
        self.open_from = 0.0

    def run(self, done, limit_s: float) -> bool:
        end = self.now + limit_s
        while not done():
            if self.now > end:
                return False
            self._step()
        return True

    def _step(self):
        ours, theirs = self.host.send(self.now), self.board.send(self.now)
        if not ours and not theirs:
            self.now = max(self.now + 0.001, min(self.host.wake_at(), self.board.wake_at(), self.now + 1))
            return
        self.now += max(len(ours), len(theirs)) / BYTES_PER_S
        self._deliver(self.board, self.got["board"], self._through(ours, self.there))
        self._deliver(self.host, self.got["host"], self._through(theirs, self.back))

    def _through(self, data: bytes, faults: Faults) -> bytes:
        before, self.carried = self.carried, self.carried + len(data)
        if self.cut_at is not None and before <= self.cut_at < self.carried:
            self.open_from = self.now + self.cut_for_s
            data, self.cut_at = data[: self.cut_at - before], None
            return faults.passed(data)
        return faults.passed(data) if self.now >= self.open_from else b""

    def _deliver(self, end, got, data: bytes):
        for kind, channel, payload in end.receive(data, self.now) if data else ():
            if kind == streams.BYTES:
                got[channel] = got.get(channel, b"") + payload
                end.streams.taken(channel, len(payload))
            else:
                got.setdefault("records", []).append((kind, channel, payload))
