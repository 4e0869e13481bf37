"""Recipes that change what a model is made of, from the file to the `.tflite`, counted by what the file says."""

import pytest

from edgeprof.analysis import read_costs
from edgeprof.compress import CompressRequest, compress, recipe_names
from edgeprof.errors import UsageError
from tests.compress.conftest import silent

pytestmark = pytest.mark.tensorflow

HALF = 'conversion = "fp32"\n[[step]]\nkind = "channels"\nshare = 0.5\nmultiple = 4\n'


def test_the_recipes_of_structure_are_known():
    names = ["channels30-int8", "channels50-int8", "channels70-int8", "channels50-taylor-int8"]
    assert set(recipe_names()) >= {*names, "lowrank-int8", "distill-int8", "binary", "ternary"}


def test_half_of_the_multiply_accumulates_are_gone_from_the_file(example):
    model, calibration = example / "fashion_cnn.keras", example / "calibration.npz"
    request = CompressRequest(model, ("int8", "channels50-int8", "lowrank-int8"), calibration)

    whole, half, low = (read_costs(artifact.path) for artifact in compress(request, silent))

    assert 0.4 * whole.macs < half.macs <= 0.5 * whole.macs
    assert half.file_bytes < 0.7 * whole.file_bytes
    assert low.macs < whole.macs
    assert len(low.ops) > len(whole.ops)


def test_what_was_removed_is_said_and_that_nothing_was_tuned(example):
    request = CompressRequest(example / "fashion_cnn.keras", ("channels50-int8",), example / "calibration.npz")

    (artifact,) = compress(request, silent)

    assert "channels: conv2d 16 to" in dict(artifact.notes)["channels_removed"]
    assert "without `--train`" in dict(artifact.warnings)["not_fine_tuned"]


def test_a_real_residual_model_comes_out_smaller_and_cheaper(data, tmp_path):
    (tmp_path / "half.toml").write_text(HALF)
    model = data / "models" / "mlperf_tiny" / "pretrainedResnet.h5"

    whole, half = (
        read_costs(artifact.path)
        for artifact in compress(CompressRequest(model, ("fp32", str(tmp_path / "half.toml"))), silent)
    )

    assert 0.3 * whole.macs < half.macs <= 0.5 * whole.macs
    assert half.parameters < 0.7 * whole.parameters
    assert half.file_bytes < 0.75 * whole.file_bytes
    assert [op.name for op in half.ops] == [op.name for op in whole.ops]
    assert half.ops[-1].shape == whole.ops[-1].shape


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("share = 1.5", "`share = 1.5` of step `channels` is out of range"),
        ('importance = "taylr"', "`importance = 'taylr'` of step `channels` is unknown"),
        ("shar = 0.5", "unknown key `shar` of step `channels`"),
    ],
)
def test_a_recipe_with_a_wrong_value_is_refused_before_anything_runs(line, message, example, tmp_path):
    (tmp_path / "own.toml").write_text(f'[[step]]\nkind = "channels"\n{line}\n')

    with pytest.raises(UsageError, match=message):
        compress(CompressRequest(example / "fashion_cnn.keras", (str(tmp_path / "own.toml"),)), silent)


@pytest.mark.parametrize("recipe", ["distill-int8", "binary"])
def test_steps_that_only_training_can_do_ask_for_data(recipe, example):
    request = CompressRequest(example / "fashion_cnn.keras", (recipe,), example / "calibration.npz")

    with pytest.raises(UsageError, match="which needs training data") as caught:
        compress(request, silent)

    assert "--train data.npz" in caught.value.hint
