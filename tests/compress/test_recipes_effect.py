"""What recipes do to real small models, from the file to the artifact."""

import numpy as np
import pytest

from edgeprof.analysis import read_model
from edgeprof.analysis.numbers import from_tensor, to_tensor
from edgeprof.analysis.weights import read_weights, static_cost
from edgeprof.compress import CompressRequest, compress, compress_each
from edgeprof.compress.golden import run_tflite
from edgeprof.errors import ModelError, UsageError
from tests.compress.conftest import silent

pytestmark = pytest.mark.tensorflow

STEPS = {
    "prune": '[[step]]\nkind = "prune"\nsparsity = 0.8\nepochs = 2',
    "half": '[[step]]\nkind = "prune"\npattern = "2:4"\nepochs = 1',
    "cluster": '[[step]]\nkind = "cluster"\nclusters = 8\nepochs = 1',
    "both": '[[step]]\nkind = "prune"\nepochs = 1\n[[step]]\nkind = "cluster"\nclusters = 8\nkeep = "zeros"\nepochs = 1',
}
CODES = {"none": "nothing", "prune": "zeros", "cluster": "clusters", "both": "zeros+clusters"}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Recipes of one's own by name: each step alone in float, and each followed by training for int8."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, steps in STEPS.items():
        (folder / f"{name}.toml").write_text(f'name = "{name}"\nconversion = "fp32"\n{steps}')
    for name, keep in CODES.items():
        qat = f'[[step]]\nkind = "qat"\nkeep = "{keep}"\nepochs = 1'
        (folder / f"{name}-qat.toml").write_text(
            f'name = "{name}-qat"\nconversion = "int8"\n{STEPS.get(name, "")}\n{qat}'
        )
    taught = f'{STEPS["both"]}\n[[step]]\nkind = "qat"\nkeep = "zeros+clusters"\nepochs = 1'
    (folder / "taught.toml").write_text(
        'conversion = "int8"\n' + taught.replace("epochs = 1", 'epochs = 1\nteacher = "float"')
    )
    return folder


@pytest.fixture(scope="module")
def made(own, step_models):
    """Artifacts by recipe; what is wrong with one leaves the others alone."""
    names = [str(own / f"{name}.toml") for name in (*STEPS, *(f"{code}-qat" for code in CODES), "taught")]
    found, failed = compress_each(request(step_models, *names), silent)
    assert failed == []
    return {artifact.recipe: artifact for artifact in found}


def request(folder, *recipes, model="small.keras", train="train.npz", **options):
    data = folder / train if train else None
    return CompressRequest(folder / model, recipes, folder / "calibration.npz", train=data, **options)


def kernels(artifact):
    """Return the weights that steps change; depthwise kernels, (1, h, w, c), are not among them."""
    return [w for w in read_weights(artifact.path) if w.dimensions > 1 and w.count not in (16 * 9,)]


def accuracy(artifact, folder):
    with np.load(folder / "test.npz") as data:
        x, y = data["x"], data["y"]
    found = read_model(artifact.path)
    spec = found.inputs[0]
    (out,) = run_tflite(artifact.path, found, [to_tensor(spec, x).reshape(-1, *spec.shape)])
    return float((from_tensor(found.outputs[0], out).reshape(len(y), -1).argmax(1) == y).mean())


def test_pruning_leaves_exactly_the_share_asked_for(made):
    for w in kernels(made["prune"]):
        assert w.nonzero == pytest.approx(0.2 * w.count, abs=1)


def test_two_in_four_leaves_half_of_each_kernel_that_divides_into_fours(made):
    shares = sorted(w.nonzero / w.count for w in kernels(made["half"]))

    assert shares[:2] == [0.5, 0.5]
    assert any("2:4 needs input channels that divide into fours" in text for _, text in made["half"].warnings)


def test_clustering_leaves_so_many_values(made):
    dense = [w for w in kernels(made["cluster"]) if w.count in (16 * 3, 8 * 9 * 16)]

    assert len(dense) == 2
    assert all(w.distinct <= 8 for w in dense)


def test_clustering_after_pruning_keeps_the_zeros(made):
    for w in kernels(made["both"]):
        assert w.nonzero <= 0.5 * w.count + 1


def test_training_for_int8_keeps_zeros_when_told(made):
    for name, share in (("prune-qat", 0.2), ("both-qat", 0.5)):
        for w in kernels(made[name]):
            assert w.nonzero <= share * w.count + 1


def test_training_for_int8_keeps_clusters_when_told(made):
    dense = next(w for w in kernels(made["cluster-qat"]) if w.count == 16 * 3)

    assert dense.distinct <= 8


def test_pruned_and_clustered_models_pack_smaller_than_int8(made):
    packed = {name: static_cost(made[name].path).gzip_bytes for name in ("none-qat", "prune-qat", "both-qat")}

    assert packed["prune-qat"] < packed["none-qat"]
    assert packed["both-qat"] < packed["none-qat"]


def test_what_was_trained_is_wholly_int8_and_still_knows_its_classes(made, step_models):
    for name in ("none-qat", "both-qat"):
        assert read_model(made[name].path).float_ops == ()
        assert accuracy(made[name], step_models) > 0.8


def test_steps_taught_by_the_float_model_keep_what_earlier_ones_made(made, step_models):
    artifact = made["taught"]

    assert all("teacher=float" in step for step in artifact.steps)
    assert all(w.nonzero <= 0.5 * w.count + 1 for w in kernels(artifact))
    assert read_model(artifact.path).float_ops == ()
    assert accuracy(artifact, step_models) > 0.8


def test_an_artifact_says_how_it_was_made(made, step_models):
    artifact = made["prune-qat"]

    assert [step.split()[0] for step in artifact.steps] == ["prune", "qat"]
    assert "sparsity=0.8" in artifact.steps[0]
    assert artifact.seed == 0
    assert len(artifact.train_sha256) == 64
    assert "tensorflow-model-optimization" in dict(artifact.versions)


def test_steps_leave_the_users_model_as_it_is(made, step_models):
    """TFMOT changes the model that it is given; the float artifact made in the same process must not show it."""
    (after,) = compress(request(step_models, "fp32"), silent)

    (alone,) = compress(request(step_models, "fp32", train=None, calibration_samples=63), silent)
    assert after.sha256 == alone.sha256


def test_stages_that_are_done_are_not_done_again(made, own, step_models, tmp_path):
    text = (own / "prune.toml").read_text().replace("fp32", "dynamic")
    (tmp_path / "other.toml").write_text(text.replace('"prune"', '"other"', 1))
    heard = []

    compress(request(step_models, str(tmp_path / "other.toml")), lambda *said: heard.append(said))

    assert [text for text, _ in heard if text.startswith("converting")]
    assert not [text for text, _ in heard if "prune:" in text]


def test_training_for_int8_mends_a_model_that_quantising_afterwards_breaks(step_models, tmp_path):
    (tmp_path / "mend.toml").write_text(
        'name = "mend"\nconversion = "int8"\n[[step]]\nkind = "qat"\nepochs = 8\nlearning_rate = 0.01\npatience = 8'
    )
    floats, after, trained = compress(
        request(step_models, "fp32", "int8", str(tmp_path / "mend.toml"), model="offset.keras"), silent
    )

    assert accuracy(floats, step_models) > 0.9
    assert accuracy(after, step_models) < 0.6
    assert accuracy(trained, step_models) > 0.85
    assert "lossy" in [code for code, _ in after.warnings]


def test_mixed_precision_has_the_types_it_says_and_tells_who_may_run_it(step_models):
    four, sixteen = compress(request(step_models, "w4a8", "w8a16"), silent)

    types = dict(static_cost(four.path).types)
    assert types["int4"] > 0.85 * sum(types[name] for name in types if name != "int32")
    assert sixteen.inputs[0].dtype == "int16"
    assert [code for code, _ in four.warnings] == ["litert_only"]


def test_layers_left_in_float_stay_so_and_unknown_ones_are_refused(step_models, tmp_path):
    (tmp_path / "some.toml").write_text('[conversion]\ntype = "int8"\nleave_float = ["head"]')
    (tmp_path / "wrong.toml").write_text('[conversion]\ntype = "int8"\nleave_float = ["heads"]')

    (some,), ((_, error),) = compress_each(
        request(step_models, str(tmp_path / "some.toml"), str(tmp_path / "wrong.toml")), silent
    )

    assert "FULLY_CONNECTED" in read_model(some.path).float_ops
    assert "CONV_2D" not in read_model(some.path).float_ops
    assert "no layer of the converted model is called so" in error.message
    assert "head" in error.hint


def test_a_pattern_that_fits_no_layer_is_an_error_not_a_silence(step_models, tmp_path):
    (tmp_path / "none.toml").write_text(
        '[conversion]\ntype = "mixed"\nweights = "int4"\nint8_layers = ["nothing_like_it"]'
    )

    with pytest.raises(ModelError, match="fits no layer, so nothing would stay int8"):
        compress(request(step_models, str(tmp_path / "none.toml")), silent)


def test_pruning_without_data_is_done_at_once_and_says_so(step_models):
    (artifact,) = compress(request(step_models, "prune50-int8", train=None), silent)

    assert "not_fine_tuned" in [code for code, _ in artifact.warnings]
    assert all(w.nonzero <= 0.5 * w.count + 1 for w in kernels(artifact))


def test_training_for_int8_without_data_is_refused_before_anything_starts(step_models):
    with pytest.raises(UsageError, match="recipe `int8-qat` has the step `qat`, which needs training data"):
        compress(request(step_models, "int8-qat", train=None), silent)


def test_a_saved_model_has_no_layers_for_steps_to_change(models, own):
    with pytest.raises(ModelError, match="is a SavedModel: a graph without layers"):
        compress(CompressRequest(models / "exported", (str(own / "prune.toml"),)), silent)


def test_a_layer_that_gives_one_value_for_all_samples_is_flagged(models):
    """And that eight samples are few."""
    (artifact,) = compress(CompressRequest(models / "constant.keras", ("int8",), models / "rows.npz"), silent)

    assert {"zero_range", "constant_output", "few_calibration_samples"} <= {code for code, _ in artifact.warnings}


def test_a_layer_of_nothing_but_zeros_is_flagged_by_its_name_though_the_outputs_change(models):
    found = compress(CompressRequest(models / "dead.keras", ("fp32", "int8"), models / "rows.npz"), silent)

    assert len(found) == 2
    for warnings in (dict(artifact.warnings) for artifact in found):
        assert "dead" in warnings["dead_layer"]
        assert "alive" not in warnings["dead_layer"]
        assert "constant_output" not in warnings


def test_integers_that_no_runtime_can_scale_are_refused_with_the_layer_that_fell_silent(step_models):
    """Pruning by weights keeps the half of the channels that never get above zero."""
    with pytest.raises(ModelError, match="nothing but zero came out of .*depthwise") as caught:
        compress(request(step_models, "channels50-int8", model="silent.keras", train=None), silent)

    assert "--train" in caught.value.hint
