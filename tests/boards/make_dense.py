"""Write two models into the folder given: `less`, and `more` with 2 % more multiplications."""

import sys
from pathlib import Path

import keras

FOLDER = Path(sys.argv[1])


def dense(inputs: int) -> keras.Sequential:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(1024)])


dense(800).save(FOLDER / "less.keras")
dense(816).save(FOLDER / "more.keras")
