"""What a runtime said on standard error, which in a child is a file: runtimes put their reasons there."""

from __future__ import annotations

import os
import re

_MOST_BYTES = 4096
_NOISE = re.compile(r"\b(INFO|VERBOSE|DEBUG|WARNING)\b:")


def words_since(mark: object) -> object:
    """Return the place where standard error ends now (`mark` is `None`), or the errors written since `mark`.

    Returns:
        An `int` to be given back, or the text: lines of mere information left out, joined by `; `, at most 4 KiB.
    """
    if mark is None:
        try:
            return os.fstat(2).st_size
        except OSError:
            return 0
    lines = [line.strip() for line in raw_since(mark).splitlines()]
    return "; ".join(line for line in lines if line and not _NOISE.search(line))[-_MOST_BYTES:]


def raw_since(mark: int) -> str:
    """Return all that was written to standard error since `mark`, or nothing where it is no file."""
    try:
        with open("/proc/self/fd/2", "rb") as file:
            file.seek(mark)
            return file.read(1 << 16).decode(errors="replace")
    except OSError:
        return ""
