"""Output where the terminal knows only some characters."""

import subprocess
import sys

import pytest

from edgeprof.cli.streams import nearest

TEXT = "33 µs … 34 µs, 1.2 × slower (−3 % … +5 %), 日"


def written(encoding: str) -> bytes:
    program = f"from edgeprof.cli.streams import tolerate; tolerate(); print({TEXT!r})"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={"PYTHONIOENCODING": encoding}, capture_output=True, check=True).stdout


def test_ascii_gets_the_nearest_characters_and_latin_1_keeps_its_own():
    assert written("ascii") == b"33 us ... 34 us, 1.2 x slower (-3 % ... +5 %), ?\n"
    assert written("latin-1") == "33 µs ... 34 µs, 1.2 × slower (-3 % ... +5 %), ?\n".encode("latin-1")


def test_utf_8_is_left_alone():
    assert written("utf-8") == f"{TEXT}\n".encode()


def test_other_errors_stay_errors():
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")

    with pytest.raises(UnicodeDecodeError):
        nearest(error)
