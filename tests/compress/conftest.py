"""Models of many kinds, made once; a cache of the session's own, so that nothing is converted twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeprof.compress import CompressRequest, compress

RECIPES = ("fp32", "fp16", "dynamic", "int8", "int16x8")


def silent(text, fraction):
    """Take progress and say nothing."""


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPROF_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    pytest.importorskip("ai_edge_litert", reason="needs the `compress` extra")
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("make_models.py")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, str(script), str(folder)], check=True, env=environment, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def step_models(tmp_path_factory) -> Path:
    """Small trained models with their data, and `bridged.json`."""
    pytest.importorskip("tensorflow_model_optimization", reason="needs the `compress` extra")
    folder = tmp_path_factory.mktemp("steps")
    script = Path(__file__).with_name("make_step_models.py")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, str(script), str(folder)], check=True, env=environment, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def bridged(step_models) -> dict:
    """What the bridge made of odd models: true, or its error."""
    return json.loads((step_models / "bridged.json").read_text())


@pytest.fixture(scope="session")
def artifacts(example, cache):
    """The example in every recipe, by the recipe's name."""
    request = CompressRequest(example / "fashion_cnn.keras", RECIPES, example / "calibration.npz")
    return {artifact.recipe: artifact for artifact in compress(request, silent)}
