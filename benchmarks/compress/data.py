"""Fashion-MNIST in its roles: gradients and choices from the 60,000, evaluation from the 10,000, never the other way."""

import gzip
from pathlib import Path

import numpy as np

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
VALIDATION_SHARE = 0.1
CALIBRATION_IMAGES = 300
# Of the example: so few that anybody can repeat its figures in minutes.
FEW_IMAGES = 6_000
_SEED = 20


def make_data(folder: Path, rows: int | None = None, source: Path = DEBIAN) -> None:
    """Write `train.npz` (with `x_validation`), `few.npz`, `calibration.npz` and `test.npz`, once.

    Args:
        folder: Where to.
        rows: At most so many images of each part, for a trial.
        source: The IDX files of Debian's package.
    """
    names = ("train", "few", "calibration", "test")
    if all((folder / f"{name}.npz").is_file() for name in names):
        return
    if not source.is_dir():
        raise SystemExit(f"there is no Fashion-MNIST at {source}: apt-get install dataset-fashion-mnist")
    folder.mkdir(parents=True, exist_ok=True)
    x, y = (array[:rows] for array in read_part(source, "train"))
    order = np.random.default_rng(_SEED).permutation(len(x))
    apart, rest = np.split(order, [round(VALIDATION_SHARE * len(x))])
    few = rest[:FEW_IMAGES]
    save(folder / "train.npz", x=x[rest], y=y[rest], x_validation=x[apart], y_validation=y[apart])
    save(folder / "few.npz", x=x[few], y=y[few])
    save(folder / "calibration.npz", x=x[rest[:CALIBRATION_IMAGES]])
    x, y = (array[:rows] for array in read_part(source, "t10k"))
    save(folder / "test.npz", x=x, y=y)


def read_part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images `(n, 28, 28, 1)`, float32 from 0 to 1, and labels `(n,)` of `train` or `t10k`."""
    images = _read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return (images[..., None] / np.float32(255)).astype(np.float32), labels.astype(np.int64)


def save(path: Path, **arrays: np.ndarray) -> None:
    """Write a `.npz` that is whole or not there."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(path)


def _read_idx(path: Path) -> np.ndarray:
    """Return the array in a gzipped IDX file. Source: http://yann.lecun.com/exdb/mnist, "file format"."""
    data = gzip.decompress(path.read_bytes())
    dimensions = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dimensions)
