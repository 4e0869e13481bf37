"""Write two `.tflite` models into the folder given: `less`, and `more` with 2 % more multiplications."""

import sys
from pathlib import Path

import keras
import tensorflow as tf

FOLDER = Path(sys.argv[1])


def dense(inputs: int) -> bytes:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(1024)])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


(FOLDER / "less.tflite").write_bytes(dense(800))
(FOLDER / "more.tflite").write_bytes(dense(816))
