"""Agree on a higher speed of the line, and keep it only if frames pass both ways."""

import os
import struct
import time
from contextlib import suppress

from edgeprof.transport.seriallink import Link, Record, drive, flow, frames, streams
from edgeprof.transport.serialport import Line

SPEEDS = (4_000_000, 3_000_000, 2_000_000, 1_500_000, 1_000_000, 921_600, 460_800, 230_400)
_ANSWER_S = 4.0
_TEST_FRAMES = 4
_TEST_BYTES = 512
_TEST_S = 1.2
_BACK_S = 8.0


def raised(line: Line, link: Link, base: int, fastest: int) -> int:
    """Try speeds from `fastest` down; return the one that both ends then use, at worst `base`.

    Raises:
        OSError: The line is gone.
    """
    wanted = sorted({fastest, *(speed for speed in SPEEDS if base < speed < fastest)}, reverse=True)
    for baud in wanted:
        if baud > base and _tried(line, link, base, baud):
            return baud
    return base


def _tried(line: Line, link: Link, base: int, baud: int) -> bool:
    link.streams.tell(streams.SPEED, 0, struct.pack(">I", baud))
    answer = list[int]()

    def answered(records: list[Record]) -> bool:
        answer[:] = [kind for kind, _, _ in records if kind in (streams.AGREED, streams.REFUSED)]
        return bool(answer)

    if not drive(line, link, answered, _ANSWER_S) or answer[0] == streams.REFUSED:
        return False
    for _ in range(3):  # the far end changes once it knows that we know
        link.confirm()
        line.write(link.send(time.monotonic()))
    try:
        line.set_baud(baud)
        if _passes(line, link) and _settled(line, link):
            link.limit(flow.Limits(baud))
            return True
    except OSError:  # this end cannot; the far end returns by itself
        pass
    with suppress(OSError):
        line.set_baud(base)
    heard_at = time.monotonic()
    drive(line, link, lambda _: link.heard_at > heard_at and link.idle, _BACK_S)
    return False


def _passes(line: Line, link: Link) -> bool:
    """Say whether frames with every kind of byte go there and come back, all of them."""
    link.echoes = 0
    for _ in range(_TEST_FRAMES):
        link.say(frames.TEST, os.urandom(_TEST_BYTES - 16) + b"\0\xff\x55\xaa\x11\x13\x03\x04" * 2)
    return drive(line, link, lambda _: link.echoes >= _TEST_FRAMES, _TEST_S)


def _settled(line: Line, link: Link) -> bool:
    link.streams.tell(streams.STAY)
    return drive(line, link, lambda _: link.idle, _TEST_S)
