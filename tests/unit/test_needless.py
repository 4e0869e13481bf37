"""Options that nothing asked for would use: refused, or said to be so."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgeprof.cli.app import app
from edgeprof.cli.measuring import unused_program
from edgeprof.errors import ModelError, UsageError
from edgeprof.profile import Outcome, ProfileRequest
from edgeprof.remote import SetupOptions
from tests.unit.test_store import RUN

TFLITE = b"\x1c\0\0\0TFL3"  # and nothing of a model


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that runs a command in a folder of its own, which holds models, samples and images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEPROF_STORE", str(tmp_path / "results.db"))
    monkeypatch.setenv("EDGEPROF_CONFIG_DIR", str(tmp_path))
    Path("m.tflite").write_bytes(TFLITE)
    Path("m.keras").write_bytes(b"PK\x03\x04")
    Path("calib.npz").touch()
    Path("images").mkdir()
    return lambda *words: app(list(words), prog_name="edgeprof", standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("profile", "m.tflite", "--io", "float"), "`--io` is for making a .tflite file", "give the Keras model"),
        (
            ("ab", "m.tflite", "--control", "--preprocess", "0-1"),
            "`--preprocess` is for making a .tflite file",
            "leave",
        ),
        (("profile", "m.tflite", "--calibration-samples", "9"), "`--calibration-samples` is for making", "as it is"),
        (("profile", "m.keras", "--io", "int8"), "`--io` is for recipes with int8 inputs and outputs", "leave it out"),
        (("compress", "m.keras", "-r", "fp16", "--io", "float"), "`--io` is for recipes with int8 inputs", "`int8`"),
        (("compress", "m.keras", "--preprocess", "0-1"), "`--preprocess` is for a folder of images", "--calibration"),
        (
            ("ab", "m.keras", "-r", "fp32", "-r", "int8", "--calibration", "calib.npz", "--preprocess", "0-1"),
            "`--preprocess` is for a folder of images, and none is given",
            "samples in a file are taken as they are",
        ),
    ],
)
def test_what_is_typed_and_not_used_is_refused_with_the_next_step(run, words, message, hint):
    with pytest.raises(UsageError) as refused:
        run(*words)

    assert message in refused.value.message
    assert hint in refused.value.hint


def test_what_a_project_has_for_its_keras_models_is_no_mistake_beside_a_tflite_file(run):
    Path("edgeprof.toml").write_text('preprocess = "0-1"\ncalibration_samples = 9\nrecipes = ["int8"]\n')

    with pytest.raises(ModelError, match=r"m\.tflite"):  # the file itself, once it is read
        run("profile", "m.tflite")


@pytest.mark.parametrize(
    "options",
    [
        ("-r", "int8", "--io", "float", "--calibration", "calib.npz"),
        ("-r", "int8", "--io", "float", "--calibration", "images", "--preprocess", "0-1"),
        ("--error-report", "--io", "float", "--calibration", "calib.npz"),
        ("-r", "int8", "--calibration", "nowhere", "--preprocess", "0-1"),
    ],
)
def test_what_is_used_is_not_refused(run, options):
    with pytest.raises((ModelError, UsageError)) as failed:  # neither models nor data hold anything
        run("compress", "m.keras", *options)

    assert "is for" not in failed.value.message


def test_a_program_of_a_vendor_that_was_not_needed_is_said_to_be_so():
    request = ProfileRequest((), setup=SetupOptions(benchmark_model=Path("benchmark_model")))
    vendors = replace(RUN, device="phone", origin="benchmark_model")

    text = unused_program(request, Outcome((RUN, RUN, vendors), ()))

    assert text == "`--benchmark-model` was not needed on `pi5`: edgeprof measured there itself"
    assert unused_program(request, Outcome((vendors,), ())) is None
    assert unused_program(ProfileRequest(()), Outcome((RUN,), ())) is None
