"""How firmwares take their inputs, the bytes that `db` loads and what their tensor holds then, and what they answer.

Source: github.com/mlcommons/tiny, benchmark/reference_submissions/*/submitter_implemented.cpp, `th_load_tensor`: images
come as unsigned bytes and lose 128, spectrograms of speech as they are, those of machines as floats. `th_results`:
all outputs; for machines, the mean squared error between the floats and the output.
"""

import numpy as np

from edgeprof.analysis.numbers import from_tensor, to_tensor
from edgeprof.records import TensorSpec

RAW, UINT8, FLOAT32 = "raw", "uint8", "float32"
FORMS = (RAW, UINT8, FLOAT32)
_BY_MODEL = {"ic": UINT8, "vww": UINT8, "ad": FLOAT32}


def form_of(model: str | None) -> str:
    """Return the form that the reference firmware of a benchmark (`ic01`, `kws01`) takes; that of others is raw."""
    return _BY_MODEL.get(_benchmark(model), RAW)


def as_sent(spec: TensorSpec, form: str, tensor: bytes) -> bytes:
    """Return one sample in a tensor's own bytes as a firmware takes it."""
    if form == FLOAT32:
        return from_tensor(spec, _array(spec, tensor)).astype("<f4").tobytes()
    if form == UINT8 and spec.dtype == "int8":
        return (np.frombuffer(tensor, np.uint8) ^ 0x80).tobytes()
    return tensor


def as_tensor(spec: TensorSpec, form: str, sent: bytes) -> bytes:
    """Return what was loaded as the tensor's own bytes."""
    if form == FLOAT32:
        return to_tensor(spec, np.frombuffer(sent, "<f4").reshape(1, -1)).tobytes()
    if form == UINT8 and spec.dtype == "int8":
        return (np.frombuffer(sent, np.uint8) ^ 0x80).tobytes()
    return sent


def sent_bytes(spec: TensorSpec, form: str) -> int:
    """Return how many bytes a sample takes on the way."""
    elements = int(np.prod(spec.shape, dtype=np.int64))
    return elements * (4 if form == FLOAT32 else np.dtype(spec.dtype).itemsize)


def as_answered(
    model: str | None, form: str, sent: bytes, outputs: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"
) -> tuple[float, ...]:
    """Return the numbers that the reference firmware of a benchmark answers: its outputs, or `ad01`'s one error."""
    if _benchmark(model) == "ad" and form == FLOAT32 and len(sent) == 4 * outputs.size:
        return (float(np.mean((outputs.reshape(-1) - np.frombuffer(sent, "<f4")) ** 2)),)
    return tuple(float(value) for value in outputs.reshape(-1))


def _benchmark(model: str | None) -> str:
    return (model or "").rstrip("0123456789")


def _array(spec: TensorSpec, tensor: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    return np.frombuffer(tensor, np.dtype(spec.dtype).newbyteorder("<")).reshape(1, -1)
