"""Write small trained models and their data into the folder given, and what the bridge makes of odd ones."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from edgeprof.compress.bridge import to_tf_keras
from edgeprof.errors import ModelError

FOLDER = Path(sys.argv[1])
K = keras.layers
random = np.random.default_rng(5)


def images(count):
    """Return stripes of three directions in noise, and which direction."""
    y = random.integers(0, 3, count)
    row, column = np.indices((8, 8))
    stripes = np.stack([np.sin(2 * row), np.sin(2 * column), np.sin(2 * (row + column))])
    x = stripes[y] + random.normal(0, 0.6, (count, 8, 8))
    return x[..., None].astype(np.float32), y.astype(np.int64)


def fitted(model, x, y, epochs):
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
    return model


keras.utils.set_random_seed(1)
x, y = images(480)
test, labels = images(300)
np.savez(FOLDER / "train.npz", x=x, y=y)
np.savez(FOLDER / "test.npz", x=test, y=labels)
np.savez(FOLDER / "calibration.npz", x=x[:64])

given = keras.Input((8, 8, 1))
h = K.ReLU()(K.BatchNormalization()(K.Conv2D(8, 3, padding="same")(given)))
h = K.Conv2D(16, 3, activation="relu")(h)
h = K.GlobalAveragePooling2D()(K.DepthwiseConv2D(3, activation="relu")(h))
small = keras.Model(given, K.Dense(3, activation="softmax", name="head")(h))
fitted(small, x, y, 6).save(FOLDER / "small.keras")

# Softmax does not see what all logits have in common; eight bits for logits of 4 ± 0.01 see nothing else.
offset = keras.Sequential(
    [keras.Input((8, 8, 1)), K.Flatten(), K.Dense(16, activation="relu"), K.Dense(3), K.Softmax()]
)
fitted(offset, x, y, 8)
kernel, bias = offset.layers[2].get_weights()
offset.layers[2].set_weights([kernel * 0.0005, bias * 0.0005 + 4])
offset.save(FOLDER / "offset.keras")

# One scale serves all weights of a Dense layer: a great one, of an input that is always zero, leaves the others none.
broken = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        K.Flatten(),
        K.Dense(16, activation="relu", name="hidden"),
        K.Dense(16, activation="relu", name="broken"),
        K.Dense(3, activation="softmax", name="head"),
    ]
)
fitted(broken, x, y, 8)
kernel, bias = broken.get_layer("hidden").get_weights()
kernel[:, 0], bias[0] = 0, -1
broken.get_layer("hidden").set_weights([kernel, bias])
kernel, bias = broken.get_layer("broken").get_weights()
kernel[0] = 1000
broken.get_layer("broken").set_weights([kernel, bias])
broken.save(FOLDER / "broken.keras")


def silent():
    """Return a model of which half of the channels, those of the greatest weights, never get above zero."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            K.Conv2D(8, 3, activation="relu"),
            K.DepthwiseConv2D(3, activation="relu"),
            K.GlobalAveragePooling2D(),
            K.Dense(3, activation="softmax"),
        ]
    )
    kernel, bias = model.layers[0].get_weights()
    kernel[..., :4] *= 10
    model.layers[0].set_weights([kernel, bias])
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel, bias - 1000 * (np.arange(8) < 4)])
    return model


silent().save(FOLDER / "silent.keras")


class Own(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = K.Dense(3)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {}


def bridged(model):
    """Return whether tf_keras computes the same, or the error."""
    try:
        made = to_tf_keras(model)
    except ModelError as exc:
        return f"{exc.message}\n{exc.hint}"
    x = random.normal(size=(5, *model.inputs[0].shape[1:])).astype(np.float32)
    return bool(np.allclose(model(x), made(x), atol=1e-5))


def chain(*layers, shape=(8, 8, 3)):
    return keras.Sequential([keras.Input(shape), *layers])


def shared():
    x = keras.Input((4,))
    dense = K.Dense(4)
    return keras.Model(x, K.Concatenate()([dense(x), dense(dense(x))]) + 2.0)


def attention():
    x = keras.Input((6, 4))
    return keras.Model(x, K.LayerNormalization()(K.Add()([K.MultiHeadAttention(2, 3)(x, x), x])))


block = chain(K.Conv2D(4, 3, padding="same"), K.BatchNormalization())
found = {
    "slopes": bridged(chain(K.Conv2D(4, 3), K.LeakyReLU(0.13), K.ReLU(6.0, 0.1), K.ELU(0.5), K.Flatten(), K.Softmax())),
    "recurrent": bridged(chain(K.Bidirectional(K.LSTM(3, return_sequences=True)), K.GRU(4), shape=(6, 4))),
    "hard": bridged(chain(K.Activation("hard_silu"), K.Dense(3, activation="hard_sigmoid"))),
    "nested": bridged(chain(block, K.TimeDistributed(K.Dense(2)))),
    "shared": bridged(shared()),
    "attention": bridged(attention()),
    "no_such_layer": bridged(keras.Model(a := keras.Input((4,)), keras.ops.sin(K.Dense(2)(a)))),
    "no_such_setting": bridged(chain(K.LayerNormalization(rms_scaling=True, name="rms"))),
    "own": bridged(Own()),
}
(FOLDER / "bridged.json").write_text(json.dumps(found))
