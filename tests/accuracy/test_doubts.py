"""What is said loudly: samples seen before, losses, outputs that say nothing."""

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet, Others, clipped, doubts, find_leaks, judge
from edgeprof.compress import CompressRequest
from edgeprof.errors import UsageError
from edgeprof.profile.data import data_warnings, load_sets
from edgeprof.records import TensorSpec
from tests.accuracy.conftest import artifact

RANDOM = np.random.default_rng(5)
X = RANDOM.random((40, 6)).astype(np.float32)
Y = np.arange(40) % 4
RIGHT = np.eye(4, dtype=np.float32)[Y]


def said(outputs, floats=RIGHT, y=Y):
    data = EvalSet(X, () if y is None else (("y", y),), "00", pairing="00")
    made = artifact(outputs=(TensorSpec("class", (1, outputs.shape[1]), "float32"),))
    others = Others(None if floats is None else [floats])
    return list(doubts(judge(made, data, [outputs], others), [outputs], others.floats))


def wrong(count):
    outputs = RIGHT.copy()
    outputs[:count] = np.roll(outputs[:count], 1, axis=1)
    return outputs


def test_a_small_loss_is_not_flagged():
    assert said(RIGHT) == []


def test_a_loss_beyond_a_point_is_flagged_with_its_intervals_end():
    ((code, surely),) = said(wrong(20))
    ((_, perhaps),) = said(wrong(1))

    assert code == "lossy_result"
    assert "worse than the float model by +50.0 pp" in surely
    assert "surely more than 1.0 pp" in surely
    assert "perhaps no more than 1.0 pp" in perhaps


def test_a_float_model_that_is_right_by_chance_is_flagged_for_its_samples_may_be_scaled_otherwise():
    by_chance = np.roll(RIGHT, 7, axis=0)  # right for none of 40, as 0 of 4 classes in turn
    by_chance[:10] = RIGHT[:10]

    ((code, text),) = said(by_chance, floats=by_chance)

    assert code == "chance_level"
    assert "on `eval` the float model is right for 25.0 % (" in text
    assert "always to name the commonest class, for 25.0 %" in text


def test_an_artifact_alone_that_is_right_by_chance_is_flagged_and_a_good_one_is_not():
    assert [code for code, _ in said(np.roll(RIGHT, 1, axis=0), floats=None)] == ["chance_level"]
    assert said(RIGHT, floats=None) == []


def test_a_gain_is_no_loss():
    assert said(RIGHT, floats=wrong(20)) == []


def test_an_error_that_grows_by_more_than_a_tenth_is_flagged():
    y = RANDOM.random((40, 1)).astype(np.float32)

    assert said(y + 0.3, floats=y + 0.29, y=y) == []
    assert [code for code, _ in said(y + 0.5, floats=y + 0.29, y=y)] == ["lossy_result"]


def test_outputs_that_never_change_are_flagged_and_it_is_said_whose_fault_it_is():
    constant = np.tile(np.float32([0.4, 0.3, 0.2, 0.1]), (40, 1))

    (_, own), (_, both) = said(constant)[-1], said(constant, floats=constant)[-1]

    assert "the same for all 40 samples of `eval`; it has lost its input" in own
    assert "the float model's too" in both


def test_outputs_that_are_no_numbers_are_flagged_with_their_count():
    outputs = RIGHT.copy()
    outputs[:3, 1] = np.nan

    assert "nan_outputs" in [code for code, _ in said(outputs)]
    assert any("outputs for 3 of 40 samples of `eval` are no numbers" in text for _, text in said(outputs))


def test_samples_far_beyond_an_integer_input_are_flagged_and_those_a_little_beyond_are_not():
    spec = TensorSpec("image", (1, 6), "int8", 1 / 255, -128)

    def found(x, spec=spec):
        return list(clipped(artifact(inputs=(spec,)), EvalSet(x, (), "00", pairing="00")))

    ((code, text),) = found(X * 255)

    assert code == "clipped_inputs"
    assert "of the values of `eval` are beyond what its input holds (0 to 1, and the set reaches" in text
    assert found(X) == found(X * 1.05) == found(X * 255, TensorSpec("image", (1, 6), "float32")) == []
    assert found(np.full((3, 6), 100, np.int8)) == []


def test_a_classifier_that_says_one_class_only_is_flagged():
    outputs = RANDOM.random((40, 4)).astype(np.float32)
    outputs[:, 2] = 2

    assert ("constant_outputs", "every sample of `eval` is taken for one and the same class") in said(outputs)


def test_agreement_on_samples_of_one_class_is_said_to_say_little():
    skewed = np.eye(4, dtype=np.float32)[np.where(np.arange(40) < 38, 1, Y)]

    ((code, text),) = said(skewed, floats=skewed, y=None)

    assert code == "one_class"
    assert "takes 38 of 40 samples of `eval` for one class" in text
    assert said(RIGHT, floats=RIGHT, y=None) == []


def test_samples_in_the_training_data_are_counted_whatever_their_dtype_and_shape():
    data = EvalSet(X, (), "00", "test")
    seen = np.concatenate([RANDOM.random((5, 6)), X[:3].astype(np.float64)]).reshape(8, 2, 3)

    (found,) = find_leaks([data], "training", (seen,))

    assert found.startswith("3 of 40 samples of `test` are in the training data too")
    assert find_leaks([data], "training", (seen[:5],)) == ()


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "test.npz", x=X, y=Y)
    np.savez(tmp_path / "train.npz", x=X[:2], y=Y[:2], x_validation=X[9:10], y_validation=Y[9:10])
    np.savez(tmp_path / "calib.npz", x=X[4:5])
    (tmp_path / "train.py").write_text("def dataset(): ...\n")
    return tmp_path


def test_leaks_are_looked_for_in_every_role(files):
    sets = load_sets([("eval", files / "test.npz")], [])
    request = CompressRequest(files, calibration=files / "calib.npz", train=files / "train.npz")

    found = [(w.code, w.text.partition(" of ")[0], "training" in w.text) for w in data_warnings(request, sets)]

    assert found == [("leaked_eval_data", "3", True), ("leaked_eval_data", "1", False)]


def test_data_that_cannot_be_looked_into_are_named(files):
    sets = load_sets([("eval", files / "test.npz")], [])

    (found,) = data_warnings(CompressRequest(files, train=files / "train.py"), sets)

    assert (found.code, "train.py" in found.text) == ("leaks_not_checked", True)


def test_there_must_be_something_to_spoil():
    with pytest.raises(UsageError, match="`--corrupt` needs samples") as caught:
        load_sets([], ["noise"])

    assert "--eval" in caught.value.hint
