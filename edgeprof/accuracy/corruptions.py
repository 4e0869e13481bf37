"""Images made worse in known ways, to see whether compression costs robustness that the clean set does not show.

Source of the idea, and of the strengths of noise, blur, brightness, contrast and JPEG on images of 32 pixels (their
CIFAR-10-C) and of 224 (ImageNet-C): D. Hendrycks and T. Dietterich (2019), "Benchmarking Neural Network Robustness to
Common Corruptions and Perturbations", ICLR. Between those sizes strengths lie between. Rotation and translation are
ours.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy.evaluation import EvalSet
from edgeprof.analysis.numbers import Array
from edgeprof.errors import ModelError, UsageError
from edgeprof.names import did_you_mean

Image = NDArray[np.float64]
Corrupt = Callable[[Image, float, np.random.Generator], Image]
MIDDLE, SEVERITIES = 3, 5
_VERSION = 1
_SMALL, _LARGE = 32, 224
_CHANNELS = (1, 3, 4)


def _noise(image: Image, strength: float, random: np.random.Generator) -> Image:
    return image + random.normal(0, strength, image.shape)


def _blur(image: Image, strength: float, _: np.random.Generator) -> Image:
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - only where asked for

    return np.asarray(gaussian_filter(image, (strength, strength, 0), mode="nearest"))


def _brightness(image: Image, strength: float, _: np.random.Generator) -> Image:
    return image + strength


def _contrast(image: Image, strength: float, _: np.random.Generator) -> Image:
    mean = image.mean(axis=(0, 1), keepdims=True)
    return np.asarray((image - mean) * strength + mean)


def _rotation(image: Image, strength: float, random: np.random.Generator) -> Image:
    from scipy.ndimage import rotate  # noqa: PLC0415

    angle = strength * random.choice((-1, 1))
    return np.asarray(rotate(image, angle, reshape=False, order=1, mode="nearest"))


def _translation(image: Image, strength: float, random: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    down, right = (round(strength * side) * random.choice((-1, 1)) for side in (height, width))
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.asarray(image[rows][:, columns], np.float64)


def _jpeg(image: Image, strength: float, _: np.random.Generator) -> Image:
    from PIL import Image as Pillow  # noqa: PLC0415

    if image.shape[2] not in (1, 3):
        raise ModelError(f"images of {image.shape[2]} channels cannot be JPEG", "leave `--corrupt jpeg` out")
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(pixels[:, :, 0] if image.shape[2] == 1 else pixels).save(file, "JPEG", quality=int(strength))
    with Pillow.open(file) as opened:
        return (np.asarray(opened, np.float64) / 255).reshape(image.shape)


@dataclass(frozen=True, slots=True)
class Corruption:
    """A way to spoil an image.

    Attributes:
        corrupt: An image `(height, width, channels)` from 0 to 1, a strength and chance to an image.
        small: Strengths for severities 1 to 5 on an image of 32 pixels a side, or fewer.
        large: On one of 224, or more; `None` where size is no matter.
    """

    corrupt: Corrupt
    small: tuple[float, ...]
    large: tuple[float, ...] | None = None

    def strength(self, severity: int, side: int) -> float:
        """Return the strength of a severity on an image of so many pixels a side."""
        ends = [table[severity - 1] for table in (self.small, self.large or self.small)]
        return float(np.interp(side, (_SMALL, _LARGE), ends))


CORRUPTIONS = {
    # Standard deviation, of white.
    "noise": Corruption(_noise, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    # Standard deviation of the Gaussian, in pixels.
    "blur": Corruption(_blur, (0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6)),
    # What is added, of white.
    "brightness": Corruption(_brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    # What is left of it.
    "contrast": Corruption(_contrast, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    # Degrees, to either side.
    "rotation": Corruption(_rotation, (5, 10, 15, 20, 30)),
    # Of the side, in a diagonal direction.
    "translation": Corruption(_translation, (0.05, 0.1, 0.15, 0.2, 0.25)),
    # Quality.
    "jpeg": Corruption(_jpeg, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}


def parse_corruption(text: str) -> tuple[tuple[str, int], ...]:
    """Return what `noise`, `noise:4` or `all:2` asks for: names with a severity from 1 to 5, 3 unless given.

    Raises:
        UsageError: The name or the severity is unknown, or JPEG is asked for and Pillow is missing.
    """
    name, _, severity = text.partition(":")
    if name not in (*CORRUPTIONS, "all"):
        known = f"known: {', '.join(CORRUPTIONS)}, all"
        raise UsageError(f"unknown corruption: `{name}`", did_you_mean(name, list(CORRUPTIONS)) + known)
    if severity not in ("", *map(str, range(1, SEVERITIES + 1))):
        raise UsageError(f"--corrupt `{text}`: severities are 1 to {SEVERITIES}", f"such as --corrupt {name}:{MIDDLE}")
    names = list(CORRUPTIONS) if name == "all" else [name]
    return tuple((one, int(severity or MIDDLE)) for one in names)


def corrupted(evaluation: EvalSet, name: str, severity: int) -> EvalSet:
    """Return a set of the same samples, spoilt; the same every time.

    Raises:
        ModelError: The samples are no images `(n, height, width)` or `(n, height, width, channels)`, or are int8.
        UsageError: Pillow is not installed.
    """
    images = _images(evaluation)
    low, high = _limits(evaluation.x)
    title = f"{name}:{severity}"
    content = hashlib.sha256(f"{evaluation.sha256} {title} {_VERSION}".encode()).hexdigest()
    random = np.random.default_rng(int(content[:15], 16))
    way = CORRUPTIONS[name]
    spoilt = np.empty_like(evaluation.x)
    flat = spoilt.reshape(images.shape)
    for index, image in enumerate(images):
        bare = (image.astype(np.float64) - low) / (high - low)
        made = np.clip(_done(way, bare, severity, random), 0, 1) * (high - low) + low
        flat[index] = made if spoilt.dtype.kind == "f" else np.rint(made)
    return replace(evaluation, x=spoilt, sha256=content, name=title, base=evaluation.name)


def _done(way: Corruption, image: Image, severity: int, random: np.random.Generator) -> Image:
    try:
        return way.corrupt(image, way.strength(severity, max(image.shape[:2])), random)
    except ImportError as exc:
        raise UsageError("JPEG needs Pillow, which is not installed", "pip install 'edgeprof[compress]'") from exc


def _images(evaluation: EvalSet) -> Array:
    x = evaluation.x
    if x.dtype == np.int8:
        message = f"`{evaluation.name}` holds int8, and what a step stands for is not known"
        raise ModelError(message, "save images as uint8 or as real numbers to spoil them")
    if x.ndim == 3 and min(x.shape[1:]) > 1:
        return x[..., None]
    if x.ndim == 4 and x.shape[3] in _CHANNELS and min(x.shape[1:3]) > 1:
        return x
    raise ModelError(
        f"the samples of `{evaluation.name}` have shape {x.shape[1:]}: no images, so `--corrupt` cannot spoil them",
        "images are (height, width) or (height, width, channels); for other data bring a second set: --eval NAME=FILE",
    )


def _limits(x: Array) -> tuple[float, float]:
    """Return what black and white are: the usual range that the samples fit, else their own."""
    low, high = float(x.min()), float(x.max())
    usual = ((0.0, 255.0),) if x.dtype.kind in "iub" else ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
    fitting = next(((a, b) for a, b in usual if a <= low and high <= b), (low, high))
    return fitting if fitting[0] < fitting[1] else (low, low + 1.0)
