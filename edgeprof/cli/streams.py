"""Output where a terminal or a file knows only some characters (`LANG=C` of old, Latin-1): the nearest it has."""

import codecs
import os
import sys
from io import TextIOWrapper

_NAME = "edgeprof.nearest"
_NEAREST = {
    "µ": "u", "×": "x", "−": "-", "±": "+-", "…": "...", "→": "->", "↓": "", "↑": "", "≤": "<=", "≥": ">=",
    "─": "-", "━": "-", "│": "|", "°": "", "·": ".", "Δ": "d", "²": "2", "◀": "<",
}  # fmt: skip


def nearest(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding lacks, as an error handler of `codecs` does.

    Raises:
        UnicodeError: It is no error of encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_NEAREST.get(char, "?") for char in lacking), error.end


def reopen() -> None:
    """Let standard streams that the caller closed (`edgeprof … >&-`) lead nowhere.

    Else the next file that is opened, such as the store, would get a closed one's number, and what is printed would go
    into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process runs
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def tolerate() -> None:
    """Let no character end a command: standard output and error write the nearest that their encoding has."""
    codecs.register_error(_NAME, nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in {"utf-8", "utf8"}:
            stream.reconfigure(errors=_NAME)
