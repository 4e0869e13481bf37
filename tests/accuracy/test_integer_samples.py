from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet, check_fits
from edgeprof.errors import ModelError
from edgeprof.records import Artifact, TensorSpec

INT8 = TensorSpec("x", (1, 4), "int8", 0.5, 3)
FLOAT = TensorSpec("x", (1, 4), "float32")
OUTPUT = TensorSpec("y", (1, 2), "float32")
BROUGHT = Artifact(Path("m.tflite"), "0" * 64, 8, "m", "as-is", (INT8,), (OUTPUT,))


def samples(dtype):
    return EvalSet(np.zeros((3, 4), dtype), (("y", np.zeros(3, np.int64)),), "0" * 64)


def test_int8_samples_fit_an_int8_file_that_the_user_brought():
    check_fits(BROUGHT, samples(np.int8))


def test_int8_samples_do_not_fit_a_float_input():
    with pytest.raises(ModelError, match="what a step stands for") as caught:
        check_fits(replace(BROUGHT, inputs=(FLOAT,)), samples(np.int8))

    assert "scale" in caught.value.hint


def test_int8_samples_do_not_fit_what_was_quantised_with_a_scale_of_our_own():
    with pytest.raises(ModelError, match="what a step stands for"):
        check_fits(replace(BROUGHT, recipe="int8", parent_sha256="1" * 64), samples(np.int8))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pixels_and_real_numbers_fit_a_float_input(dtype):
    check_fits(replace(BROUGHT, inputs=(FLOAT,)), samples(dtype))
