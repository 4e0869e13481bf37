"""Accuracy as users ask for it: named sets, spoilt images, their own metrics, and the mistakes they make."""

import jsonschema
import numpy as np
import pytest

from edgeprof.report.document import schema

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def model(cli, example):
    """Return the arguments of a quick profile of the example in int8, with its test set cut into two."""
    with np.load(example / "test.npz") as whole:
        for name, part in (("a", slice(0, 200)), ("b", slice(200, 300))):
            np.savez(cli.folder / f"{name}.npz", x=whole["x"][part], y=whole["y"][part])
    calibration = ("--calibration", example / "calibration.npz")
    return ("profile", example / "fashion_cnn.keras", "-r", "int8", *calibration, "-k", "2", "--runs", "20")


def test_a_project_names_sets_corruptions_and_metrics(cli, model):
    (cli.folder / "edgeprof.toml").write_text(
        'eval = ["clean=a.npz", "other=b.npz"]\ncorrupt = "noise:5"\nmetric = ["top1", "my.py:sure"]\n'
    )
    (cli.folder / "my.py").write_text("def sure(labels, outputs):\n    return outputs.max(axis=1)\n")

    done = cli(*model, "--json")

    document = done.json()
    jsonschema.validate(document, schema())
    clean, other, noise = document["items"][0]["evaluations"]
    assert [(one["data"], one["n_samples"], one["base"]) for one in (clean, other, noise)] == [
        ("clean", 200, None),
        ("other", 100, None),
        ("noise:5", 200, "clean"),
    ]
    assert [score["name"] for score in clean["scores"]] == ["top1_ratio", "sure"]
    assert clean["scores"][0]["value"]["point"] > 0.85
    assert noise["worse_than_first_set"]["low"] > 0
    assert noise["worse_by_compression"]["low"] < noise["worse_by_compression"]["high"]
    assert sum(map(sum, clean["confusion"])) == 200
    host = next(one for one in clean["agreements"] if one["against"] == "host")
    assert (host["n_samples"], host["n_agreed"]) == (100, 100)
    assert (noise["agreements"][0]["against"], len(noise["agreements"])) == ("float_model", 1)
    shown = cli("run", "show", document["items"][0]["run_id"])
    assert "clean: the classes least often right" in shown.out


def test_samples_alone_give_agreement(cli, model):
    np.savez(cli.folder / "bare.npz", x=np.load(cli.folder / "b.npz")["x"])

    done = cli(*model, "--eval", "bare.npz")

    assert done.code == 0, done.err
    assert "agreement with the float model ↑" in done.out
    assert "top-1" not in done.out


def test_calibrating_on_the_test_set_is_said_loudly(cli, model, example):
    done = cli(*model, "--eval", example / "calibration.npz")

    assert "are in the calibration data too" in done.out
    assert "[leaked_eval_data]" in done.out


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        (("--eval", "a.npz", "--eval", "b.npz"), "has the name of another set", "--eval clean=a.npz"),
        (("--eval", "a.npz", "--corrupt", "nois"), "unknown corruption: `nois`", "did you mean `noise`?"),
        (("--eval", "a.npz", "--metric", "tpo1"), "unknown metric: `tpo1`", "did you mean `top1`?"),
        (("--eval", "a.npz", "--metric", "my.py:f"), "there is no Python file at `my.py`", "FILE.py:NAME"),
        (
            ("--eval", "a.npz", "--metric", "bad.py:f"),
            "`bad.py:f` failed: IndexError",
            "labels (200,) and outputs (200, 10)",
        ),
        (("--corrupt", "blur"), "`--corrupt` needs samples to spoil", "--eval"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(cli, model, options, error, hint):
    (cli.folder / "bad.py").write_text("def f(labels, outputs):\n    return outputs[:, 99]\n")

    done = cli(*model, *options)

    assert done.code == 2
    assert error in done.err
    assert hint in done.err
    assert cli("run", "list", "--json").json()["items"] == []
