import json
import os
import zipfile

import pytest

from edgeprof.compress import CompressRequest, compress, is_tflite, load_artifact
from edgeprof.errors import ModelError, UsageError
from tests.compress.conftest import silent

pytestmark = pytest.mark.tensorflow


def convert(model, *recipes, **options):
    return compress(CompressRequest(model, recipes, **options), silent)


def test_a_tflite_file_is_known_by_content_not_by_name(artifacts, example, tmp_path):
    renamed = tmp_path / "model.keras"
    renamed.write_bytes(artifacts["fp32"].path.read_bytes())

    assert is_tflite(renamed)
    assert not is_tflite(example / "fashion_cnn.keras")
    assert not is_tflite(tmp_path)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="there is no model at .*none.keras"):
        is_tflite(tmp_path / "none.keras")


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"\x1c\0\0\0TF", "not a .tflite file")])
def test_a_broken_file_called_tflite_gets_the_error_of_a_tflite_file(content, message, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)

    assert is_tflite(path)
    with pytest.raises(ModelError, match=message):
        load_artifact(path)


def test_a_tflite_file_is_not_compressed_again(artifacts):
    with pytest.raises(UsageError, match="is a .tflite file already") as caught:
        convert(artifacts["fp32"].path)

    assert "Keras model" in caught.value.hint


def test_a_text_file_is_no_keras_model(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("not a model at all")

    with pytest.raises(ModelError, match="is no Keras model") as caught:
        convert(path)

    assert "SavedModel" in caught.value.hint


def test_an_empty_keras_file_is_said_to_be_empty(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"")

    with pytest.raises(ModelError, match="model.keras` is empty"):
        convert(path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.tflite")

    with pytest.raises(ModelError, match=r"model\.tflite` is no regular file"):
        is_tflite(tmp_path / "model.tflite")


def test_a_folder_without_saved_model_is_none(tmp_path):
    with pytest.raises(ModelError, match=r"is no SavedModel: it has no saved_model\.pb"):
        convert(tmp_path)


def test_a_zip_that_is_no_keras_file_lacks_its_metadata(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")

    with pytest.raises(ModelError, match=r"has no metadata\.json"):
        convert(path)


def test_a_keras_file_cut_short_is_damaged(example, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes((example / "fashion_cnn.keras").read_bytes()[:5000])

    with pytest.raises(ModelError, match=r"is a damaged \.keras file") as caught:
        convert(path)

    assert "again" in caught.value.hint


def test_an_hdf5_file_cut_short_is_damaged(models, tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes((models / "lstm2.h5").read_bytes()[:3000])

    with pytest.raises(ModelError, match="is a damaged HDF5 file"):
        convert(path)


def test_weights_alone_are_no_model(models):
    with pytest.raises(ModelError, match="holds weights without a model") as caught:
        convert(models / "only.weights.h5")

    assert "model.save" in caught.value.hint


@pytest.mark.parametrize("name", ["lambda3.keras", "lambda2.keras", "lambda2.h5"])
def test_a_lambda_layer_is_refused_with_the_way_to_trust_it(models, name):
    with pytest.raises(ModelError, match="a Lambda layer `doubled`: loading it would run code") as caught:
        convert(models / name)

    assert "--trust-model" in caught.value.hint


@pytest.mark.parametrize("name", ["lambda3.keras", "lambda2.h5"])
def test_a_trusted_lambda_layer_is_converted(models, name):
    made = convert(models / name, trust_model=True)

    assert made[0].outputs[0].shape == (1, 2)


def test_a_class_from_outside_keras_is_refused(example, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(example / "fashion_cnn.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        config = json.loads(source.read("config.json"))
        config["config"]["layers"][1] |= {"module": "os", "class_name": "system"}
        with pytest.warns(UserWarning, match="Duplicate name"):
            target.writestr("config.json", json.dumps(config))

    with pytest.raises(ModelError, match="has `system` of module `os`: loading it would run code"):
        convert(path)


def test_a_layer_whose_code_is_elsewhere_is_named(models):
    with pytest.raises(ModelError, match="has a `Unknown` whose code is not in the file") as caught:
        convert(models / "custom.keras")

    assert "SavedModel" in caught.value.hint


def test_an_input_of_unknown_size_is_refused(models):
    with pytest.raises(ModelError, match=r"has shape \(None, None, None, 3\)") as caught:
        convert(models / "any_size.keras")

    assert "keras.Input" in caught.value.hint
