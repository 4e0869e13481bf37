"""Samples to the bytes a board reads, and the bytes it writes to numbers. Wire format: docs/agent-protocol.md."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array, from_tensor, to_tensor
from edgeprof.errors import ModelError
from edgeprof.records import Artifact, TensorSpec


def encode_inputs(artifact: Artifact, x: Array) -> bytes:
    """Return samples `x`, `(n, …)`, as the artifact's only input: C order, little endian, the tensor's dtype.

    Integer inputs are quantised with the artifact's scale and zero point (half to even, clipped); samples that have
    the tensor's dtype already are passed unchanged.

    Raises:
        ModelError: The artifact has several inputs, or a sample another size than its input.
    """
    spec = only_input(artifact)
    if x.ndim == 0 or x[:1].size != _elements(spec):
        raise ModelError(
            f"samples of shape {x.shape[1:]} do not fit input `{spec.name}` of {artifact.path.name}",
            f"expected {spec.shape[1:]} for each sample",
        )
    return to_tensor(spec, x).tobytes()


def decode_outputs(artifact: Artifact, raw: bytes, n: int) -> tuple[NDArray[np.float32], ...]:
    """Return each output of `n` samples as real numbers, `(n, elements)`.

    Raises:
        ModelError: `raw` has another length than `n` samples of all outputs.
    """
    parts = split_outputs(artifact, raw, n)
    return tuple(from_tensor(spec, part).reshape(n, -1) for spec, part in zip(artifact.outputs, parts, strict=True))


def split_outputs(artifact: Artifact, raw: bytes, n: int) -> list[Array]:
    """Return each output of `n` samples, `(n, elements)`, in the tensor's dtype.

    Raises:
        ModelError: `raw` has another length than `n` samples of all outputs.
    """
    sizes = [_elements(spec) * np.dtype(spec.dtype).itemsize for spec in artifact.outputs]
    if len(raw) != n * sum(sizes):
        raise ModelError(
            f"the board wrote {len(raw)} bytes of outputs for {artifact.path.name}, expected {n * sum(sizes)}",
            "the file on the board is another model, or its runtime sees other output shapes",
        )
    columns = np.split(np.frombuffer(raw, np.uint8).reshape(n, sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    return [_view(spec, column) for spec, column in zip(artifact.outputs, columns, strict=True)]


def join_samples(arrays: Sequence[Array]) -> bytes:
    """Return arrays `(n, …)` as bytes: for each sample, each array's bytes in order."""
    rows = [np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8) for array in arrays]
    return np.concatenate(rows, axis=1).tobytes()


def only_input(artifact: Artifact) -> TensorSpec:
    """Return the artifact's input.

    Raises:
        ModelError: It has several, or none.
    """
    if len(artifact.inputs) != 1:
        names = ", ".join(f"`{spec.name}`" for spec in artifact.inputs)
        raise ModelError(
            f"{artifact.path.name} has {len(artifact.inputs)} inputs: {names}",
            "accuracy is measured on models of one input; leave `--eval` out",
        )
    return artifact.inputs[0]


def _view(spec: TensorSpec, column: NDArray[np.uint8]) -> Array:
    return np.ascontiguousarray(column).view(np.dtype(spec.dtype).newbyteorder("<"))


def _elements(spec: TensorSpec) -> int:
    return int(np.prod(spec.shape, dtype=np.int64))
