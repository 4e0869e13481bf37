import random

import pytest

from edgeprof.analysis import read_model
from edgeprof.errors import ModelError


@pytest.fixture(scope="module")
def content(artifacts):
    return artifacts["int8"].path.read_bytes()


@pytest.mark.tensorflow
def test_an_int8_file_tells_scale_and_zero_point_of_inputs_and_outputs(artifacts):
    found = read_model(artifacts["int8"].path)

    assert (found.inputs[0].shape, found.inputs[0].dtype) == ((1, 28, 28, 1), "int8")
    assert (found.inputs[0].scale, found.inputs[0].zero_point) == (pytest.approx(1 / 255), -128)
    assert (found.outputs[0].scale, found.outputs[0].zero_point) == (1 / 256, -128)
    assert found.float_ops == ()


@pytest.mark.tensorflow
def test_a_float_file_has_no_scale_and_names_its_ops(artifacts):
    found = read_model(artifacts["fp32"].path)

    assert (found.inputs[0].scale, found.inputs[0].zero_point) == (None, None)
    assert found.ops == ("CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MEAN", "SOFTMAX")
    assert found.custom_ops == ()
    assert not found.stateful
    assert not found.quantised


def test_a_recurrent_model_with_variables_is_stateful(data):
    found = read_model(data / "models" / "tflm" / "trained_lstm.tflite")

    assert found.stateful


def test_a_custom_op_is_named(data):
    found = read_model(data / "models" / "coral" / "model_invoking_error.tflite")

    assert found.custom_ops == ("fake-op-double",)


def test_a_file_whose_name_says_float_is_seen_to_be_quantised(data):
    found = read_model(data / "models" / "mlperf_tiny" / "kws_ref_model_float32.tflite")

    assert found.inputs[0].dtype == "float32"
    assert found.quantised


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="there is no file .*none.tflite") as caught:
        read_model(tmp_path / "none.tflite")

    assert caught.value.hint == "check the path"


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"")

    with pytest.raises(ModelError, match="model.tflite` is empty") as caught:
        read_model(path)

    assert "interrupted copy" in caught.value.hint


def test_random_bytes_are_not_a_tflite_file(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(random.Random(1).randbytes(4096))

    with pytest.raises(ModelError, match="not a .tflite file: bytes 4 to 7") as caught:
        read_model(path)

    assert "`edgeprof compress MODEL` makes one" in caught.value.hint


@pytest.mark.tensorflow
@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_short_is_said_to_be(content, share, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content[: max(9, int(len(content) * share))])

    with pytest.raises(ModelError, match="damaged or cut short") as caught:
        read_model(path)

    assert "compare its size" in caught.value.hint


@pytest.mark.tensorflow
def test_whatever_bytes_are_broken_nothing_but_a_model_error_comes_out(content, tmp_path):
    path = tmp_path / "model.tflite"
    chance = random.Random(2)
    refused = 0

    for _ in range(300):
        broken = bytearray(content)
        for _ in range(30):
            broken[chance.randrange(8, 4000)] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            read_model(path)
        except ModelError:
            refused += 1

    assert refused > 200


def test_an_identifier_before_random_bytes_is_damaged(tmp_path):
    path = tmp_path / "model.tflite"
    chance = random.Random(3)

    for _ in range(100):
        path.write_bytes(chance.randbytes(4) + b"TFL3" + chance.randbytes(2000))
        with pytest.raises(ModelError, match="damaged or cut short"):
            read_model(path)
