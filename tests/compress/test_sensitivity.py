"""How each layer alone bears a change: what is tried, what is put back, and what the command says."""

import json
import subprocess
import sys

import jsonschema
import numpy as np
import pytest

from edgeprof.compress import CompressRequest
from edgeprof.compress.sensitivity import scan
from edgeprof.compress.techniques.variations import pruned, quantised, variations
from edgeprof.errors import ModelError, UsageError
from edgeprof.report.document import schema
from tests.compress.conftest import silent
from tests.compress.techniques import models
from tests.compress.techniques.conftest import randomise, run, tk  # noqa: F401 - a fixture

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(("what", "level"), [("channels", 0.5), ("prune", 0.9), ("quantise", 2)])
def test_each_layer_is_changed_alone_and_put_back(what, level, tk):  # noqa: F811
    rng = np.random.default_rng(2)
    model = randomise(models.wide(tk), rng)
    x = rng.normal(size=(3, 8, 8, 3)).astype(np.float32)
    before = run(model, x)

    found = variations(model, what, (level,))

    assert len(found) == {"channels": 4, "prune": 5, "quantise": 5}[what]
    for variation in found:
        with variation.made():
            changed = run(model, x)
        assert np.abs(changed - before).max() > 1e-4
        np.testing.assert_array_equal(run(model, x), before)


def test_a_pruned_kernel_has_lost_the_smallest():
    kernel = np.array([[3.0, -1.0], [0.5, -4.0]], np.float32)

    np.testing.assert_array_equal(pruned(kernel, 0.5), [[3, 0], [0, -4]])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_quantised_kernel_has_so_many_steps_a_channel_and_is_off_by_half_a_step_at_most(bits):
    kernel = np.random.default_rng(5).normal(size=(3, 3, 50, 2)).astype(np.float32)
    top = 2 ** (bits - 1) - 1

    found = quantised(kernel, bits)

    for i in range(2):
        step = np.abs(kernel[..., i]).max() / top
        assert len(np.unique(found[..., i])) <= 2 * top + 1
        assert np.abs(found[..., i] - kernel[..., i]).max() <= step / 2 * 1.001


def test_the_command_prints_a_loss_for_each_layer_and_level(example, cache):
    with np.load(example / "test.npz") as test:
        np.savez(cache / "train.npz", x=test["x"][:300], y=test["y"][:300])
    command = [
        "edgeprof",
        "compress",
        example / "fashion_cnn.keras",
        "--sensitivity",
        "prune",
        "--train",
        cache / "train.npz",
    ]

    done = subprocess.run(
        [sys.executable, "-m", *map(str, command), "--at", "0.01", "--at", "0.95", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )

    found = json.loads(done.stdout)
    jsonschema.validate(found, schema())
    (item,) = found["items"]
    assert (item["what"], item["metric"], item["n"], item["data"]) == ("prune", "accuracy", 30, "validation")
    rows = {(row["layers"][0], row["level"]): row for row in item["rows"]}
    assert len(rows) == 10
    mild, harsh = rows["conv2d_1", 0.01], rows["conv2d_1", 0.95]
    assert harsh["loss_low_points"] > mild["loss_high_points"]
    assert harsh["score"] == pytest.approx(item["base"] - harsh["loss_points"] / 100)


@pytest.mark.parametrize(
    ("what", "levels", "message"),
    [
        ("chanels", (), "unknown kind of sensitivity: `chanels`"),
        ("prune", (5.0,), "`--at 5` is no level of `prune`"),
        ("quantise", (0.5,), "`--at 0.5` is no level of `quantise`"),
        ("prune", (), "a sensitivity scan needs samples"),
    ],
)
def test_what_cannot_be_scanned_is_refused_before_anything_runs(what, levels, message, example):
    with pytest.raises(UsageError, match=message):
        scan(CompressRequest(example / "fashion_cnn.keras"), what, levels, silent)


def test_a_model_without_layers_to_change_is_refused(tk):  # noqa: F811
    inputs = tk.Input((4,))

    with pytest.raises(ModelError, match="has no layer to scan by `prune`"):
        variations(tk.Model(inputs, tk.layers.ReLU()(inputs)), "prune", (0.5,))
