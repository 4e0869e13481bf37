"""A way that carries little: what takes long is packed harder, announced, and agreed on first."""

import gzip
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgeprof import units
from edgeprof.errors import DeviceError
from edgeprof.transport import Transport
from edgeprof.transport.files import answered

Agree = Callable[[str], bool]

LONG_S = 240.0
_CARRIED_SHARE = 0.95  # of the line, by benchmarks/serial.py
_ASK_S = 120.0


def repacked(transport: Transport, archive: Path, python: str | None) -> Path:
    """Return a runtime's archive as `.tar.xz`, a third smaller, where the way is slow and the board can read that."""
    if transport.bytes_per_s is None:
        return archive
    if (
        python
        and answered(transport, (python, "-I", "-S", "-c", "import lzma"), _ASK_S, "a start of Python").returncode != 0
    ):
        return archive
    smaller = archive.with_name(archive.name.removesuffix(".gz") + ".xz")
    if not smaller.is_file():
        with gzip.open(archive) as packed, tempfile.NamedTemporaryFile(dir=archive.parent, delete=False) as partial:
            partial.write(lzma.compress(packed.read(), preset=9))
        Path(partial.name).replace(smaller)
    return smaller


def announced(transport: Transport, what: str, size_bytes: int, agree: Agree) -> str:
    """Return how a push is announced, once it is agreed on where it takes more than `LONG_S`.

    Raises:
        DeviceError: Nobody agreed.
    """
    text = f"{what} ({units.megabytes(size_bytes)})"
    if transport.bytes_per_s is None:
        return text
    seconds = size_bytes / (transport.bytes_per_s * _CARRIED_SHARE)
    text = f"{text}, about {units.clock(seconds)} over this line"
    if seconds > LONG_S and not agree(text):
        hint = "`edgeprof device setup NAME --yes` does it once; a faster line may do: `?fastest=` in the device's URL"
        raise DeviceError(f"pushing {text}, was not agreed to", hint)
    return text


def never(_text: str) -> bool:
    """Agree to nothing that takes long."""
    return False
