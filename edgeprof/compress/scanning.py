"""The child that scans a model's layers: `python -m edgeprof.compress.scanning JOB`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeprof.analysis.numbers import Array, sqnr_db
from edgeprof.compress.bridge import to_tf_keras
from edgeprof.compress.calibration import load_calibration
from edgeprof.compress.jobs import Job, Line
from edgeprof.compress.program import Program, load_program
from edgeprof.compress.sampling import Sampling
from edgeprof.compress.sensitivity import LayerSensitivity, Sensitivity, written
from edgeprof.compress.speaking import Say, serve
from edgeprof.compress.techniques.ends import ends_of, outputs_of
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.variations import Variation, variations
from edgeprof.compress.training_data import prepare
from edgeprof.compress.training_files import load_training
from edgeprof.errors import ModelError

# More samples than this make a scan longer and its intervals little narrower.
_MOST = 1000
_BATCH = 100


@dataclass(frozen=True, slots=True)
class _Samples:
    """What a scan is computed on: inputs, labels or `None`, and where they are from."""

    x: tuple[Array, ...]
    labels: Array | None
    data: str


def run(job: Job, say: Say) -> None:
    """Scan the model of a job of kind `sensitivity`; the result is a file in its folder.

    Raises:
        ModelError: The model or its data are at fault, or it has no layer to change.
        UsageError: The data cannot be read.
    """
    asked = job.scan or {}
    say(Line("progress", f"loading {Path(job.model).name}"))
    program = load_program(Path(job.model), trust=job.trust_model)
    if not hasattr(program.owner, "layers"):
        hint = "give the .keras or .h5 file it was exported from"
        raise ModelError(f"`{job.model}` is a SavedModel: a graph without layers to scan", hint)
    model = copy(to_tf_keras(program.owner))
    samples = _samples(job, program, model)
    before = outputs_of(model, samples.x, _BATCH)
    metric = _metric(model, samples)
    rows: list[LayerSensitivity] = []
    todo = variations(model, str(asked["what"]), tuple(asked["levels"]))
    for i, variation in enumerate(todo):
        say(Line("progress", f"{asked['what']}: {variation.layers[0]} at {variation.level:g}", i / len(todo)))
        with variation.made():
            after = outputs_of(model, samples.x, _BATCH)
        rows.append(_judged(variation, metric, samples, before, after))
    base = None if metric == "sqnr_db" else float(_hits(metric, samples, before, before).mean())
    name, n = Path(job.model).stem, len(samples.x[0])
    found = Sensitivity(name, str(asked["what"]), metric, base, n, samples.data, tuple(rows))
    (Path(job.folder) / "sensitivity.json").write_text(written(found))


def _samples(job: Job, program: Program, model: Any) -> _Samples:  # noqa: ANN401 - TensorFlow has no types
    if job.train is None:
        x = load_calibration(Path(str(job.calibration)), job.preprocessing, program.inputs, Sampling(*job.sampling))
        return _Samples(x, None, "calibration")
    data = prepare(load_training(Path(job.train), job.seed), model, job.seed)
    split = data.validation
    picked = np.unique(np.linspace(0, len(split.x[0]) - 1, min(_MOST, len(split.x[0]))).astype(int))
    some = split.rows(picked)
    labels = some.y[0] if data.labelled and some.y is not None else None
    whole = labels is not None and labels.dtype.kind in "iu" and labels.size == len(labels)
    return _Samples(some.x, labels.ravel() if whole and labels is not None else None, "validation")


def _metric(model: Any, samples: _Samples) -> str:  # noqa: ANN401
    classes = len(model.outputs) == 1 and len(model.outputs[0].shape) == 2 and int(model.outputs[0].shape[-1]) > 1
    if samples.labels is not None and classes:
        return "accuracy"
    return "agreement" if classes and ends_of(model) == ["softmax"] else "sqnr_db"


def _judged(
    changed: Variation, metric: str, samples: _Samples, before: Sequence[Array], after: Sequence[Array]
) -> LayerSensitivity:
    layers, level = changed.layers, changed.level
    if metric == "sqnr_db":
        worst = [sqnr_db(a.ravel(), b.ravel()) for a, b in zip(before, after, strict=True)]
        return LayerSensitivity(layers, level, min(200.0 if db is None else db for db in worst), None, None)
    was, now = (_hits(metric, samples, before, outputs) for outputs in (before, after))
    return LayerSensitivity(layers, level, float(now.mean()), int((was & ~now).sum()), int((now & ~was).sum()))


def _hits(metric: str, samples: _Samples, before: Sequence[Array], outputs: Sequence[Array]) -> Array:
    right = samples.labels if metric == "accuracy" else before[0].argmax(axis=-1)
    return np.asarray(outputs[0].argmax(axis=-1) == right)


if __name__ == "__main__":
    sys.exit(serve(sys.argv, run))
