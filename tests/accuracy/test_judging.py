"""Outputs to evaluations: which metric, against what, and what is kept of every sample."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet, Others, judge
from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec
from edgeprof.stats.packed import unpack
from tests.accuracy.conftest import artifact

# A real file of two outputs, whose own order is asked for.
TWO_OUTPUTS = Path(__file__).parents[1] / "contract" / "agent" / "models" / "two_and_two.tflite"


def outputs(*rows):
    return np.array(rows, np.float32)


def judged(found, y=None, floats=None, metrics=(), name="y"):
    """Return the only evaluation of outputs of a model that has as many as `found` has columns."""
    labels = () if y is None else ((name, np.asarray(y)),)
    data = EvalSet(np.zeros((len(found), 6)), labels, "ab" * 32, pairing="ab" * 32)
    made = artifact(outputs=(TensorSpec("class", (1, found.shape[1]), "float32"),))
    (evaluation,) = judge(made, data, [found], Others(None if floats is None else [floats]), metrics)
    return evaluation


def points(evaluation):
    return {score.name: score.point for score in evaluation.scores}


def test_top_1_is_the_share_of_samples_whose_highest_output_is_the_label():
    found = judged(outputs([0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]), [1, 0, 1, 1])

    assert (found.n_samples, points(found)["top1_ratio"]) == (4, 0.75)
    assert unpack(found.scores[0].values).tolist() == [1, 1, 1, 0]
    assert (found.scores[0].float_point, found.float_predicted) == (None, None)


def test_top_5_counts_from_six_classes_up():
    rows = np.tile(np.arange(6, dtype=np.float32), (6, 1))

    six = points(judged(rows, np.arange(6)))
    five = points(judged(rows[:, :5], np.array([0, 1, 2, 3, 4, 4])))

    assert (six["top1_ratio"], six["top5_ratio"]) == (pytest.approx(1 / 6), pytest.approx(5 / 6))
    assert "top5_ratio" not in five


def test_the_float_model_is_held_against_the_same_labels_and_kept_beside():
    right, wrong = [0.9, 0.1], [0.1, 0.9]

    found = judged(outputs(right, right, wrong, wrong), [0, 0, 0, 0], outputs(right, right, right, wrong))

    assert (found.scores[0].point, found.scores[0].float_point) == (0.5, 0.75)
    assert unpack(found.float_predicted).tolist() == [0, 0, 0, 1]
    assert found.agreements[0].n_agreed == 3


def test_equal_outputs_rank_as_argmax_ranks_them():
    rows = np.random.default_rng(1).integers(0, 3, (200, 10)).astype(np.float32)
    y = np.random.default_rng(2).integers(0, 10, 200)

    found = judged(rows, y, metrics=("top1", "top3"))

    assert points(found)["top1_ratio"] == (rows.argmax(axis=1) == y).mean()
    order = np.argsort(-rows, axis=1, kind="stable")[:, :3]
    assert points(found)["top3_ratio"] == (order == y[:, None]).any(axis=1).mean()


def test_a_model_that_says_nothing_is_not_right_by_ties():
    found = points(judged(np.zeros((10, 10), np.float32), np.arange(10)))

    assert (found["top1_ratio"], found["top5_ratio"]) == (0.1, 0.5)


def test_outputs_that_are_no_numbers_are_never_right():
    found = judged(np.full((3, 10), np.nan, np.float32), np.array([0, 1, 2]))

    assert (points(found)["top1_ratio"], points(found)["top5_ratio"], points(found)["f1_ratio"]) == (0.0, 0.0, 0.0)
    assert unpack(found.predicted).tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("rows", "share"), [([[0.9], [0.2], [0.6], [0.4]], 0.75), ([[2.0], [-3.0], [0.3], [-0.1]], 0.75)]
)
def test_a_single_output_is_the_probability_of_class_one_or_its_logit(rows, share):
    assert points(judged(np.array(rows, np.float32), [1, 0, 0, 0]))["top1_ratio"] == share


def test_outputs_of_other_samples_are_refused():
    rows = np.zeros((3, 2), np.float32)
    data = EvalSet(np.zeros((2, 6)), (("y", np.array([0, 1])),), "00")
    made = artifact(outputs=(TensorSpec("class", (1, 2), "float32"),))

    with pytest.raises(ModelError, match="there are 3 outputs for 2 samples"):
        judge(made, data, [rows], Others())
    with pytest.raises(ModelError, match="there are 3 reference outputs for 2 samples"):
        judge(made, data, [rows[:2]], Others([rows]))


def test_values_are_held_against_values():
    found = judged(outputs([1.0], [2.0], [3.0]), [[1.5], [2.5], [2.0]], outputs([1.5], [2.5], [2.0]))

    assert points(found) == {"mae": pytest.approx(2 / 3), "mse": pytest.approx(0.5)}
    assert (found.scores[0].better, found.scores[0].float_point, found.n_classes) == ("lower", 0.0, None)


def test_without_labels_there_is_agreement_and_nothing_else():
    rows = outputs([0.9, 0.1], [0.4, 0.6])

    found = judged(rows, None, outputs([0.8, 0.2], [0.6, 0.4]))

    (one,) = found.agreements
    assert (found.scores, found.labels) == ((), None)
    assert (one.against, one.n_samples, one.n_agreed, one.max_error) == ("float_model", 2, 1, pytest.approx(0.2))


def test_the_first_samples_may_be_all_that_the_host_ran():
    rows = outputs([0.9, 0.1], [0.4, 0.6])
    data = EvalSet(np.zeros((2, 6)), (), "00")
    made = artifact(outputs=(TensorSpec("class", (1, 2), "float32"),))

    (found,) = judge(made, data, [rows], Others(host=[rows[:1]]))

    assert (found.agreements[0].against, found.agreements[0].n_samples, found.agreements[0].sqnr_db) == (
        "host",
        1,
        None,
    )


def test_each_output_of_several_has_labels_of_its_own():
    specs = (TensorSpec("age", (1, 1), "float32"), TensorSpec("kind", (1, 3), "float32"))
    labels = (("y0", np.array([20.0, 30.5])), ("y1", np.array([2, 0])))
    data = EvalSet(np.zeros((2, 6)), labels, "00", pairing="00")
    rows = [outputs([21.0], [30.5]), outputs([0, 0, 1], [0, 1, 0])]

    age, kind = judge(replace(artifact(outputs=specs), path=TWO_OUTPUTS), data, rows, Others())

    assert (age.output, age.scores[0].name, age.scores[0].point) == ("age", "mae", 0.5)
    assert (kind.output, kind.scores[0].name, kind.scores[0].point) == ("kind", "top1_ratio", 0.5)
