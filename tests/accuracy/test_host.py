"""Accuracy of real models, run by LiteRT on the host: what a board has to give."""

import numpy as np
import pytest

from edgeprof.accuracy import (
    Others,
    check_fits,
    check_golden,
    decode_outputs,
    encode_golden,
    encode_inputs,
    judge,
    load_eval,
    load_reference,
)
from edgeprof.accuracy.tensors import join_samples
from edgeprof.analysis import read_model
from edgeprof.compress import CompressRequest, compress, load_artifact, references
from edgeprof.stats.paired import loss

pytestmark = pytest.mark.tensorflow


def silent(text, fraction):
    """Take progress and say nothing."""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPROF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def run(artifact, raw, n):
    """Do what a board does: bytes of inputs to bytes of outputs."""
    pytest.importorskip("ai_edge_litert", reason="needs the `compress` extra")
    from edgeprof.compress.golden import run_tflite

    (spec,) = artifact.inputs
    x = np.frombuffer(raw, spec.dtype).reshape(n, *spec.shape)
    return join_samples(run_tflite(artifact.path, read_model(artifact.path), [x]))


def accuracy(artifact, path, floats=None):
    evaluation = load_eval(path)
    check_fits(artifact, evaluation)
    raw = run(artifact, encode_inputs(artifact, evaluation.x), evaluation.n)
    outputs = decode_outputs(artifact, raw, evaluation.n)
    (found,) = judge(artifact, evaluation, outputs, Others(load_reference(floats)))
    return found


def point(evaluation, name="top1_ratio"):
    return next(score.point for score in evaluation.scores if score.name == name)


@pytest.fixture(scope="module")
def resnet(data):
    """ResNet-8 as fp32 and int8, and the Keras model's own outputs on the test set."""
    model = data / "models" / "mlperf_tiny" / "pretrainedResnet.h5"
    request = CompressRequest(model, ("fp32", "int8"), data / "eval" / "cifar10_calib1000_train.npz")
    evaluation = load_eval(data / "eval" / "cifar10_test500_lossless.npz")
    fp32, int8 = compress(request, silent)
    (floats,) = references(request, [(evaluation.x, evaluation.sha256)], silent)
    return fp32, int8, floats


def test_resnet_8_in_fp32_is_as_right_as_its_keras_model(resnet, data):
    fp32, _, floats = resnet

    found = accuracy(fp32, data / "eval" / "cifar10_test500_lossless.npz", floats)

    assert (found.n_samples, point(found), found.scores[0].float_point) == (500, 0.89, 0.89)
    assert found.agreements[0].n_agreed == 500
    assert found.agreements[0].sqnr_db > 100
    assert fp32.warnings == ()


def test_resnet_8_in_int8_loses_about_half_a_point_and_pairs_say_how_surely(resnet, data):
    _, int8, floats = resnet

    found = accuracy(int8, data / "eval" / "cifar10_test500_lossless.npz", floats)

    lost = loss(found.scores[0])
    assert point(found) == pytest.approx(0.884, abs=0.006)
    assert lost.worse.point == pytest.approx(0.006, abs=0.006)
    # Of two independent shares of 0.89 of 500 the interval would reach 3.9 points to each side.
    assert (lost.worse.high - lost.worse.low) / 2 < 0.025
    assert lost.p_value > 0.05
    assert point(found, "top5_ratio") > 0.99
    assert point(found, "f1_ratio") == pytest.approx(0.884, abs=0.01)


def test_the_same_images_as_jpeg_are_harder_for_both_alike(resnet, data):
    fp32, int8, _ = resnet

    floats, integers = (accuracy(a, data / "eval" / "cifar10_test500_jpeg_same_images.npz") for a in (fp32, int8))

    assert point(floats) == pytest.approx(0.756, abs=0.002)
    assert point(integers) == pytest.approx(point(floats), abs=0.015)


def test_keyword_spotting_takes_the_int8_samples_it_was_made_for(data):
    artifact = load_artifact(data / "models" / "mlperf_tiny" / "kws_ref_model.tflite")

    found = accuracy(artifact, data / "eval" / "kws01_first500.npz")

    assert point(found) == pytest.approx(0.898, abs=0.004)


@pytest.mark.parametrize("name", ["coral/mobilenet_v1_0.25_128_quant", "mlperf_tiny/ad01_int8", "tflm/trained_lstm"])
def test_the_host_passes_its_own_golden_vectors(name, data):
    artifact = load_artifact(data / "models" / f"{name}.tflite")
    raw, count = encode_golden(artifact)

    found = check_golden(artifact, artifact.golden, run(artifact, raw, count))

    assert (found.passed, found.max_error) == (True, 0.0)


def test_a_model_does_not_pass_anothers_golden_vectors(resnet):
    fp32, _, _ = resnet
    raw, count = encode_golden(fp32)
    outputs = np.frombuffer(run(fp32, raw, count), "<f4").reshape(count, -1)

    found = check_golden(fp32, fp32.golden, np.ascontiguousarray(outputs[::-1]).tobytes())

    assert not found.passed


def test_the_examples_accuracy_is_what_its_page_says(example):
    request = CompressRequest(example / "fashion_cnn.keras", ("fp32", "int8"), example / "calibration.npz")

    fp32, int8 = (accuracy(artifact, example / "test.npz") for artifact in compress(request, silent))

    assert point(fp32) == pytest.approx(0.920, abs=0.001)
    assert point(int8) == pytest.approx(0.921, abs=0.004)
