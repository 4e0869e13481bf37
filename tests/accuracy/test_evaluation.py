import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet, check_fits, load_eval, load_reference, named_sets
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import Reference
from tests.accuracy.conftest import FLOAT, INT8, artifact

X = np.zeros((4, 2, 3), np.float32)
Y = np.array([0, 1, 2, 0])


def evaluation(x=X, y=Y):
    return EvalSet(x, (("y", y),), "0" * 64)


def test_a_set_is_its_samples_labels_and_hash(saved):
    path = saved(x=X, y=Y.astype(np.uint8))

    found = load_eval(path, "clean")

    assert (found.name, found.n, found.x.shape) == ("clean", 4, (4, 2, 3))
    assert [(name, y.tolist()) for name, y in found.labels] == [("y", [0, 1, 2, 0])]
    assert found.sha256 == found.pairing == hashlib.sha256(path.read_bytes()).hexdigest()


def test_samples_alone_are_a_set_without_labels(saved):
    assert load_eval(saved(x=X)).labels == ()


def test_sets_are_named_and_one_alone_needs_no_name(tmp_path):
    odd = tmp_path / "a=b.npz"
    odd.touch()

    assert named_sets(["test.npz"]) == [("eval", Path("test.npz"))]
    assert named_sets(["clean=a.npz", "night=b=c.npz"]) == [("clean", Path("a.npz")), ("night", Path("b=c.npz"))]
    assert named_sets([str(odd)]) == [("eval", odd)]


@pytest.mark.parametrize("texts", [["a.npz", "b.npz"], ["x=a.npz", "x=b.npz"], ["=a.npz"]])
def test_two_sets_of_one_name_are_refused(texts):
    with pytest.raises(UsageError, match="has the name of another set, or none") as caught:
        named_sets(texts)

    assert "--eval clean=a.npz --eval shifted=b.npz" in caught.value.hint


@pytest.mark.parametrize(
    ("arrays", "message", "hint"),
    [
        ({"images": X, "labels": Y}, "has no `x`, but `images`, `labels`", "np.savez"),
        ({"x": X, "y": Y[:3]}, "has 4 samples but 3 labels in `y`", "one label a sample"),
        ({"x": X[:0], "y": Y[:0]}, r"is empty: its shape is \(0, 2, 3\)", "at least one"),
        ({"x": X * np.nan, "y": Y}, "has 24 values that are NaN or infinite", "leave those"),
        ({"x": np.array(["a"] * 4), "y": Y}, "has dtype <U1, not numbers", "float32"),
        ({"x": X, "y": np.array(["a"] * 4)}, "are no labels: <U1", "class number"),
        ({"x": X, "y": np.where(Y > 0, np.inf, 0)}, "labels that are NaN or infinite", "leave those"),
        ({"x": X, "y": np.array([{}] * 4)}, "holds Python objects", "np.savez"),
    ],
)
def test_what_is_no_evaluation_set_is_refused(arrays, message, hint, saved):
    with pytest.raises(UsageError, match=message) as caught:
        load_eval(saved(**arrays))

    assert hint in caught.value.hint


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"there is no evaluation set at .*none\.npz") as caught:
        load_eval(tmp_path / "none.npz")

    assert "--eval" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"no archive"])
def test_a_damaged_set_is_not_readable(content, tmp_path):
    path = tmp_path / "eval.npz"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"is no readable \.npz file"):
        load_eval(path)


def test_an_array_alone_is_samples(tmp_path):
    np.save(tmp_path / "eval.npy", X)

    assert load_eval(tmp_path / "eval.npy").n == 4


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 6), (4, 2, 3, 1)])
def test_flat_samples_and_dimensions_of_one_fit(shape):
    check_fits(artifact(), evaluation(X.reshape(shape)))


@pytest.mark.parametrize("shape", [(4, 3, 2), (2, 2, 3, 2), (8, 3)])
def test_samples_of_another_shape_do_not_fit(shape):
    with pytest.raises(ModelError, match=r"expected samples of shape \(2, 3\), got") as caught:
        check_fits(artifact(), evaluation(X.reshape(shape)))

    assert "counts samples" in caught.value.hint


def test_steps_of_int8_fit_a_tflite_that_the_user_brought():
    check_fits(artifact(inputs=(INT8,), recipe="as-is"), evaluation(X.astype(np.int8)))


@pytest.mark.parametrize("made", [artifact(inputs=(FLOAT,)), artifact(inputs=(INT8,), parent_sha256="1" * 64)])
def test_steps_of_int8_do_not_fit_where_their_scale_is_not_known(made):
    with pytest.raises(ModelError, match="holds int8, and what a step stands for") as caught:
        check_fits(made, evaluation(X.astype(np.int8)))

    assert "zero_point" in caught.value.hint


def test_a_reference_is_loaded_where_there_is_one(tmp_path):
    np.savez(tmp_path / "reference.npz", out0=np.ones((4, 3), np.float32), out1=np.zeros((4, 1), np.float32))

    assert load_reference(None) is None
    assert load_reference(Reference(None, "0")) is None
    assert [part.shape for part in load_reference(Reference(tmp_path / "reference.npz", "0"))] == [(4, 3), (4, 1)]
