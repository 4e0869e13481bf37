"""Arrays as short text, for documents: the dtype, a colon, and base64 of what zlib makes of the bytes."""

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Smallest first; signed, for −1 stands for "none of them".
_INTEGERS = ("int8", "int16", "int32", "int64")


def pack(values: NDArray[Any]) -> str:
    """Return a flat array as text: integers in the fewest bytes, anything else as float32, little endian."""
    if values.dtype.kind in "iub":
        whole = values.astype(np.int64)
        low, high = int(whole.min(initial=0)), int(whole.max(initial=0))
        dtype = next(name for name in _INTEGERS if np.iinfo(name).min <= low and high <= np.iinfo(name).max)
    else:
        dtype = "float32"
    raw = np.ascontiguousarray(values.ravel(), np.dtype(dtype).newbyteorder("<")).tobytes()
    return f"{dtype}:{base64.b64encode(zlib.compress(raw, 9)).decode()}"


def unpack(text: str) -> NDArray[Any]:
    """Return the flat array that `pack` was given: int64 or float64.

    Raises:
        ValueError: The text is none of its making.
    """
    dtype, _, packed = text.partition(":")
    if dtype not in (*_INTEGERS, "float32"):
        raise ValueError(f"no packed array: it begins with `{dtype[:20]}`")
    try:
        raw = zlib.decompress(base64.b64decode(packed, validate=True))
    except (zlib.error, ValueError) as exc:
        raise ValueError(f"no packed array: {exc}") from exc
    values = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<"))
    return values.astype(np.float64 if dtype == "float32" else np.int64)
