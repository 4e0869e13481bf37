"""The two models for Fashion-MNIST: built, trained once, kept by what they were made from.

Most layers are so wide that half of their channels is still a whole number of tiles: XNNPACK's int8 kernels make 16
channels at a time with Arm's dot product, and 64 with AMX, where a narrower layer costs as much as a wide one.
Source: XNNPACK (Apache-2.0), src/configs/gemm-config.c: qs8_qc8w 4x16c4 neondot, 16x64c4 avx512amx.
`python -m benchmarks.compress.models NAME TRAIN.npz MODEL.keras EPOCHS` is the child that knows TensorFlow.
"""

import hashlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeprof.compress.cache import content_sha256

EPOCHS = 6
_SEED = 20
_BATCH = 128
_LEARNING_RATE = 3e-3
# Of batch normalisation's averages: Keras' own 0.99 still holds their first values after hundreds of steps.
_MOMENTUM = 0.9
ROOT = Path(__file__).parents[2]


def mobilenet(layers: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Depthwise separable blocks, as A. G. Howard et al. (2017), "MobileNets", arXiv:1704.04861.

    The first kernel is as wide as its stride: of a single input channel int8 kernels make a whole tile for each of its
    places, so that 3x3 took a quarter of the time of a model that pruning does not touch there.
    """
    image = layers.Input((28, 28, 1), name="image")
    x = _normal(layers, layers.Conv2D(32, 2, 2, use_bias=False)(image))
    for channels, stride in ((128, 1), (128, 1), (128, 2), (256, 2)):
        x = _normal(layers, layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        x = _normal(layers, layers.Conv2D(channels, 1, use_bias=False)(x))
    return image, _head(layers, x)


def resnet(layers: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Two residual blocks, as K. He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR."""
    image = layers.Input((28, 28, 1), name="image")
    x = _normal(layers, layers.Conv2D(32, 3, 2, "same", use_bias=False)(image))
    x = layers.MaxPooling2D()(x)
    for channels, stride in ((64, 1), (128, 2)):
        short = layers.BatchNormalization(momentum=_MOMENTUM)(layers.Conv2D(channels, 1, stride, use_bias=False)(x))
        x = _normal(layers, layers.Conv2D(channels, 3, stride, "same", use_bias=False)(x))
        x = layers.BatchNormalization(momentum=_MOMENTUM)(layers.Conv2D(channels, 3, 1, "same", use_bias=False)(x))
        x = layers.ReLU()(layers.Add()([x, short]))
    return image, _head(layers, x)


BUILDERS: dict[str, Callable[[Any], tuple[Any, Any]]] = {"fashion_mobilenet": mobilenet, "fashion_resnet": resnet}


def model_path(name: str, train: Path, folder: Path, epochs: int = EPOCHS) -> Path:
    """Return where the trained model is kept: a place named by code, data and libraries."""
    code = [inspect.getsource(part) for part in (BUILDERS[name], main, _normal, _head)]
    made_of = [
        name,
        *code,
        content_sha256(train),
        version("keras"),
        str((epochs, _SEED, _BATCH, _LEARNING_RATE, _MOMENTUM)),
    ]
    return folder / hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12] / f"{name}.keras"


def train_model(name: str, train: Path, path: Path, epochs: int = EPOCHS) -> None:
    """Train a model in a child process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __name__, name, str(train), str(path), str(epochs)]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, check=True, cwd=ROOT, env=env)


def main(name: str, train: Path, path: Path, epochs: int) -> None:
    """Train a model; the validation split tells how it goes and decides nothing."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(_SEED)
    with np.load(train) as data:
        x, y, held = data["x"], data["y"], (data["x_validation"], data["y_validation"])
    model = keras.Model(*BUILDERS[name](keras.layers), name=name)
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, epochs * -(-len(x) // _BATCH))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, _BATCH, epochs, validation_data=held, verbose=2)
    model.compile()  # leaves the optimizer's state out of the file
    partial = path.with_name(f"partial-{path.name}")
    keras.Model(model.inputs, model.outputs, name=name).save(partial)
    partial.replace(path)


def _normal(layers: Any, x: Any) -> Any:  # noqa: ANN401
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))


def _head(layers: Any, x: Any) -> Any:  # noqa: ANN401
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(10, activation="softmax", name="class")(x)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
