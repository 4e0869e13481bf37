import re

import numpy as np
import pytest
from PIL import Image

from edgeprof.compress import CompressRequest, check_ranges, compress
from edgeprof.compress.calibration import check_calibration, load_calibration
from edgeprof.compress.images import PREPROCESSING, prepare
from edgeprof.compress.sampling import Sampling
from edgeprof.errors import ModelError, UsageError
from edgeprof.records import TensorSpec
from tests.compress.conftest import silent

IMAGE = TensorSpec("image", (1, 4, 6, 3), "float32")
ROW = TensorSpec("row", (1, 5), "float32")


def saved(folder, **arrays):
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(5):
        Image.new("RGB", (12, 8), (i * 10, 100, 255)).save(folder / f"{i}.png")
    return folder


def test_the_array_is_found_by_the_inputs_name_or_x_or_being_the_only_one(tmp_path):
    x = np.ones((3, 5), np.float32)

    for names in ({"row": x}, {"x": x, "other": x}, {"whatever": x}, {"whatever": x, "y": np.zeros(3)}):
        (found,) = load_calibration(saved(tmp_path, **names), None, [ROW], Sampling(10))
        assert found.shape == (3, 5)


def test_a_npy_file_serves_a_model_of_one_input(tmp_path):
    np.save(tmp_path / "data.npy", np.ones((3, 5)))

    (found,) = load_calibration(tmp_path / "data.npy", None, [ROW], Sampling(10))

    assert found.dtype == np.float32


def test_samples_are_taken_evenly_over_the_set(tmp_path):
    x = np.repeat(np.arange(101.0)[:, None], 5, axis=1)

    (found,) = load_calibration(saved(tmp_path, x=x), None, [ROW], Sampling(5))

    assert found[:, 0].tolist() == [0, 25, 50, 75, 100]


def test_samples_are_balanced_by_the_labels_beside_them(tmp_path):
    x = np.repeat(np.arange(100.0)[:, None], 5, axis=1)
    y = (np.arange(100) >= 90).astype(int)

    (found,) = load_calibration(saved(tmp_path, x=x, y=y), None, [ROW], Sampling(12, "balanced"))

    assert (found[:, 0] >= 90).sum() == 6
    (again,) = load_calibration(saved(tmp_path, x=x, y=np.eye(2)[y]), None, [ROW], Sampling(12, "balanced"))
    np.testing.assert_array_equal(again, found)


def test_samples_without_labels_cannot_be_balanced(tmp_path):
    path = saved(tmp_path, x=np.ones((3, 5)))

    with pytest.raises(UsageError, match="does not say which class they are of") as caught:
        check_calibration(path, None, Sampling(choice="balanced"))

    assert "y=labels" in caught.value.hint


def test_more_samples_than_there_are_is_an_error_with_their_number(tmp_path, images):
    path = saved(tmp_path, x=np.ones((3, 5)))

    for given, preprocessing, n in ((path, None, 3), (images, "0-1", 5)):
        with pytest.raises(UsageError, match=f"10 calibration samples were asked for, and .* has {n}"):
            check_calibration(given, preprocessing, Sampling(10))


def test_images_are_balanced_by_their_folders(tmp_path):
    for name, count in (("cat", 8), ("dog", 2)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new("RGB", (6, 4), (255 if name == "dog" else 0, 0, 0)).save(tmp_path / name / f"{i}.png")

    (found,) = load_calibration(tmp_path, "0-1", [IMAGE], Sampling(4, "balanced"))

    assert sorted(found[:, 0, 0, 0].tolist()) == [0, 0, 1, 1]


def test_images_in_one_folder_have_no_classes_to_balance(images):
    with pytest.raises(UsageError, match="lie in one folder") as caught:
        check_calibration(images, "0-1", Sampling(choice="balanced"))

    assert "a folder of their own" in caught.value.hint


def test_dimensions_of_one_may_be_left_out(tmp_path):
    spec = TensorSpec("image", (1, 4, 6, 1), "float32")

    (found,) = load_calibration(saved(tmp_path, x=np.ones((3, 4, 6))), None, [spec], Sampling(10))

    assert found.shape == (3, 4, 6, 1)


def test_another_shape_is_refused_with_both(tmp_path):
    path = saved(tmp_path, x=np.ones((7, 3, 4, 6), np.float32))

    with pytest.raises(ModelError, match=re.escape("expected shape (n, 4, 6, 3), got (7, 3, 4, 6)")) as caught:
        load_calibration(path, None, [IMAGE], Sampling(10))

    assert "counts samples" in caught.value.hint


def test_inputs_without_their_arrays_are_named(tmp_path):
    path = saved(tmp_path, x=np.ones((7, 5)))

    with pytest.raises(ModelError, match="has `x`, the model's inputs are `row`, `image`") as caught:
        load_calibration(path, None, [ROW, IMAGE], Sampling(10))

    assert "row=" in caught.value.hint


@pytest.mark.parametrize(
    ("array", "message", "hint"),
    [
        (np.array([{"a": 1}], object), "holds Python objects", "np.savez"),
        (np.array(["a", "b"]), "has dtype <U1, not numbers", "float32"),
        (np.ones((2, 5), complex), "has dtype complex128, not numbers", "float32"),
        (np.array([[1.0, np.nan, np.inf]]), "has 2 values that are NaN or infinite", "leave those"),
        (np.ones((0, 5)), r"is empty: its shape is \(0, 5\)", "at least one"),
        (np.float32(3), r"is empty: its shape is \(\)", "at least one"),
    ],
)
def test_what_is_no_finite_numbers_is_refused(array, message, hint, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=array)

    with pytest.raises(ModelError, match=message) as caught:
        check_calibration(path, None)

    assert hint in caught.value.hint


def test_missing_data_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"there is no calibration data at .*none\.npz") as caught:
        check_calibration(tmp_path / "none.npz", None)

    assert "--calibration" in caught.value.hint


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,2,3")

    with pytest.raises(UsageError, match="no calibration data that can be read") as caught:
        check_calibration(path, None)

    assert ".npz, .npy or a folder of images" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"no archive"])
def test_a_damaged_file_is_not_readable(content, tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=r"is not a readable \.npz file"):
        check_calibration(path, None)


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
def test_integer_recipes_ask_for_calibration_data(recipe, example):
    with pytest.raises(UsageError, match=f"{recipe} of .* needs representative data") as caught:
        compress(CompressRequest(example / "fashion_cnn.keras", (recipe,)), silent)

    assert "--calibration" in caught.value.hint


def test_images_need_declared_preprocessing(images):
    with pytest.raises(UsageError, match="how to prepare them is not said") as caught:
        check_calibration(images, None)

    assert "imagenet-caffe" in caught.value.hint


def test_unknown_preprocessing_suggests_the_nearest(images):
    with pytest.raises(UsageError, match="unknown preprocessing: `imagenet-cafe`") as caught:
        check_calibration(images, "imagenet-cafe")

    assert "did you mean `imagenet-caffe`?" in caught.value.hint


def test_a_folder_without_images_says_what_it_looks_for(tmp_path):
    with pytest.raises(ModelError, match="there are no images") as caught:
        check_calibration(tmp_path, "0-1")

    assert ".png" in caught.value.hint


def test_a_file_that_is_no_image_is_named(images):
    (images / "bad.png").write_bytes(b"no image")

    with pytest.raises(ModelError, match=r"bad\.png` is not a readable image"):
        load_calibration(images, "0-1", [IMAGE], Sampling(10))


def test_images_do_not_fit_a_model_of_rows(images):
    with pytest.raises(ModelError, match="a folder of images does not fit") as caught:
        load_calibration(images, "0-1", [ROW], Sampling(10))

    assert "expected one input" in caught.value.hint


def test_images_get_the_inputs_size_and_scale(images):
    (found,) = load_calibration(images, "0-1", [IMAGE], Sampling(3))

    assert found.shape == (3, 4, 6, 3)
    np.testing.assert_allclose(found[:, 0, 0, 0] * 255, [0, 20, 40], atol=1e-4)
    np.testing.assert_allclose(found[0, 0, 0], [0, 100 / 255, 1], rtol=1e-6)


def test_a_grey_model_gets_grey_images(images):
    (found,) = load_calibration(images, "imagenet-torch", [TensorSpec("image", (1, 4, 6, 1), "float32")], Sampling(3))

    assert found.shape == (3, 4, 6, 1)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("0-1", [0, 0.5, 1]),
        ("-1-1", [-1, 0, 1]),
        ("0-255", [0, 127.5, 255]),
        ("imagenet-caffe", [255 - 103.939, 127.5 - 116.779, -123.68]),
        ("imagenet-torch", [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
    ],
)
def test_each_scheme_gives_what_its_models_were_trained_on(scheme, expected):
    pixel = np.array([[[0, 127.5, 255]]])

    found = prepare(pixel, PREPROCESSING[scheme])

    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-5, atol=1e-6)


def test_data_scaled_otherwise_than_the_evaluation_set_are_noticed(tmp_path):
    path = saved(tmp_path, x=np.full((2, 5), 255.0))

    text = check_ranges(path, np.full((2, 5), 1.0))

    assert "calibration data reach 255, evaluation data 1" in text


@pytest.mark.parametrize("reach", [0.9, 1.0, 2.0, 13.0])
def test_data_scaled_alike_give_no_warning(reach, tmp_path):
    path = saved(tmp_path, x=np.ones((2, 5)))

    assert check_ranges(path, np.full((2, 5), reach)) is None
