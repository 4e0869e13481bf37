"""What an output is for, seen from its labels: classes, values or masks; and the metrics that go with each."""

import re
from dataclasses import dataclass

import numpy as np

from edgeprof.accuracy.evaluation import EvalSet
from edgeprof.analysis import read_model
from edgeprof.analysis.numbers import Array
from edgeprof.errors import ModelError, UsageError
from edgeprof.names import did_you_mean
from edgeprof.records import Artifact, TensorSpec

CLASSES, VALUES, MASKS = "classes", "values", "masks"
# With five classes or fewer a top-5 is always right.
TOP5_CLASSES = 6
_KINDS = {"top1": CLASSES, "top5": CLASSES, "f1": CLASSES, "auc": CLASSES, "mae": VALUES, "mse": VALUES, "iou": MASKS}
_TOP = re.compile(r"top([1-9][0-9]*)")
_WANTED = {
    CLASSES: "a class number a sample",
    VALUES: "as many values a sample as the output has",
    MASKS: "a class number a pixel",
}


@dataclass(frozen=True, slots=True)
class Task:
    """What one output is held against.

    Attributes:
        index: The output's place in the artifact.
        reference: Its place among the float model's outputs.
        output: Its name, or `None` where it is the only one.
        kind: `classes`, `values`, `masks`, or `None` without labels.
        labels: Classes `(n,)`, values `(n, elements)`, masks `(n, pixels)`; as the file has them for a user's function.
        raw: As the file has them.
        metrics: Names, the headline first.
    """

    index: int
    reference: int
    output: str | None
    kind: str | None = None
    labels: Array | None = None
    raw: Array | None = None
    metrics: tuple[str, ...] = ()


def metric_names() -> tuple[str, ...]:
    """Return the names that `--metric` knows, besides `topK` and a user's function."""
    return tuple(_KINDS)


def check_metric(name: str) -> None:
    """Refuse what is no metric.

    Raises:
        UsageError: It is unknown; names the like.
    """
    if name in _KINDS or _TOP.fullmatch(name) or is_function(name):
        return
    known = f"known: {', '.join(_KINDS)}, top3 and the like, or a function of yours: metrics.py:name"
    raise UsageError(f"unknown metric: `{name}`", did_you_mean(name, list(_KINDS)) + known)


def is_function(name: str) -> bool:
    """Return whether a metric is a user's function, `FILE.py:NAME`."""
    return ".py:" in name


def plan_tasks(artifact: Artifact, evaluation: EvalSet, metrics: tuple[str, ...] = ()) -> tuple[Task, ...]:
    """Return what each output of an artifact is held against.

    Args:
        artifact: The file.
        evaluation: Samples that fit it, and labels if there are any.
        metrics: What the user asked for, instead of what goes with the labels.

    Raises:
        ModelError: Labels do not fit an output; says which, and what would.
        UsageError: A metric does not go with the labels.
    """
    count = len(artifact.outputs)
    order = _order(artifact)
    tasks = []
    for index, spec in enumerate(artifact.outputs):
        title = None if count == 1 else spec.name
        bare = Task(index, order[index], title)
        y = _find(dict(evaluation.labels), order[index], spec, count)
        tasks.append(bare if y is None else _task(bare, spec, y, metrics))
    if evaluation.labels and all(task.raw is None for task in tasks):
        had = ", ".join(f"`{key}`" for key, _ in evaluation.labels)
        wanted = "`y`" if count == 1 else ", ".join(f"`y{i}`" for i in range(count))
        raise ModelError(
            f"the labels of `{evaluation.name}` are called {had}, which names no output of {artifact.path.name}",
            f"call them {wanted}" + ("" if count == 1 else ", in the order of the model's outputs"),
        )
    return tuple(tasks)


def _order(artifact: Artifact) -> list[int]:
    """Return the place of each output among the model's own: the converter may have changed the order."""
    count = len(artifact.outputs)
    if count == 1:
        return [0]
    names = [name.removeprefix("output_") for name in read_model(artifact.path).output_names]
    numbers = [int(name) for name in names if name.isdigit()]
    return numbers if sorted(numbers) == list(range(count)) else list(range(count))


def _find(labels: dict[str, Array], number: int, spec: TensorSpec, count: int) -> Array | None:
    names = (f"y{number}", f"y_{spec.name}", f"y_{spec.name.partition(':')[0]}", spec.name)
    known = ("y", "labels", *names) if count == 1 else names
    return next((labels[name] for name in known if name in labels), None)


def _task(bare: Task, spec: TensorSpec, y: Array, metrics: tuple[str, ...]) -> Task:
    asked = {_kind_of(name) for name in metrics} - {None}
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(metrics)} are not for the same kind of labels", "ask for one of them")
    kind = next(iter(asked), None) or _guess(spec, y)
    if kind is None and not metrics:
        raise _does_not_fit(spec, y)
    labels = y if kind is None else _shaped(kind, spec, y)
    if kind == CLASSES and bare.output is None and (idle := next((m for m in metrics if _counts_all(m, spec)), None)):
        text = f"`{idle}` is always 100 % where a model tells {max(_elements(spec), 2)} classes apart"
        raise UsageError(text, "ask for `top1`, or for fewer than all")
    if labels is None:
        message = f"`{metrics[0]}` needs {_WANTED[str(kind)]}, but the labels have shape {y.shape} and dtype {y.dtype}"
        raise UsageError(message, f"output `{spec.name}` has shape {spec.shape[1:]}")
    return Task(bare.index, bare.reference, bare.output, kind, labels, y, metrics or _usual(str(kind), spec, labels))


def _counts_all(metric: str, spec: TensorSpec) -> bool:
    """Return whether `topK` asks for all classes or more."""
    return bool(_TOP.fullmatch(metric)) and int(metric.removeprefix("top")) >= max(_elements(spec), 2)


def _kind_of(metric: str) -> str | None:
    if is_function(metric):
        return None
    return CLASSES if _TOP.fullmatch(metric) else _KINDS[metric]


def _usual(kind: str, spec: TensorSpec, labels: Array) -> tuple[str, ...]:
    if kind == VALUES:
        return ("mae", "mse")
    if kind == MASKS:
        return ("iou",)
    classes = _elements(spec)
    curve = ("auc",) if classes <= 2 and len(np.unique(labels)) == 2 else ()
    return ("top1", *(("top5",) if classes >= TOP5_CLASSES else ()), "f1", *curve)


def _guess(spec: TensorSpec, y: Array) -> str | None:
    """Return the kind of labels that this output most likely has, or `None` where none fits."""
    numbers = y.dtype.kind in "iub" or bool((y == np.floor(y)).all())
    if y.ndim == 1 or y.shape[1:] == (1,):
        if _elements(spec) > 1:
            return CLASSES if numbers and y.min() >= 0 else None
        if numbers and set(np.unique(y)) <= {0, 1}:
            return CLASSES
        return None if y.dtype.kind in "iub" else VALUES
    if _is_one_hot(y) and y.shape[1] == _elements(spec):
        return CLASSES
    if numbers and _shaped(MASKS, spec, y) is not None and (y.dtype.kind in "iub" or y.max() > 1):
        return MASKS
    return VALUES if int(np.prod(y.shape[1:])) == _elements(spec) and y.dtype.kind == "f" else None


def _shaped(kind: str, spec: TensorSpec, y: Array) -> Array | None:
    """Return labels as that kind has them, or `None` where they cannot be so."""
    n = len(y)
    if kind == VALUES:
        return y.reshape(n, -1).astype(np.float64) if y[:1].size == _elements(spec) else None
    if (y != np.floor(y)).any() or y.min() < 0:
        return None
    if kind == MASKS:
        pixels = spec.shape[1:-1]
        fits = len(pixels) >= 1 and [d for d in y.shape[1:] if d != 1] == [d for d in pixels if d != 1]
        return y.reshape(n, -1).astype(np.int64) if fits else None
    if _is_one_hot(y) and y.shape[1] == _elements(spec):
        return np.asarray(y.argmax(axis=1), np.int64)
    if y[:1].size != 1:
        return None
    classes = y.reshape(n).astype(np.int64)
    if classes.max() >= max(_elements(spec), 2):
        raise ModelError(
            f"the evaluation set has a label {classes.max()}, but the model gives {_elements(spec)} outputs",
            "labels count from 0; is it the right data set?"
            + (" If they are values, not classes: `--metric mae`" if _elements(spec) == 1 else ""),
        )
    return classes


def _does_not_fit(spec: TensorSpec, y: Array) -> ModelError:
    each = f"of shape {y.shape[1:]}" if y.shape[1:] else f"from {y.min():g} to {y.max():g}"
    text = f"labels {each}, {y.dtype}, do not fit output `{spec.name}` of shape {spec.shape[1:]}"
    if _elements(spec) == 1 and y[:1].size == 1:
        return ModelError(text, "one output takes classes 0 and 1; if the labels are values: `--metric mae`")
    if y.min() < 0:
        return ModelError(text, "classes count from 0")
    return ModelError(
        text, "give class numbers or one-hot rows, floats in the output's shape, or masks of class numbers"
    )


def _is_one_hot(y: Array) -> bool:
    if y.ndim != 2 or y.shape[1] < 2:
        return False
    return bool(((y == 0) | (y == 1)).all()) and bool((y.sum(axis=1) == 1).all())


def _elements(spec: TensorSpec) -> int:
    return int(np.prod(spec.shape, dtype=np.int64))
