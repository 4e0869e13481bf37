"""Images made worse in known ways, the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from edgeprof.accuracy import CORRUPTIONS, EvalSet, corrupted, parse_corruption
from edgeprof.errors import ModelError, UsageError

# A bright square, off the middle.
IMAGES = np.zeros((6, 32, 32, 3), np.float32)
IMAGES[:, 8:20, 6:16] = 0.8
TEXTURED = np.clip(IMAGES * 0.5 + np.random.default_rng(1).normal(0.3, 0.1, IMAGES.shape), 0, 1).astype(np.float32)
SET = EvalSet(IMAGES, (("y", np.arange(6)),), "ab" * 32, "clean", pairing="ab" * 32)


@pytest.fixture(autouse=True)
def pillow():
    pytest.importorskip("PIL", reason="JPEG needs Pillow")


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_spoilt_set_is_the_same_samples_under_another_name(name):
    found = corrupted(SET, name, 3)

    assert (found.name, found.base, found.pairing) == (f"{name}:3", "clean", SET.pairing)
    assert found.sha256 != SET.sha256
    assert (found.x.shape, found.x.dtype, found.labels) == (IMAGES.shape, IMAGES.dtype, SET.labels)
    assert 0 <= found.x.min() < found.x.max() <= 1
    assert not np.array_equal(found.x, IMAGES)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_is_the_same_every_time_and_worse_with_severity(name):
    images = replace(SET, x=TEXTURED)

    errors = [np.abs(corrupted(images, name, severity).x - TEXTURED).mean() for severity in (1, 3, 5)]

    assert np.array_equal(corrupted(SET, name, 2).x, corrupted(SET, name, 2).x)
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(0, 255, np.uint8), (0, 255, np.float32), (-1, 1, np.float32), (-2.1, 2.6, np.float32)]
)
def test_every_usual_range_is_kept(low, high, dtype):
    x = (IMAGES / 0.8 * (high - low) + low).astype(dtype)

    found = corrupted(EvalSet(x, (), "ab" * 32), "brightness", 1).x

    assert found.dtype == dtype
    assert (found.min(), found.max()) == pytest.approx((low + 0.05 * (high - low), high), rel=0.03)


def test_brightness_adds_what_it_says():
    assert corrupted(SET, "brightness", 2).x.min() == pytest.approx(0.1)


def test_large_images_are_spoilt_as_the_large_benchmark_has_it():
    noise = CORRUPTIONS["noise"]

    assert [noise.strength(5, side) for side in (28, 32, 128, 224, 500)] == pytest.approx([0.1, 0.1, 0.24, 0.38, 0.38])


def test_contrast_keeps_the_mean():
    assert corrupted(SET, "contrast", 1).x.mean() == pytest.approx(IMAGES.mean(), abs=1e-6)
    assert corrupted(SET, "contrast", 1).x.std() == pytest.approx(0.75 * IMAGES.std(), rel=1e-3)


def test_a_translation_moves_the_square_by_a_share_of_the_side():
    moved = corrupted(SET, "translation", 2).x

    rows = [np.flatnonzero(image[:, :, 0].any(axis=1))[0] for image in moved]
    assert set(rows) <= {8 - 3, 8 + 3}


def test_images_without_channels_are_spoilt_too():
    assert corrupted(EvalSet(IMAGES[..., 0], (), "ab" * 32), "jpeg", 5).x.shape == (6, 32, 32)


def test_what_is_no_image_is_refused():
    with pytest.raises(ModelError, match=r"have shape \(10,\): no images"):
        corrupted(EvalSet(np.zeros((4, 10)), (), "00"), "noise", 1)
    with pytest.raises(ModelError, match="holds int8"):
        corrupted(EvalSet(IMAGES.astype(np.int8), (), "00"), "noise", 1)


def test_severities_are_written_after_a_colon():
    assert parse_corruption("noise") == (("noise", 3),)
    assert parse_corruption("blur:5") == (("blur", 5),)
    assert [severity for _, severity in parse_corruption("all:2")] == [2] * len(CORRUPTIONS)


@pytest.mark.parametrize(
    ("text", "message"), [("nois", "unknown corruption: `nois`"), ("blur:6", "severities are 1 to 5")]
)
def test_unknown_ways_are_refused(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_corruption(text)

    assert "noise" in caught.value.hint or "blur:3" in caught.value.hint
