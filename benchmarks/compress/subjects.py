"""Which models are compressed how, and on which data. Calibration and training never see an evaluation set."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.compress.data import make_data, save
from benchmarks.compress.models import BUILDERS, EPOCHS, ROOT, model_path, train_model

BASE, FLOAT = "int8", "fp32"
CORRUPTIONS = ("noise", "blur", "contrast", "rotation")
OWN = Path(__file__).parent / "recipes"
EXAMPLE = ROOT / "examples" / "fashion_mnist" / "fashion_cnn.keras"

# What the two questions need is measured first: the minutes may end.
URGENT = (BASE, FLOAT, "channels65-m32-int8", "channels65-m32-kd-int8", "channels69-m32-kd-int8", "prune80-int8")

# In the page's order.
CONVERSIONS = ("int8", "fp32", "fp16", "dynamic", "int8-tensor", "int8-p999", "int16x8", "w4a8", "w8a16", "w4")
TUNED = (
    "channels65-m32-int8", "prune80-int8", "channels65-m32", "channels78-m16-int8", "prune50-int8", "prune60-pqat", "c16-int8", "channels50-int8",
    "distill-m32-int8", "int8-qat", "prune50-c16-int8", "lowrank-int8", "prune24-int8", "ternary",
    # Last: a recipe in between would give others another turn.
    "channels65-m32-kd-int8", "channels69-m32-kd-int8",
)  # fmt: skip
_EXAMPLE = (
    *CONVERSIONS, "prune80-int8", "prune80-pqat", "int8-qat", "prune24-int8", "c16-int8", "prune50-int8", "c16-cqat",
    "channels50-int8", "lowrank-int8", "distill-int8", "binary", "ternary", "prune80-taylor-int8", "prune80-fisher-int8",
    "prune50-c16-int8", "prune50-c16-pcqat", "int8-ends-float",
)  # fmt: skip
_NO_LABELS = (
    "int8-qat", "prune50-int8", "prune80-pqat", "c16-int8", "channels30-int8", "lowrank-int8", "distill-int8",
    "prune50-long-int8", "channels30-long-int8", "distill-long-int8",
    "channels50-float",
)  # fmt: skip
# What is made without `--all`, in less than 90 minutes: docs/benchmarks.md has what each part took.
_USUAL_FASHION = (
    "int8", "fp32", "fp16", "dynamic", "int8-tensor", "int8-p999", "w4a8", "w4", "channels65-m32-int8", "channels65-m32",
    "prune80-int8", "prune50-int8", "int8-qat", "lowrank-int8",
)  # fmt: skip
_USUAL = {
    "fashion_mobilenet": (*_USUAL_FASHION, "channels69-m32-kd-int8"),
    "fashion_resnet": (*_USUAL_FASHION, "prune24-int8"),
    "pretrainedResnet": (
        "int8", "fp32", "int8-qat", "prune50-int8", "c16-int8", "channels30-int8", "lowrank-int8", "distill-int8",
    ),
    "vww_96": ("int8", "fp32", "w4a8", "prune50-int8", "c16-int8", "channels50-float"),
    "kws_ref_model": ("int8", "fp32", "w4a8", "prune50-int8", "c16-int8", "channels50-float"),
}  # fmt: skip
_FEW = ("prune50-int8", "c16-int8", "channels30-int8", "channels50-float")

VARIABLE = "EDGEPROF_TEST_DATA"
_CIFAR = "CIFAR-10, the first 500 test images; calibrated and tuned on 1,000 training images without their labels"
_UNLABELLED = {
    "vww_96": (
        "wake", "MLPerf Tiny visual wake words (MobileNet)",
        "agreement only: no labelled data at hand; 500 CIFAR-10 test images enlarged to 96×96, calibrated and tuned on 200 training images",
    ),
    "kws_ref_model": (
        "words", "MLPerf Tiny keyword spotting (DS-CNN)",
        "agreement only: 400 inputs, calibrated and tuned on 100 others of the same file; its labels are not used",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """A Keras model, its data in their roles, and what is made of it.

    Attributes:
        name: The model file's stem.
        title: For people.
        data: What it was evaluated on, for people.
        model: `.keras` or `.h5`.
        calibration: `.npz` with `x`.
        evaluation: `.npz` with `x`, and `y` where accuracy can be measured.
        train: For steps that fine-tune, or `None`.
        recipes: Names and `.toml` files; `int8` and `fp32` are among them.
        corruptions: How the evaluation set is spoilt besides.
        labelled: Accuracy can be measured; else agreement with the float model only.
        timed: Latencies and memory are measured too.
    """

    name: str
    title: str
    data: str
    model: Path
    calibration: Path
    evaluation: Path
    train: Path | None
    recipes: tuple[str, ...]
    corruptions: tuple[str, ...] = ()
    labelled: bool = True
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where the benchmark works, and how much of the data it takes.

    Attributes:
        folder: Of all that it makes.
        rows: At most so many images of each part of Fashion-MNIST, for a trial; `None` for all.
        epochs: To train the models for.
    """

    folder: Path
    rows: int | None = None
    epochs: int = EPOCHS

    @property
    def fashion(self) -> Path:
        """Return the folder of Fashion-MNIST in its roles."""
        return self.folder / (f"data{self.rows}" if self.rows else "data")


def prepare(name: str, place: Place) -> None:
    """Make what a subject needs, unless it is there: data in their roles, and a trained model.

    Raises:
        Absent: It needs what is not on this machine.
    """
    if name in _MLPERF:
        _make_sets(_test_data(), place.folder / "data-mlperf")
        return
    make_data(place.fashion if name in BUILDERS else place.folder / "data", place.rows if name in BUILDERS else None)
    train = place.fashion / "train.npz"
    if name in BUILDERS:
        path = model_path(name, train, place.folder / "models", place.epochs)
        if not path.is_file():
            train_model(name, train, path, place.epochs)


def subject(name: str, place: Place) -> Subject:
    """Return the subject of that name.

    Raises:
        Absent: What it needs is not there.
    """
    if name in _MLPERF:
        return _mlperf_tiny(name, place)
    data = place.fashion if name in BUILDERS else place.folder / "data"
    if not (data / "test.npz").is_file():
        raise Absent("not reached yet")
    return _fashion(name, place) if name in BUILDERS else _example(place)


_MLPERF = ("pretrainedResnet", "vww_96", "kws_ref_model")
NAMES = (*BUILDERS, "fashion_cnn", *_MLPERF)
USUAL_NAMES = tuple(name for name in NAMES if name in _USUAL)


def is_usual(name: str, recipe: str) -> bool:
    """Return whether a recipe of a subject is made without `--all`; of a subject that is all or nothing each one is."""
    return recipe in _USUAL.get(name, (recipe,))


class Absent(Exception):  # noqa: N818 - no error: the page says what is not there
    """What a subject needs is not on this machine."""


def _fashion(name: str, place: Place) -> Subject:
    data = place.fashion
    model = model_path(name, data / "train.npz", place.folder / "models", place.epochs)
    if not model.is_file():
        raise Absent("its model is not trained yet")
    return Subject(
        name,
        f"{name.removeprefix('fashion_')}-like, on Fashion-MNIST",
        _roles(data / "train.npz", data / "test.npz"),
        model,
        data / "calibration.npz",
        data / "test.npz",
        data / "train.npz",
        named((*CONVERSIONS, *TUNED)),
        CORRUPTIONS,
    )


def _roles(train: Path, test: Path) -> str:
    """Return which images are what, as the files say."""
    with np.load(train) as found:
        tuned, choose = len(found["y"]), len(found["y_validation"])
    with np.load(test) as found:
        return f"Fashion-MNIST, {len(found['y']):,} test images; trained and tuned on {tuned:,} others, {choose:,} more choose"


def _example(place: Place) -> Subject:
    data = place.folder / "data"  # all of it, also in a trial
    return Subject(
        "fashion_cnn",
        "The example, `examples/fashion_mnist`",
        "Fashion-MNIST, the 10,000 test images; tuned on 5,400 of the others, 600 choose",
        EXAMPLE,
        data / "calibration.npz",
        data / "test.npz",
        data / "few.npz",
        named(_EXAMPLE),
        timed=False,
    )


def _mlperf_tiny(name: str, place: Place) -> Subject:
    source, data = _test_data(), place.folder / "data-mlperf"
    if not (data / "words-inputs.npz").is_file():
        raise Absent("not reached yet")
    model = source / "models" / "mlperf_tiny" / f"{name}.h5"
    if name == "pretrainedResnet":
        images, test = data / "cifar-calibration.npz", data / "cifar-test.npz"
        recipes = named((*CONVERSIONS, *_NO_LABELS))
        return Subject(name, "MLPerf Tiny ResNet-8", _CIFAR, model, images, test, images, recipes, ("noise", "blur"))
    kind, title, text = _UNLABELLED[name]
    calibration, inputs = data / f"{kind}-calibration.npz", data / f"{kind}-inputs.npz"
    recipes = named((*CONVERSIONS, *_FEW))
    return Subject(name, title, text, model, calibration, inputs, calibration, recipes, labelled=False)


def _test_data() -> Path:
    given = os.environ.get(VARIABLE)
    if not given or not Path(given).is_dir():
        raise Absent(f"{VARIABLE} names no folder with the models and data of MLPerf Tiny")
    return Path(given)


def named(recipes: tuple[str, ...]) -> tuple[str, ...]:
    """Return recipes with those of this benchmark's own as paths."""
    own = {path.stem: str(path) for path in OWN.glob("*.toml")}
    return tuple(own.get(name, name) for name in recipes)


def _make_sets(source: Path, data: Path) -> None:
    """Write the sets of MLPerf Tiny's models in their roles, once."""
    if (data / "words-inputs.npz").is_file():
        return
    data.mkdir(parents=True, exist_ok=True)
    with np.load(source / "eval" / "cifar10_calib1000_train.npz") as found:
        train = found["x"].astype(np.float32)
    with np.load(source / "eval" / "cifar10_test500_lossless.npz") as found:
        test, labels = found["x"].astype(np.float32), found["y"].astype(np.int64).ravel()
    save(data / "cifar-calibration.npz", x=train)
    save(data / "cifar-test.npz", x=test, y=labels)
    save(data / "wake-calibration.npz", x=_enlarged(train[:200]))
    save(data / "wake-inputs.npz", x=_enlarged(test))
    with np.load(source / "eval" / "kws01_first500.npz") as found:
        words = (found["x"].astype(np.float32) - _WORDS_ZERO) * _WORDS_SCALE
    words = words.reshape(-1, 49, 10, 1)
    save(data / "words-calibration.npz", x=words[:100])
    save(data / "words-inputs.npz", x=words[100:])


def _enlarged(images: np.ndarray) -> np.ndarray:
    """Return images of 32 pixels three times as large, from 0 to 1."""
    return (images.repeat(3, axis=1).repeat(3, axis=2) / np.float32(255)).astype(np.float32)


# What a step of the int8 inputs stands for, as the reference model's input says.
_WORDS_SCALE, _WORDS_ZERO = np.float32(0.5847029), np.float32(83)
