"""Artifacts by hand, for tests that need no runtime."""

from pathlib import Path

import numpy as np
import pytest

from edgeprof.records import Artifact, TensorSpec

INT8 = TensorSpec("image", (1, 2, 3), "int8", 0.5, -10)
FLOAT = TensorSpec("image", (1, 2, 3), "float32")
CLASSES = TensorSpec("class", (1, 3), "float32")


def artifact(inputs=(FLOAT,), outputs=(CLASSES,), **fields):
    return Artifact(Path("model.tflite"), "0" * 64, 1, "model", fields.pop("recipe", "fp32"), inputs, outputs, **fields)


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        path = tmp_path / "eval.npz"
        np.savez(path, **arrays)
        return path

    return save
