"""What labels mean, decided when the output is known."""

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet, plan_tasks
from edgeprof.accuracy.tasks import CLASSES, MASKS, VALUES, check_metric
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import TensorSpec
from tests.accuracy.conftest import artifact

N = 6
CLASS_NUMBERS = np.array([0, 1, 2, 0, 1, 2])


def task(shape, y, *metrics, name="y"):
    data = EvalSet(np.zeros((N, 6)), ((name, np.asarray(y)),), "00")
    return plan_tasks(artifact(outputs=(TensorSpec("out", (1, *shape), "float32"),)), data, metrics)[0]


@pytest.mark.parametrize(
    ("shape", "y", "kind", "metrics"),
    [
        ((3,), CLASS_NUMBERS, CLASSES, ("top1", "f1")),
        ((3,), CLASS_NUMBERS[:, None], CLASSES, ("top1", "f1")),
        ((3,), CLASS_NUMBERS.astype(np.float32), CLASSES, ("top1", "f1")),
        ((3,), np.eye(3)[CLASS_NUMBERS], CLASSES, ("top1", "f1")),
        ((10,), CLASS_NUMBERS, CLASSES, ("top1", "top5", "f1")),
        ((1,), CLASS_NUMBERS % 2, CLASSES, ("top1", "f1", "auc")),
        ((2,), CLASS_NUMBERS % 2, CLASSES, ("top1", "f1", "auc")),
        ((1,), np.linspace(0, 9, N), VALUES, ("mae", "mse")),
        ((1,), np.arange(N) * 10.0, VALUES, ("mae", "mse")),
        ((4,), np.random.default_rng(1).random((N, 4)), VALUES, ("mae", "mse")),
        ((2, 2, 1), np.random.default_rng(1).random((N, 2, 2, 1)), VALUES, ("mae", "mse")),
        ((4, 4, 3), np.ones((N, 4, 4), np.uint8), MASKS, ("iou",)),
        ((4, 4, 3), np.ones((N, 4, 4, 1), np.uint8), MASKS, ("iou",)),
        ((4, 4, 1), np.ones((N, 4, 4), np.uint8), MASKS, ("iou",)),
    ],
)
def test_labels_and_output_tell_the_task(shape, y, kind, metrics):
    found = task(shape, y)

    assert (found.kind, found.metrics) == (kind, metrics)


@pytest.mark.parametrize("y", [CLASS_NUMBERS, CLASS_NUMBERS[:, None], np.eye(3)[CLASS_NUMBERS]])
def test_classes_are_numbers_however_they_were_written(y):
    assert task((3,), y).labels.tolist() == CLASS_NUMBERS.tolist()


def test_a_metric_that_was_asked_for_decides_what_labels_are():
    assert task((1,), np.arange(N), "mae").kind == VALUES
    assert task((3,), CLASS_NUMBERS, "auc", "top2").metrics == ("auc", "top2")


@pytest.mark.parametrize(
    ("shape", "y", "message", "hint"),
    [
        ((3,), CLASS_NUMBERS + 1, "has a label 3, but the model gives 3 outputs", "count from 0"),
        ((3,), CLASS_NUMBERS - 1, "labels from -1 to 1, int64, do not fit output `out`", "count from 0"),
        ((3,), CLASS_NUMBERS + 0.5, "do not fit output `out`", "class numbers"),
        ((1,), np.arange(N), "do not fit output `out`", "--metric mae"),
        ((3,), np.zeros((N, 7)), "labels of shape (7,)", "class numbers"),
        ((3,), np.ones((N, 3), int), "do not fit output `out`", "one-hot"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_what_would(shape, y, message, hint):
    with pytest.raises(ModelError) as caught:
        task(shape, y)

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_metric_that_does_not_go_with_the_labels_is_refused():
    with pytest.raises(UsageError, match="`iou` needs a class number a pixel"):
        task((3,), CLASS_NUMBERS, "iou")
    with pytest.raises(UsageError, match="top1 and mae are not for the same kind of labels"):
        task((3,), CLASS_NUMBERS, "top1", "mae")


def test_a_metric_that_every_model_would_pass_is_refused():
    with pytest.raises(UsageError, match="`top3` is always 100 % where a model tells 3 classes apart"):
        task((3,), CLASS_NUMBERS, "top1", "top3")


def test_labels_by_a_name_of_no_output_are_refused():
    with pytest.raises(ModelError, match="called `targets`, which names no output") as caught:
        task((3,), CLASS_NUMBERS, name="targets")

    assert caught.value.hint == "call them `y`"


@pytest.mark.parametrize("name", ["top1", "top3", "f1", "my.py:score"])
def test_a_known_metric_passes(name):
    check_metric(name)


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="unknown metric: `acu`") as caught:
        check_metric("acu")

    assert "did you mean `auc`" in caught.value.hint
