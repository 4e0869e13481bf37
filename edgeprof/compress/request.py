"""What to make of a Keras model."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from edgeprof.compress.sampling import EVEN, Sampling


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
        calibration_samples: How many samples are used; `None` for 200, or all where there are fewer.
        calibration_choice: Which: `even`, `first`, `random` or `balanced`; see `edgeprof.compress.sampling`.
        train: `.npz`, or a `.py` with `dataset()`, for steps that fine-tune.
        seed: Of everything random in the steps, and of a random choice of samples.
        jobs: How many recipes are made at once at most; `None` for as many as there are cores, where that pays. Never
            more than free memory lets.
    """

    model: Path
    recipes: tuple[str, ...] = ()
    calibration: Path | None = None
    _: KW_ONLY
    io: str = "int8"
    out: Path | None = None
    preprocessing: str | None = None
    trust_model: bool = False
    calibration_samples: int | None = None
    calibration_choice: str = EVEN
    train: Path | None = None
    seed: int = 0
    jobs: int | None = None

    @property
    def sampling(self) -> Sampling:
        """Which samples of the calibration data are used."""
        return Sampling(self.calibration_samples, self.calibration_choice, self.seed)
