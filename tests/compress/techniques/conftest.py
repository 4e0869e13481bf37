"""Small models of many shapes, in this process: these steps are functions from a model to a model."""

import os

import numpy as np
import pytest


@pytest.fixture(scope="session")
def tk():
    """The module tf_keras."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    return pytest.importorskip("tf_keras", reason="needs the `compress` extra")


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def randomise(model, rng):
    """Give every weight a value of its own, statistics of batch normalisation too: what is lost then shows."""
    for weight in model.weights:
        signs = 1 if "variance" in weight.name else rng.choice([1, 1, -0.3], weight.shape)
        fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 1  # keeps a softmax from saturating
        weight.assign(rng.uniform(0.3, 1.0, weight.shape) * signs / np.sqrt(fan_in))
    return model


def run(model, x):
    return np.asarray(model(x, training=False))
