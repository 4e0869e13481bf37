import json
from dataclasses import asdict

import numpy as np
import pytest

from edgeprof.accuracy import check_golden, encode_golden
from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec
from tests.accuracy.conftest import FLOAT, artifact

INT8_OUT = TensorSpec("class", (1, 100), "int8", 0.1, 0)
FLOAT_OUT = TensorSpec("class", (1, 100), "float32")


@pytest.fixture
def check(tmp_path):
    def compare(expected, got, recipe):
        spec = INT8_OUT if expected.dtype == np.int8 else FLOAT_OUT
        path = tmp_path / "golden.npz"
        np.savez(path, in0=np.zeros((4, 1, 2, 3), np.float32), out0=expected)
        return check_golden(artifact(outputs=(spec,), recipe=recipe), path, got.tobytes())

    return compare


def small_integers():
    return np.random.default_rng(1).integers(-5, 6, (4, 1, 100), np.int8)


def floats():
    return np.random.default_rng(1).standard_normal((4, 1, 100)).astype(np.float32)


def test_equal_outputs_pass_without_a_ratio(check):
    found = check(small_integers(), small_integers(), "int8")

    assert (found.passed, found.max_error, found.sqnr_db) == (True, 0.0, None)


def test_eight_steps_pass_and_nine_do_not_where_the_signal_is_small(check):
    expected = small_integers()

    eight, nine = (check(expected, expected + np.int8(steps), "int8") for steps in (8, 9))

    assert (eight.passed, eight.max_error) == (True, 8)
    assert (nine.passed, nine.max_error) == (False, 9)


def test_nine_steps_pass_where_the_signal_is_large(check):
    expected = np.random.default_rng(1).integers(-118, 119, (4, 1, 100), np.int8)
    got = expected.copy()
    got[0, 0, :10] += 9

    found = check(expected, got, "int8")

    assert found.passed
    assert found.sqnr_db > 20


@pytest.mark.parametrize(
    ("recipe", "error", "passed"),
    [
        ("fp32", 0.005, True),
        ("fp32", 0.05, False),
        ("fp16", 0.05, False),
        ("dynamic", 0.05, True),
        ("as-is", 0.05, True),
        ("dynamic", 0.2, False),
    ],
)
def test_float_outputs_must_agree_as_well_as_their_recipe_allows(recipe, error, passed, check):
    expected = floats()

    found = check(expected, expected * np.float32(1 + error), recipe)

    assert found.passed is passed
    assert found.sqnr_db == pytest.approx(-20 * np.log10(error), abs=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_no_finite_number_fails_and_can_be_stored(value, check):
    got = floats()
    got[2, 0, 5] = value

    found = check(floats(), got, "dynamic")

    assert not found.passed
    assert json.dumps(asdict(found), allow_nan=False)


def test_outputs_where_the_host_has_zeros_fail(check):
    assert not check(np.zeros_like(floats()), floats(), "dynamic").passed


def test_the_worst_of_several_outputs_counts(tmp_path):
    expected = floats()
    np.savez(tmp_path / "golden.npz", out0=expected, out1=expected)
    row = np.concatenate([expected, -expected], axis=2)

    found = check_golden(artifact(outputs=(FLOAT_OUT, FLOAT_OUT)), tmp_path / "golden.npz", row.tobytes())

    assert not found.passed
    assert found.sqnr_db == pytest.approx(-6.02, abs=0.01)


def test_outputs_cut_short_are_refused(check):
    with pytest.raises(ModelError, match="wrote 1200 bytes of outputs for model.tflite, expected 1600"):
        check(floats(), floats()[:3], "fp32")


def test_golden_inputs_stand_one_sample_after_another(tmp_path):
    path = tmp_path / "golden.npz"
    first, second = np.arange(8, dtype=np.float32).reshape(4, 1, 2), np.arange(4, dtype=np.int8).reshape(4, 1, 1)
    np.savez(path, in0=first, in1=second)
    inputs = (TensorSpec("a", (1, 2), "float32"), TensorSpec("b", (1, 1), "int8"))

    raw, count = encode_golden(artifact(inputs=inputs, golden=path))

    assert count == 4
    assert raw == b"".join(first[i].tobytes() + second[i].tobytes() for i in range(4))


def test_an_artifact_without_golden_vectors_says_what_brings_them():
    with pytest.raises(ModelError, match=r"model\.tflite has no golden vectors") as caught:
        encode_golden(artifact(inputs=(FLOAT,)))

    assert "edgeprof[compress]" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing"])
def test_damaged_golden_vectors_are_named(content, tmp_path):
    path = tmp_path / "golden.npz"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=r"golden\.npz` cannot be read") as caught:
        encode_golden(artifact(golden=path))

    assert "compress again" in caught.value.hint
