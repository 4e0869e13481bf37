"""JSON objects, one a line, over file descriptors."""

from __future__ import annotations

import json
import os

MAX_LINE_BYTES = 1 << 20


class LineReader:
    """Cuts what arrives into lines; a line that is too long comes out as `None` once and is dropped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._dropping = False

    def feed(self, data: bytes) -> list:
        """Take bytes in; return the lines that they complete, as `bytes` without the newline, or `None` for over-long.

        Only the new bytes are searched: a line that arrives in small pieces costs no more than its length.
        """
        lines = []
        *ends, rest = data.split(b"\n")
        for part in ends:
            self._take(part, lines)
            if not self._dropping:
                lines.append(bytes(self._buffer))
            self._buffer.clear()
            self._dropping = False
        self._take(rest, lines)
        return lines

    def _take(self, part: bytes, lines: list) -> None:
        if self._dropping:
            return
        self._buffer += part
        if len(self._buffer) > MAX_LINE_BYTES:
            self._buffer.clear()
            self._dropping = True
            lines.append(None)


def send(fd: int, message: dict) -> None:
    """Write one object and its newline.

    Raises:
        OSError: The other end is gone (`BrokenPipeError`).
    """
    view = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    while view:
        view = view[os.write(fd, view) :]
