import numpy as np
import pytest

from edgeprof.accuracy import decode_outputs, encode_inputs
from edgeprof.errors import ModelError
from edgeprof.records import TensorSpec
from tests.accuracy.conftest import FLOAT, INT8, artifact


def test_float_samples_become_little_endian_float32_in_c_order():
    x = np.asfortranarray(np.arange(12, dtype=">f8").reshape(2, 2, 3))

    raw = encode_inputs(artifact(), x)

    np.testing.assert_array_equal(np.frombuffer(raw, "<f4"), np.arange(12))


def test_integer_inputs_are_quantised_half_to_even_and_clipped():
    x = np.array([[[0, 0.25, 0.75], [1.25, 1000, -1000]]])

    raw = encode_inputs(artifact(inputs=(INT8,)), x)

    assert np.frombuffer(raw, np.int8).tolist() == [-10, -10, -8, -8, 127, -128]


def test_samples_of_the_tensors_own_dtype_pass_unchanged():
    x = np.arange(6, dtype=np.int8).reshape(1, 2, 3)

    assert encode_inputs(artifact(inputs=(INT8,)), x) == x.tobytes()


def test_uint8_pixels_are_quantised_for_an_int8_input():
    spec = TensorSpec("image", (1, 3), "int8", 1.0, -128)

    raw = encode_inputs(artifact(inputs=(spec,)), np.array([[0, 128, 255]], np.uint8))

    assert np.frombuffer(raw, np.int8).tolist() == [-128, 0, 127]


def test_samples_of_another_size_are_refused():
    with pytest.raises(ModelError, match=r"samples of shape \(4,\) do not fit input `image`") as caught:
        encode_inputs(artifact(), np.zeros((3, 4)))

    assert caught.value.hint == "expected (2, 3) for each sample"


def test_a_model_of_two_inputs_is_refused():
    with pytest.raises(ModelError, match="has 2 inputs: `image`, `image`"):
        encode_inputs(artifact(inputs=(FLOAT, INT8)), np.zeros((3, 2, 3)))


def test_integer_outputs_become_real_numbers():
    spec = TensorSpec("class", (1, 3), "int8", 1 / 256, -128)
    raw = np.array([[-128, 0, 127], [127, -128, -64]], np.int8).tobytes()

    (outputs,) = decode_outputs(artifact(outputs=(spec,)), raw, 2)

    assert outputs.dtype == np.float32
    assert outputs.tolist() == [[0, 0.5, 255 / 256], [255 / 256, 0, 0.25]]


def test_several_outputs_are_taken_apart_sample_by_sample():
    outputs = (TensorSpec("class", (1, 2), "float32"), TensorSpec("box", (1, 3), "uint8"))
    samples = [np.array([i, i + 0.5], "<f4").tobytes() + bytes([9, 9, 9]) for i in range(4)]

    found = decode_outputs(artifact(outputs=outputs), b"".join(samples), 4)

    assert [part.tolist() for part in found] == [[[0, 0.5], [1, 1.5], [2, 2.5], [3, 3.5]], [[9, 9, 9]] * 4]


def test_outputs_of_another_length_are_refused():
    with pytest.raises(ModelError, match="wrote 23 bytes of outputs for model.tflite, expected 24") as caught:
        decode_outputs(artifact(), bytes(23), 2)

    assert "another model" in caught.value.hint
