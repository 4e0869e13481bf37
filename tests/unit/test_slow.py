"""Pushes over a line that carries little: said, and agreed on where they take long."""

from types import SimpleNamespace

import pytest

from edgeprof.errors import DeviceError
from edgeprof.remote.slow import announced, never

CONSOLE = SimpleNamespace(bytes_per_s=11_520)
NETWORK = SimpleNamespace(bytes_per_s=None)
NUMPY_TOO_BYTES = 6_000_000


def test_a_push_that_takes_long_is_asked_about_with_its_time():
    asked = []

    text = announced(CONSOLE, "tflite-runtime 2.14.0", NUMPY_TOO_BYTES, lambda text: not asked.append(text))

    assert asked == [text]
    assert text == "tflite-runtime 2.14.0 (6.0 MB), about 9:08 over this line"


def test_a_push_that_takes_long_is_not_begun_unless_somebody_agrees():
    with pytest.raises(DeviceError, match="about 9:08 over this line, was not agreed to") as refused:
        announced(CONSOLE, "tflite-runtime 2.14.0", NUMPY_TOO_BYTES, never)

    assert "--yes" in refused.value.hint


@pytest.mark.parametrize(("way", "size_bytes"), [(CONSOLE, 2_000_000), (NETWORK, NUMPY_TOO_BYTES)])
def test_a_push_that_takes_minutes_or_whose_time_nobody_knows_is_not_asked_about(way, size_bytes):
    assert announced(way, "litert 2.3.0", size_bytes, never).startswith("litert 2.3.0 (")
