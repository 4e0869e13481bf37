"""Frames on a line: bytes with a kind, a session and a place, between zeros; docs/serial.md is the contract."""

from __future__ import annotations

import struct
import zlib

DATA, ACK, PING, TEST, ECHO, QUIT, GONE = range(1, 8)  # kinds of frame
LONGEST_BYTES = 8192

_HEAD = struct.Struct(">BIIQ")  # kind, session, order, offset
_CRC_BYTES = 4


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
