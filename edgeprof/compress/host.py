"""An artifact on this machine: what LiteRT makes of samples here, to hold a board's outputs against."""

from contextlib import suppress
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array, from_tensor, to_tensor
from edgeprof.compress.cache import move, partial, place
from edgeprof.compress.child import GOLDEN, run_child
from edgeprof.compress.jobs import Job
from edgeprof.errors import ModelError
from edgeprof.records import Artifact

# Enough to see whether two runtimes compute the same, and a second or two of most models.
MOST_SAMPLES = 100
OUTPUTS = "outputs"
_FILE = "outputs.npz"


def host_outputs(artifact: Artifact, x: Array, x_sha256: str) -> tuple[NDArray[np.float32], ...] | None:
    """Return each output, `(n, elements)`, of a model of one input on the first 100 samples at most of `x`.

    Args:
        artifact: The file; state is reset before each sample.
        x: `(n, …)`, fitting its input.
        x_sha256: Their hash: what was computed before is taken from the cache.

    Returns:
        `None` where this machine has no LiteRT, or it fails on the model.
    """
    if find_spec("ai_edge_litert") is None:
        return None
    target = place(OUTPUTS, artifact.sha256, x_sha256, MOST_SAMPLES)
    if not (target / _FILE).is_file():
        with suppress(ModelError), partial(target) as folder:
            made = folder / "made"
            made.mkdir()
            spec, part = artifact.inputs[0], x[:MOST_SAMPLES]
            np.save(made / "x.npy", to_tensor(spec, part).reshape(len(part), *spec.shape))
            run_child(GOLDEN, Job(OUTPUTS, str(artifact.path.absolute()), str(made)), lambda _: None)
            move(made, target)
    if not (target / _FILE).is_file():
        return None
    with np.load(target / _FILE, allow_pickle=False) as found:
        raw = [found[f"out{i}"] for i in range(len(artifact.outputs))]
    return tuple(from_tensor(spec, a).reshape(len(a), -1) for spec, a in zip(artifact.outputs, raw, strict=True))
