"""A model's parameters one by one: how many are zero, of which type they are, and what the file takes when packed."""

import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.costs import read_costs
from edgeprof.analysis.flatbuffer import count_in, parse, tensor_spec
from edgeprof.analysis.numbers import Array

# numpy's type of what stands in the buffer; two int4 share a byte.
_STORED = {
    "float32": np.float32, "float16": np.float16, "int4": np.uint8, "int8": np.int8, "uint8": np.uint8,
    "int16": np.int16, "int32": np.int32, "int64": np.int64,
}  # fmt: skip
# Constants of these types are parameters only where they have a scale: else they are shapes and indices.
_BIAS = ("int32", "int64")
_GZIP_LEVEL, _ZSTD_LEVEL = 9, 19


@dataclass(frozen=True, slots=True)
class Weights:
    """One constant tensor of parameters.

    Attributes:
        name: The tensor's.
        dtype: numpy's name; `int4` for two in a byte.
        dimensions: How many; biases have one.
        count: How many parameters.
        nonzero: How many do not stand for zero.
        distinct: How many different values.
    """

    name: str
    dtype: str
    dimensions: int
    count: int
    nonzero: int
    distinct: int


@dataclass(frozen=True, slots=True)
class StaticCost:
    """What an artifact costs before it runs.

    Attributes:
        parameters: Weights and biases.
        nonzero_parameters: Those that do not stand for zero.
        types: Pairs of a type and how many parameters have it.
        file_bytes: The file as it is.
        gzip_bytes: Packed by gzip at its best level.
        zstd_bytes: Packed by zstd at level 19; `None` where `zstandard` is not installed.
        macs: Multiply-accumulates of one inference; FLOPs are twice that.
        peak_live_bytes: Most activation memory that must be kept at once.
        uncounted: Names of operators that have no MACs here because shapes do not say.
    """

    parameters: int
    nonzero_parameters: int
    types: tuple[tuple[str, int], ...]
    file_bytes: int
    gzip_bytes: int
    zstd_bytes: int | None
    macs: int
    peak_live_bytes: int
    uncounted: tuple[str, ...]


def read_weights(path: Path) -> tuple[Weights, ...]:
    """Return the constants of a `.tflite` that are parameters, those of all graphs, shared ones once.

    Raises:
        ModelError: It is missing, damaged or no `.tflite` file.
    """
    return parse(path, _read)


def static_cost(path: Path) -> StaticCost:
    """Return what the `.tflite` at `path` costs by its content.

    Raises:
        ModelError: It is missing, damaged or no `.tflite` file.
    """
    weights, costs = read_weights(path), read_costs(path)
    data = path.read_bytes()
    return StaticCost(
        parameters=sum(w.count for w in weights),
        nonzero_parameters=sum(w.nonzero for w in weights),
        types=_types(weights),
        file_bytes=len(data),
        gzip_bytes=_gzip(data),
        zstd_bytes=_zstd(data),
        macs=costs.macs,
        peak_live_bytes=costs.peak_live_bytes,
        uncounted=costs.uncounted,
    )


def content_cost(path: Path) -> tuple[int, int]:
    """Return how many parameters of a `.tflite` do not stand for zero, and what the file takes packed by gzip.

    Raises:
        ModelError: It is missing, damaged or no `.tflite` file.
    """
    return sum(w.nonzero for w in read_weights(path)), _gzip(path.read_bytes())


def _gzip(data: bytes) -> int:
    return len(gzip.compress(data, _GZIP_LEVEL, mtime=0))


def _types(weights: Sequence[Weights]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for w in weights:
        counts[w.dtype] = counts.get(w.dtype, 0) + w.count
    return tuple(sorted(counts.items(), key=lambda pair: -pair[1]))


def _zstd(data: bytes) -> int | None:
    if find_spec("zstandard") is None:
        return None
    import zstandard  # noqa: PLC0415 - it comes with an extra

    return len(zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data))


def _read(data: bytes) -> tuple[Weights, ...]:
    import tflite  # noqa: PLC0415 - 60 ms that few commands need

    model = tflite.Model.GetRootAs(data, 0)
    found: dict[int, Weights] = {}
    for g in range(count_in(model.SubgraphsLength(), len(data))):
        graph = model.Subgraphs(g)
        for i in range(count_in(graph.TensorsLength(), len(data))):
            made = _weights(model, graph, i, data)
            if made is not None:
                found.setdefault(graph.Tensors(i).Buffer(), made)
    return tuple(found.values())


def _weights(model: Any, graph: Any, index: int, data: bytes) -> Weights | None:  # noqa: ANN401 - `tflite` has no types
    raw, spec = graph.Tensors(index), tensor_spec(graph, index)
    buffer = model.Buffers(raw.Buffer())
    scaled = raw.Quantization() is not None and raw.Quantization().ScaleLength() > 0
    if spec.dtype not in _STORED or (spec.dtype in _BIAS and not scaled):
        return None
    content = _content(buffer, data)
    if content is None:
        return None
    values = _unpacked(content, spec.dtype, math.prod(spec.shape))
    zero = raw.Quantization().ZeroPoint(0) if scaled and raw.Quantization().ZeroPointLength() else 0
    nonzero = int(np.count_nonzero(values != zero))
    return Weights(spec.name, spec.dtype, len(spec.shape), len(values), nonzero, len(np.unique(values)))


def _content(buffer: Any, data: bytes) -> bytes | None:  # noqa: ANN401
    if buffer.DataLength():
        return bytes(buffer.DataAsNumpy())
    if buffer.Size():  # data behind the flatbuffer
        return data[buffer.Offset() : buffer.Offset() + buffer.Size()]
    return None


def _unpacked(content: bytes, dtype: str, count: int) -> Array:
    stored = np.frombuffer(content, _STORED[dtype])
    if dtype != "int4":
        return stored[:count]
    nibbles = np.stack([stored & 15, stored >> 4], axis=1).reshape(-1)[:count].astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles)
