"""Outputs to evaluations: each output of a model on one set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy.agreement import agreement, looks_like_classes
from edgeprof.accuracy.custom import load_metric
from edgeprof.accuracy.evaluation import EvalSet
from edgeprof.accuracy.scoring import METRICS, Metric, Weighted, predictions, resampled, threshold, top_hits, whole
from edgeprof.accuracy.tasks import CLASSES, Task, check_metric, is_function, plan_tasks
from edgeprof.errors import ModelError
from edgeprof.records import Artifact
from edgeprof.scores import FLOAT_MODEL, HIGHER, HITS, HOST, RESAMPLES, Agreement, Evaluation, Score
from edgeprof.stats.packed import pack

Outputs = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Others:
    """What a device's outputs are compared with.

    Attributes:
        floats: The float model's outputs, in its own order, each `(n, elements)`; or `None`.
        host: The same file's on the host, in the file's order, of the first samples; or `None`.
    """

    floats: Outputs | None = None
    host: Outputs | None = None


def judge(
    artifact: Artifact, evaluation: EvalSet, outputs: Outputs, others: Others, metrics: tuple[str, ...] = ()
) -> tuple[Evaluation, ...]:
    """Return what each output of an artifact is worth on a set.

    Args:
        artifact: What ran.
        evaluation: On what.
        outputs: What the device gave, each `(n, elements)`, in the file's order.
        others: What that is compared with.
        metrics: What the user asked for, instead of what goes with the labels.

    Raises:
        ModelError: Outputs, labels and reference are not of the same samples, or do not fit one another.
        UsageError: A metric does not go with the labels, or a user's function failed.
    """
    for name, found in (("outputs", outputs), ("reference outputs", others.floats or ())):
        if any(len(part) != evaluation.n for part in found):
            counts = ", ".join(str(len(part)) for part in found)
            message = f"there are {counts} {name} for {evaluation.n} samples"
            raise ModelError(message, "they must be of the same samples")
    tasks = plan_tasks(artifact, evaluation, metrics)
    return tuple(_judge(artifact, evaluation, task, outputs[task.index], others) for task in tasks)


def try_metrics(metrics: Sequence[str]) -> None:
    """Refuse what is no metric, or a user's function that cannot be loaded.

    Raises:
        UsageError: Says which, and what would be one.
    """
    for name in metrics:
        check_metric(name)
        if is_function(name):
            load_metric(name, ())


def try_functions(artifact: Artifact, evaluation: EvalSet, floats: Outputs | None, metrics: tuple[str, ...]) -> None:
    """Run a user's functions on the float model's outputs, so that one that fails does so before anything is measured.

    Raises:
        ModelError: As `judge`.
        UsageError: As `judge`.
    """
    for task in plan_tasks(artifact, evaluation, metrics):
        for name in task.metrics:
            if is_function(name) and task.raw is not None and floats is not None:
                metric = load_metric(name, artifact.outputs[task.index].shape[1:])
                metric.of(task.raw, floats[task.reference])


def _judge(
    artifact: Artifact, evaluation: EvalSet, task: Task, outputs: NDArray[np.float32], others: Others
) -> Evaluation:
    floats = None if others.floats is None else others.floats[task.reference]
    if floats is not None and floats.shape != outputs.shape:
        floats = None  # a converted model may leave an output out or give it another shape
    host = None if others.host is None else others.host[task.index]
    classes = task.kind == CLASSES
    above = threshold(outputs if floats is None else floats)
    shown = looks_like_classes(outputs if floats is None else floats) if task.kind is None else classes
    return Evaluation(
        evaluation.name,
        evaluation.sha256,
        evaluation.n,
        evaluation.pairing,
        task.output,
        evaluation.base,
        _scores(artifact, evaluation, task, outputs, floats),
        pack(task.labels) if classes and task.labels is not None else None,
        pack(predictions(outputs, above)) if shown else None,
        pack(predictions(floats, above)) if shown and floats is not None else None,
        max(2, outputs.shape[1]) if shown else None,
        _agreements(outputs, floats, host, classes=shown),
    )


def _scores(
    artifact: Artifact,
    evaluation: EvalSet,
    task: Task,
    outputs: NDArray[np.float32],
    floats: NDArray[np.float32] | None,
) -> tuple[Score, ...]:
    if task.labels is None or task.raw is None:
        return ()
    found = []
    for name in task.metrics:
        if name.startswith("top"):
            found.append(_top(int(name.removeprefix("top")), task, outputs, floats))
            continue
        labels = task.raw if is_function(name) else task.labels
        shape = artifact.outputs[task.index].shape[1:]
        metric = load_metric(name, shape) if is_function(name) else METRICS[name]
        of = [metric.of(labels, part) for part in (outputs, floats) if part is not None]
        found.append(_score(metric, of, evaluation))
    return tuple(found)


def _top(k: int, task: Task, outputs: NDArray[np.float32], floats: NDArray[np.float32] | None) -> Score:
    labels = np.asarray(task.labels, np.int64)
    above = threshold(outputs if floats is None else floats)
    hits = top_hits(outputs, labels, k, above)
    name = f"top{k}_ratio"
    if floats is None:
        return Score(name, "share", HIGHER, HITS, float(hits.mean()), pack(hits))
    base = top_hits(floats, labels, k, above)
    return Score(name, "share", HIGHER, HITS, float(hits.mean()), pack(hits), float(base.mean()), pack(base))


def _score(metric: Metric, of: Sequence[Weighted], evaluation: EvalSet) -> Score:
    points = [whole(one, evaluation.n) for one in of]
    values = [pack(found) for found in resampled(of, evaluation.n, _seed(evaluation))]
    start = (metric.name, metric.statistic, metric.better, RESAMPLES, points[0], values[0])
    return Score(*start) if len(of) == 1 else Score(*start, points[1], values[1])


def _seed(evaluation: EvalSet) -> int:
    return int(evaluation.pairing[:15] or "0", 16)


def _agreements(
    outputs: NDArray[np.float32],
    floats: NDArray[np.float32] | None,
    host: NDArray[np.float32] | None,
    *,
    classes: bool,
) -> tuple[Agreement, ...]:
    pairs = ((FLOAT_MODEL, floats), (HOST, host))
    return tuple(agreement(name, part, outputs, classes=classes) for name, part in pairs if part is not None)
