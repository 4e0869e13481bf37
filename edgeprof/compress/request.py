"""What to make of a Keras model."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

CALIBRATION_SAMPLES = 200


@dataclass(frozen=True, slots=True)
class CompressRequest:
    """What to make of a Keras model.

    Attributes:
        model: `.keras`, `.h5` or SavedModel folder; told apart by content.
        recipes: Names from `recipe_names()` or paths of `.toml` files, an artifact each; none means `fp32`.
        calibration: `.npz`, `.npy` or a folder of images; int8 and int16x8 need it.
        io: Inputs and outputs of int8: `int8` or `float`.
        out: Folder to copy the artifacts to, or `None` to leave them in the cache.
        preprocessing: How a folder of images becomes inputs; see `edgeprof.compress.images`.
        trust_model: Load models that bring code of their own.
        calibration_samples: At most so many samples are used, evenly spaced over the set.
        train: `.npz`, or a `.py` with `dataset()`, for steps that fine-tune.
        seed: Of everything random in the steps.
    """

    model: Path
    recipes: tuple[str, ...] = ()
    calibration: Path | None = None
    _: KW_ONLY
    io: str = "int8"
    out: Path | None = None
    preprocessing: str | None = None
    trust_model: bool = False
    calibration_samples: int = CALIBRATION_SAMPLES
    train: Path | None = None
    seed: int = 0
