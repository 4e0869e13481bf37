"""Write small models of many kinds into the folder given; run once, in a process of its own."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf_keras

FOLDER = Path(sys.argv[1])
K3 = keras.layers
K2 = tf_keras.layers


def sequential(*layers, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *layers])


class Unknown(K3.Layer):
    def call(self, x):
        return tf.math.erfinv(x)


keras.utils.set_random_seed(1)
sequential(K3.Lambda(lambda x: x * 2, name="doubled"), K3.Dense(2)).save(FOLDER / "lambda3.keras")
old = tf_keras.Sequential([tf_keras.Input((4,)), K2.Lambda(lambda x: x * 2, name="doubled"), K2.Dense(2)])
old.save(FOLDER / "lambda2.h5")
old.save(FOLDER / "lambda2.keras")
sequential(K3.LSTM(6), K3.Dense(2), shape=(8, 4)).save(FOLDER / "looped_lstm.keras")
tf_keras.Sequential([tf_keras.Input((8, 4)), K2.LSTM(6), K2.Dense(2)]).save(FOLDER / "lstm2.h5")
sequential(K3.Conv2D(2, 3), K3.GlobalAveragePooling2D(), shape=(None, None, 3)).save(FOLDER / "any_size.keras")
sequential(Unknown()).save(FOLDER / "custom.keras")
sequential(Unknown()).export(FOLDER / "erfinv", verbose=0)
sequential(K3.Dense(2, kernel_initializer="zeros")).save(FOLDER / "constant.keras")
rows = keras.Input((4,))
dead = K3.Dense(4, kernel_initializer="zeros", name="dead")(rows)
keras.Model(rows, K3.Dense(2, name="alive")(K3.Add()([rows, dead]))).save(FOLDER / "dead.keras")
image = sequential(K3.Rescaling(1 / 255), K3.Conv2D(4, 3), K3.GlobalAveragePooling2D(), K3.Dense(3), shape=(8, 8, 3))
image.save(FOLDER / "image.keras")
image.export(FOLDER / "exported", verbose=0)
image.save_weights(FOLDER / "only.weights.h5")
wave = keras.Input((4,))
keras.Model(wave, K3.Dense(2)(keras.ops.sin(K3.Dense(4)(wave)))).save(FOLDER / "sine.keras")
left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
joined = K3.Concatenate()([right, left])
keras.Model([left, right], [K3.Dense(2)(joined), K3.Dense(3)(joined)]).save(FOLDER / "two.keras")

random = np.random.default_rng(1)
np.savez(FOLDER / "rows.npz", x=random.random((8, 4), np.float32))
np.savez(FOLDER / "series.npz", x=random.random((8, 8, 4), np.float32))
np.savez(FOLDER / "two.npz", left=random.random((9, 4), np.float32), right=random.random((9, 3), np.float32))
