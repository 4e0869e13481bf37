import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgeprof.analysis import read_costs, read_model
from edgeprof.compress import CompressRequest, child, compress, compress_each, load_artifact, recipe_names, references
from edgeprof.compress.doubts import parity
from edgeprof.compress.jobs import Job
from edgeprof.errors import ModelError, UsageError
from tests.compress.conftest import RECIPES, silent

pytestmark = pytest.mark.tensorflow


def convert(model, *recipes, **options):
    return compress(CompressRequest(model, recipes, **options), silent)


def test_plain_conversions_come_first_among_the_recipes():
    assert recipe_names()[:5] == list(RECIPES)


def test_an_unknown_recipe_suggests_the_nearest(example):
    with pytest.raises(UsageError, match="unknown recipe: `in8`") as caught:
        convert(example / "fashion_cnn.keras", "in8")

    assert caught.value.hint.startswith("did you mean `int8`? known recipes: fp32, fp16, dynamic, int8, int16x8")


def test_unknown_inputs_and_outputs_are_refused(example):
    with pytest.raises(UsageError, match="unknown kind of inputs and outputs: `int4`"):
        convert(example / "fashion_cnn.keras", io="int4")


def test_without_the_extra_the_hint_says_how_to_install_it(example, monkeypatch, tmp_path):
    monkeypatch.setattr(child, "_EXTRA", ("no_such_library",))
    monkeypatch.setenv("EDGEPROF_CACHE_DIR", str(tmp_path))

    with pytest.raises(UsageError, match="needs no_such_library, which is not installed") as caught:
        convert(example / "fashion_cnn.keras")

    assert caught.value.hint == "pip install 'edgeprof[compress]'"


def test_no_recipe_means_fp32(artifacts, example):
    (made,) = convert(example / "fashion_cnn.keras", calibration=example / "calibration.npz")

    assert made == artifacts["fp32"]


def test_recipes_make_files_of_the_sizes_they_promise(artifacts):
    size = {recipe: artifact.size_bytes for recipe, artifact in artifacts.items()}

    assert size["fp16"] < 0.6 * size["fp32"]
    assert max(size["dynamic"], size["int8"], size["int16x8"]) < 0.4 * size["fp32"]


def test_weights_that_operators_unpack_are_no_activations(artifacts):
    floats, halves = (read_costs(artifacts[recipe].path) for recipe in ("fp32", "fp16"))

    assert "DEQUANTIZE" in [op.name for op in halves.ops]
    assert halves.peak_live_bytes == floats.peak_live_bytes


def test_an_artifact_knows_what_it_was_made_from(artifacts):
    made = artifacts["int8"]

    assert (made.model, made.recipe, made.warnings) == ("fashion_cnn", "int8", ())
    assert len(made.parent_sha256) == 64
    assert "tensorflow" in dict(made.versions)


def test_int8_keeps_float_inputs_and_outputs_when_told(example):
    model, calibration = example / "fashion_cnn.keras", example / "calibration.npz"

    (made,) = convert(model, "int8", calibration=calibration, io="float")

    assert (made.inputs[0].dtype, made.outputs[0].dtype) == ("float32", "float32")
    assert read_model(made.path).float_ops == ()


def test_golden_vectors_hold_four_calibration_samples_and_their_outputs(artifacts, example):
    calibration = np.load(example / "calibration.npz")["x"]

    with np.load(artifacts["fp32"].golden) as golden:
        inputs, outputs = golden["in0"], golden["out0"]

    assert inputs.shape == (4, 1, 28, 28, 1)
    assert outputs.shape == (4, 1, 10)
    np.testing.assert_array_equal(inputs[0, 0], calibration[0])
    np.testing.assert_allclose(outputs.sum(axis=2), 1, rtol=1e-5)


def test_golden_vectors_of_int8_are_in_its_own_dtype(artifacts):
    with np.load(artifacts["int8"].golden) as golden:
        assert (golden["in0"].dtype, golden["out0"].dtype) == (np.int8, np.int8)


def test_the_same_request_again_starts_no_process(artifacts, example):
    heard = []
    request = CompressRequest(example / "fashion_cnn.keras", RECIPES, example / "calibration.npz")

    again = compress(request, lambda *said: heard.append(said))

    assert heard == []
    assert again == list(artifacts.values())


def test_a_spoilt_artifact_in_the_cache_is_made_again(models):
    (made,) = convert(models / "exported", "fp32")
    made.path.write_bytes(made.path.read_bytes()[:1000])

    (again,) = convert(models / "exported", "fp32")

    assert again == made
    assert again.path.stat().st_size == made.size_bytes


def test_progress_names_what_goes_on_and_how_far_it_is(models):
    heard = []

    compress(CompressRequest(models / "image.keras", ("fp32", "dynamic")), lambda *said: heard.append(said))

    assert heard[:-1] == [
        ("starting TensorFlow", None),
        ("loading image.keras", None),
        ("converting image.keras to fp32", 0.0),
    ]
    text, share = heard[-1]
    assert re.fullmatch(r"converting image\.keras to dynamic \(1 of 2 done, about 0:\d\d left\)", text)
    assert share == 0.5


def test_copies_carry_what_is_known_of_them(artifacts, example, tmp_path):
    request = CompressRequest(
        example / "fashion_cnn.keras", ("int8",), example / "calibration.npz", out=tmp_path / "out"
    )

    (copied,) = compress(request, silent)

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "fashion_cnn-int8.tflite",
        "fashion_cnn-int8.tflite.golden.npz",
        "fashion_cnn-int8.tflite.json",
    ]
    assert copied.sha256 == artifacts["int8"].sha256
    assert load_artifact(copied.path) == copied


def test_a_sidecar_of_another_file_is_not_believed(artifacts, example, tmp_path):
    request = CompressRequest(example / "fashion_cnn.keras", ("int8",), example / "calibration.npz", out=tmp_path)
    (copied,) = compress(request, silent)
    copied.path.write_bytes(artifacts["fp32"].path.read_bytes())

    found = load_artifact(copied.path)

    assert (found.recipe, found.sha256) == ("as-is", artifacts["fp32"].sha256)


def test_a_sidecar_that_is_no_json_is_not_believed(artifacts, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(artifacts["fp32"].path.read_bytes())
    path.with_name("model.tflite.json").write_text(json.dumps(["something", "else"]))

    assert load_artifact(path).recipe == "as-is"


def test_a_tflite_alone_is_taken_as_it_is_with_golden_vectors(artifacts, tmp_path):
    path = tmp_path / "brought.tflite"
    path.write_bytes(artifacts["int8"].path.read_bytes())

    found = load_artifact(path)

    assert (found.model, found.recipe, found.parent_sha256) == ("brought", "as-is", None)
    with np.load(found.golden) as golden:
        assert golden["in0"].shape == (4, 1, 28, 28, 1)


def test_golden_vectors_of_a_tflite_are_made_without_tensorflow(artifacts):
    code = "import sys, edgeprof.compress, edgeprof.compress.golden as g; print('tensorflow' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_model_with_an_unknown_custom_op_is_refused_with_its_name(data):
    with pytest.raises(ModelError, match="it has no custom op `fake-op-double`") as caught:
        load_artifact(data / "models" / "coral" / "model_invoking_error.tflite")

    assert "builtin ops" in caught.value.hint


def test_a_model_that_the_runtime_refuses_says_why_in_brief(data):
    with pytest.raises(ModelError, match="LiteRT refuses .*quantized_dimension must be in range") as caught:
        load_artifact(data / "models" / "tflm" / "person_detect.tflite")

    assert len(caught.value.message) < 400


def test_state_is_reset_before_each_golden_sample(data):
    from edgeprof.compress.golden import run_tflite

    path = data / "models" / "tflm" / "trained_lstm.tflite"
    x = np.random.default_rng(3).random((2, 1, 28, 28), np.float32)

    (forwards,) = run_tflite(path, read_model(path), [x])
    (backwards,) = run_tflite(path, read_model(path), [x[::-1]])

    np.testing.assert_array_equal(forwards, backwards[::-1])


def test_a_crash_of_the_converter_is_an_error_with_its_signal(models):
    with pytest.raises(
        ModelError, match=r"the converter crashed \(SIGSEGV\) while converting looped_lstm.keras"
    ) as caught:
        convert(models / "looped_lstm.keras", "int8", calibration=models / "series.npz")

    assert "unroll=True" in caught.value.hint


def test_a_recipe_that_crashes_leaves_the_others_alone(models):
    request = CompressRequest(models / "looped_lstm.keras", ("fp32", "int8", "fp16"), models / "series.npz", jobs=2)

    made, failed = compress_each(request, silent)

    assert [artifact.recipe for artifact in made] == ["fp32", "fp16"]
    assert [recipe for recipe, _ in failed] == ["int8"]
    assert "SIGSEGV" in failed[0][1].message


def test_a_model_that_no_recipe_can_take_is_refused_once(tmp_path):
    (tmp_path / "m.keras").write_bytes(b"PK\x03\x04 not a model")
    request = CompressRequest(tmp_path / "m.keras", ("fp32", "fp16"))

    with pytest.raises(ModelError, match="m.keras"):
        compress_each(request, silent)


def test_a_keras_2_lstm_becomes_one_op_and_int8(models):
    (made,) = convert(models / "lstm2.h5", "int8", calibration=models / "series.npz")

    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in read_model(made.path).ops


def test_an_op_that_litert_lacks_is_named(models):
    with pytest.raises(ModelError, match="fp32: LiteRT has no op for `Erfinv`") as caught:
        convert(models / "erfinv")

    assert "layers" in caught.value.hint


def test_a_saved_model_is_converted(models):
    (made,) = convert(models / "exported", "fp32")

    assert (made.model, made.inputs[0].shape, made.warnings) == ("exported", (1, 8, 8, 3), ())


def test_ops_that_int8_left_in_floating_point_are_named(models):
    (made,) = convert(models / "sine.keras", "int8", calibration=models / "rows.npz")

    said = dict(made.warnings)
    assert set(said) == {"few_calibration_samples", "float_ops"}
    assert "SIN" in said["float_ops"]


def test_outputs_that_never_change_are_flagged(models):
    (made,) = convert(models / "constant.keras", "fp32")

    assert made.warnings[0][0] == "constant_output"


def test_several_inputs_are_found_by_name_and_several_outputs_agree_with_keras(models):
    fp32, int8 = convert(models / "two.keras", "fp32", "int8", calibration=models / "two.npz")

    assert fp32.warnings == ()
    assert {spec.shape for spec in int8.inputs} == {(1, 4), (1, 3)}
    assert {spec.shape for spec in int8.outputs} == {(1, 2), (1, 3)}


def test_calibration_data_of_another_shape_are_refused_before_converting(models):
    with pytest.raises(ModelError, match=r"expected shape \(n, 4\), got \(8, 8, 4\)"):
        convert(models / "sine.keras", "int8", calibration=models / "series.npz")


def test_outputs_unlike_the_keras_models_are_a_warning(artifacts):
    found = read_model(artifacts["fp32"].path)
    outputs = np.random.default_rng(1).random((4, 10), np.float32)

    same = parity(found, [outputs], [outputs * np.float32(1.001)])
    other = parity(found, [outputs], [outputs * np.float32(1.1)])

    assert same == ()
    assert other[0][0] == "parity"
    assert "signal to error 21 dB, expected 40" in other[0][1]


def test_references_are_the_float_models_own_outputs_set_by_set(artifacts, example):
    x = np.load(example / "calibration.npz")["x"][:4]
    request = CompressRequest(example / "fashion_cnn.keras")

    first, second = references(request, [(x, "0" * 64), (x[2:], "3" * 64)], silent)

    with np.load(artifacts["fp32"].golden) as golden, np.load(first.outputs) as whole, np.load(second.outputs) as part:
        np.testing.assert_allclose(whole["out0"], golden["out0"][:, 0], atol=1e-5)
        np.testing.assert_allclose(part["out0"], whole["out0"][2:], atol=1e-6)
    assert first.sha256 == artifacts["fp32"].parent_sha256


def test_a_reference_is_computed_once(example):
    x = np.zeros((3, 28, 28, 1), np.float32)
    request = CompressRequest(example / "fashion_cnn.keras")
    first = references(request, [(x, "1" * 64)], silent)
    heard = []

    again = references(request, [(x, "1" * 64)], lambda *said: heard.append(said))

    assert again == first
    assert heard == []


def test_a_reference_on_samples_of_another_shape_is_refused(example):
    with pytest.raises(ModelError, match=r"the evaluation set does not fit .*got \(3, 5\)"):
        references(CompressRequest(example / "fashion_cnn.keras"), [(np.zeros((3, 5)), "2" * 64)], silent)


def test_an_interrupt_ends_the_child_and_leaves_no_half_artifact(example, tmp_path):
    environment = {**os.environ, "EDGEPROF_CACHE_DIR": str(tmp_path / "cache")}
    model = str(example / "fashion_cnn.keras")
    command = [sys.executable, "-m", "edgeprof", "compress", model, "-o", str(tmp_path / "out")]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("cache/artifacts/.partial-*/job.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    (job,) = tmp_path.glob("cache/artifacts/.partial-*/job.json")

    running.send_signal(signal.SIGINT)

    assert running.wait(timeout=120) != 0
    assert list((tmp_path / "cache" / "artifacts").iterdir()) == []
    assert not (tmp_path / "out").exists()
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(job) not in listing


def test_a_child_without_memory_is_said_to_be_so(tmp_path):
    job = Job("convert", str(tmp_path / "model.keras"), str(tmp_path))

    with pytest.raises(ModelError, match="there was not enough memory for starting") as short:
        child.run_child("tests.compress.hungry", job, lambda _: None)

    assert "ulimit -v" in short.value.hint


def test_a_child_without_room_on_the_disk_does_not_blame_the_memory(tmp_path):
    job = Job("convert", str(tmp_path / "model.keras"), str(tmp_path))

    with pytest.raises(ModelError, match="there was no room on the disk for starting") as full:
        child.run_child("tests.compress.crowded", job, lambda _: None)

    assert "EDGEPROF_CACHE_DIR" in full.value.hint


def test_the_documentation_s_program_makes_what_it_says(artifacts, example, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "compression.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page.split("## From Python")[1], re.DOTALL)
    for name in ("fashion_cnn.keras", "calibration.npz"):
        (tmp_path / name).symlink_to(example / name)
    monkeypatch.chdir(tmp_path)

    exec(program, {})  # noqa: S102 - our own page

    said = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in said[-2:]] == [
        ["fp32", "build/fashion_cnn-fp32.tflite"],
        ["int8", "build/fashion_cnn-int8.tflite"],
    ]
    assert (tmp_path / "build" / "fashion_cnn-int8.tflite").read_bytes() == artifacts["int8"].path.read_bytes()
