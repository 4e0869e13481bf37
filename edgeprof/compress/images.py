"""A folder of images as representative data, prepared as the user declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprof.analysis.numbers import Array
from edgeprof.compress.sampling import BALANCED, Indices, Sampling, pick
from edgeprof.errors import ModelError, UsageError
from edgeprof.names import did_you_mean
from edgeprof.records import TensorSpec

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")

_EVERY = Sampling()


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels of 0 to 255 become inputs: `(pixel / divide - subtract) / deviation`, each channel on its own."""

    divide: float = 1.0
    subtract: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    bgr: bool = False


# The two of ImageNet are `caffe` and `torch` of keras.applications.imagenet_utils.preprocess_input.
PREPROCESSING = {
    "0-1": Preprocessing(divide=255.0),
    "-1-1": Preprocessing(divide=127.5, subtract=(1.0,)),
    "0-255": Preprocessing(),
    "imagenet-caffe": Preprocessing(subtract=(103.939, 116.779, 123.68), bgr=True),
    "imagenet-torch": Preprocessing(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def check_images(folder: Path, preprocessing: str | None, sampling: Sampling = _EVERY) -> None:
    """Refuse a folder without images or without a declared way to prepare them.

    Raises:
        UsageError: `--preprocess` is missing or unknown, Pillow is not there, there are fewer images than asked for,
            or no folders that tell their classes.
        ModelError: The folder holds no images.
    """
    from importlib.util import find_spec

    names = ", ".join(PREPROCESSING)
    if preprocessing is None:
        raise UsageError(
            f"`{folder}` is a folder of images, and how to prepare them is not said", f"--preprocess: {names}"
        )
    if preprocessing not in PREPROCESSING:
        hint = f"{did_you_mean(preprocessing, PREPROCESSING)}known: {names}"
        raise UsageError(f"unknown preprocessing: `{preprocessing}`", hint)
    if not _files(folder):
        raise ModelError(
            f"there are no images in `{folder}`", f"it is searched, with its folders, for {', '.join(_SUFFIXES)}"
        )
    if find_spec("PIL") is None:
        raise UsageError("reading images needs Pillow", "pip install 'edgeprof[compress]'")
    files = _files(folder)
    sampling.check_fits(len(files), folder)
    if sampling.choice == BALANCED:
        _classes(folder, files)


def load_images(folder: Path, preprocessing: str | None, inputs: Sequence[TensorSpec], sampling: Sampling) -> Array:
    """Return `(n, height, width, channels)` in the input's dtype, of the images asked for, in the order of their names.

    Raises:
        UsageError: As `check_images`.
        ModelError: The model does not take one image, or a file is no readable image.
    """
    check_images(folder, preprocessing)
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[3] not in (1, 3):
        shapes = ", ".join(str(spec.shape) for spec in inputs)
        raise ModelError(
            f"a folder of images does not fit the model's inputs {shapes}",
            "expected one input of (1, height, width, 3) or (1, height, width, 1); give .npz instead",
        )
    files = _files(folder)
    picked = pick(len(files), sampling, lambda: _classes(folder, files))
    _, height, width, channels = inputs[0].shape
    pixels = np.stack([_pixels(files[i], (width, height), channels) for i in picked])
    return prepare(pixels, PREPROCESSING[str(preprocessing)]).astype(inputs[0].dtype)


def prepare(pixels: NDArray[np.uint8], how: Preprocessing) -> NDArray[np.float32]:
    """Return RGB or grey pixels `(…, channels)` as float inputs."""
    x = pixels[..., ::-1] if how.bgr else pixels
    # A grey image takes the mean of the three channels' figures.
    subtract, deviation = (
        np.asarray(part) if len(part) == pixels.shape[-1] else np.mean(part) for part in (how.subtract, how.deviation)
    )
    scaled: NDArray[np.float64] = (x.astype(np.float64) / how.divide - subtract) / deviation
    return scaled.astype(np.float32)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())


def _classes(folder: Path, files: Sequence[Path]) -> Indices:
    """Return a number for the folder that each image lies in.

    Raises:
        UsageError: They lie in one folder.
    """
    names = [file.relative_to(folder).parts[0] if file.parent != folder else "" for file in files]
    if len(set(names)) < 2:
        raise UsageError(
            f"`balanced` takes as many images of each class, and those in `{folder}` lie in one folder",
            "put those of each class into a folder of their own; or choose `even`",
        )
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _pixels(path: Path, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            small = image.convert("L" if channels == 1 else "RGB").resize(size, Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as exc:
        raise ModelError(f"`{path}` is not a readable image", "leave it out of the calibration folder") from exc
    return np.asarray(small, dtype=np.uint8).reshape(size[1], size[0], channels)
