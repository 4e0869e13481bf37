"""Golden vectors: does a board compute what the host computed?"""

import zipfile
from pathlib import Path

import numpy as np

from edgeprof.accuracy.tensors import join_samples, only_input, split_outputs
from edgeprof.analysis.numbers import Array, from_tensor, sqnr_db
from edgeprof.errors import ModelError
from edgeprof.records import Artifact, GoldenCheck, TensorSpec
from edgeprof.scores import BOUNDLESS

# Two runtimes' int8 kernels differed by 1 to 2 steps after post-training quantisation, by 6 after QAT.
_INTEGER_STEPS = 8
# A wrong kernel or a lost scale leaves less than 10 dB; quantised arithmetic in another order keeps 30 and more.
_QUANTISED_DB = 20.0
# Float kernels differ by rounding only, in 16 bits by some 60 dB.
_FLOAT_DB = 40.0
_FLOAT_RECIPES = ("fp32", "fp16")


def encode_golden(artifact: Artifact) -> tuple[bytes, int]:
    """Return the golden inputs as a board reads them, and how many samples they are.

    Raises:
        ModelError: The artifact has no golden vectors, or they cannot be read.
    """
    if artifact.golden is None:
        raise ModelError(f"{artifact.path.name} has no golden vectors", "pip install 'edgeprof[compress]'")
    inputs = _load(artifact.golden, "in", len(artifact.inputs))
    return join_samples(inputs), len(inputs[0])


def check_golden(artifact: Artifact, golden_path: Path, raw: bytes) -> GoldenCheck:
    """Compare what a board wrote for the golden inputs with what the host wrote.

    Integer outputs pass within 8 steps or with 20 dB of signal to error; float outputs with 20 dB, those of float
    recipes with 40 dB. The worst output counts.

    Raises:
        ModelError: The vectors cannot be read, or `raw` has another length than theirs.
    """
    expected = _load(golden_path, "out", len(artifact.outputs))
    got = split_outputs(artifact, raw, len(expected[0]))
    checks = [
        _compare(artifact.recipe, spec, want.reshape(len(want), -1), have)
        for spec, want, have in zip(artifact.outputs, expected, got, strict=True)
    ]
    found = [check.sqnr_db for check in checks if check.sqnr_db is not None]
    return GoldenCheck(
        all(check.passed for check in checks), max(check.max_error for check in checks), min(found, default=None)
    )


def golden_is_nan(artifact: Artifact) -> bool:
    """Return whether the host's own outputs for the golden inputs hold NaN: then a board that agrees proves nothing.

    Raises:
        ModelError: The artifact has golden vectors that cannot be read.
    """
    if artifact.golden is None:
        return False
    return any(bool(np.isnan(part).any()) for part in _load(artifact.golden, "out", len(artifact.outputs)))


def golden_samples(artifact: Artifact) -> list[bytes]:
    """Return each golden sample as the bytes of the artifact's only input.

    Raises:
        ModelError: The vectors cannot be read, or the artifact has several inputs.
    """
    only_input(artifact)
    data, count = encode_golden(artifact)
    size = len(data) // count
    return [data[start : start + size] for start in range(0, len(data), size)]


def check_golden_values(artifact: Artifact, values: Array, rounding: float) -> GoldenCheck:
    """Compare a first output that a device printed, `(n, elements)`, with the host's.

    Args:
        artifact: What ought to run there.
        values: Real numbers, as printed.
        rounding: What printing may have changed them by.

    Raises:
        ModelError: The vectors cannot be read.
    """
    if artifact.golden is None:
        raise ModelError(f"{artifact.path.name} has no golden vectors", "pip install 'edgeprof[compress]'")
    spec = artifact.outputs[0]
    want = from_tensor(spec, _load(artifact.golden, "out", 1)[0].reshape(len(values), -1))
    far = float(np.max(np.maximum(np.abs(want - values) - rounding, 0.0), initial=0.0))
    step = spec.scale or 1.0
    quality = sqnr_db(want, values.astype(np.float32))
    near = far <= (_INTEGER_STEPS * step if spec.scale else 0.0)
    return GoldenCheck(near or quality is None or quality >= _QUANTISED_DB, far / step, quality)


def _compare(recipe: str, spec: TensorSpec, want: Array, have: Array) -> GoldenCheck:
    quality = sqnr_db(from_tensor(spec, want), from_tensor(spec, have))
    with np.errstate(invalid="ignore"):
        difference = np.abs(want.astype(np.float64) - have.astype(np.float64))
    error = float(np.nan_to_num(difference, nan=BOUNDLESS, posinf=BOUNDLESS).max(initial=0))
    if quality is None:
        return GoldenCheck(passed=True, max_error=0.0, sqnr_db=None)
    if want.dtype.kind in "iu":
        return GoldenCheck(error <= _INTEGER_STEPS or quality >= _QUANTISED_DB, error, quality)
    return GoldenCheck(quality >= (_FLOAT_DB if recipe in _FLOAT_RECIPES else _QUANTISED_DB), error, quality)


def _load(path: Path, side: str, count: int) -> list[Array]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as vectors:
            return [vectors[f"{side}{i}"] for i in range(count)]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise ModelError(f"the golden vectors `{path}` cannot be read", "delete them and compress again") from exc
