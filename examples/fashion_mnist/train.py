"""Train the demo model on Fashion-MNIST and write the files beside this one.

    apt-get install dataset-fashion-mnist
    python train.py [FOLDER_WITH_IDX_FILES]

Seeded; some three minutes on two cores. The last bits differ from one machine to the next.
"""

import gzip
import sys
from pathlib import Path

import keras
import numpy as np

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
HERE = Path(__file__).parent
SEED = 20
EPOCHS = 10
CALIBRATION_IMAGES = 200
TEST_IMAGES = 1000


def read_idx(path: Path) -> np.ndarray:
    """Return the array in a gzipped IDX file. Source: http://yann.lecun.com/exdb/mnist, "file format"."""
    data = gzip.decompress(path.read_bytes())
    dimensions = np.frombuffer(data, ">i4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dimensions)


def load(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images `(n, 28, 28, 1)`, float32 from 0 to 1, and labels `(n,)` of `train` or `t10k`."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return (images[..., None] / np.float32(255)).astype(np.float32), labels.astype(np.int64)


def build() -> keras.Model:
    """Return the untrained model: three convolutions, 10 classes, softmax."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.1),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax", name="class"),
        ],
        name="fashion_cnn",
    )


def train(x: np.ndarray, y: np.ndarray) -> keras.Model:
    """Return the trained model; the last 5,000 training images tell how it goes."""
    model = build()
    steps = EPOCHS * (len(x) - 5000) // 128
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:-5000], y[:-5000], 128, EPOCHS, validation_data=(x[-5000:], y[-5000:]), verbose=2)
    return model


def main() -> None:
    """Train, measure on the whole test set, write model and data."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEBIAN
    keras.utils.set_random_seed(SEED)
    x, y = load(folder, "train")
    x_test, y_test = load(folder, "t10k")
    model = train(x, y)
    model.summary()
    scores = {n: model.evaluate(x_test[:n], y_test[:n], verbose=0)[1] for n in (TEST_IMAGES, len(x_test))}
    print("accuracy on the first n test images:", scores)
    model.compile()  # leaves the optimizer's state out of the file
    keras.Model(model.inputs, model.outputs, name="fashion_cnn").save(HERE / "fashion_cnn.keras")
    np.savez_compressed(HERE / "calibration.npz", x=x[:CALIBRATION_IMAGES])
    np.savez_compressed(HERE / "test.npz", x=x_test[:TEST_IMAGES], y=y_test[:TEST_IMAGES])


if __name__ == "__main__":
    main()
