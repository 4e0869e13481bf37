"""Several recipes at once: the same files in the order asked for, whatever happens to a child or to the command."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import jsonschema
import psutil
import pytest

from edgeprof.compress import CompressRequest, compress
from edgeprof.errors import UsageError
from edgeprof.report.document import schema
from tests.compress.conftest import RECIPES, silent

pytestmark = pytest.mark.tensorflow


class Killer:
    """Kills one child at the first conversion that is told of while two run."""

    def __init__(self):
        self.killed = False

    def __call__(self, text, _):
        workers = [child for child in psutil.Process().children() if "edgeprof.compress.worker" in child.cmdline()]
        if not self.killed and text.startswith("converting") and len(workers) == 2:
            workers[0].kill()
            self.killed = True


def test_at_once_the_same_files_come_in_order_though_a_child_is_killed(artifacts, example, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEPROF_CACHE_DIR", str(tmp_path))
    killer = Killer()
    request = CompressRequest(example / "fashion_cnn.keras", RECIPES, example / "calibration.npz", jobs=2)

    made = compress(request, killer)

    if not killer.killed:
        pytest.skip("no memory for a second child")
    assert [artifact.recipe for artifact in made] == list(RECIPES)
    assert [artifact.sha256 for artifact in made] == [artifacts[recipe].sha256 for recipe in RECIPES]


def test_ctrl_c_hands_over_what_is_finished(step_models, tmp_path):
    (tmp_path / "long.toml").write_text('[[step]]\nkind = "prune"\nepochs = 10000\npatience = 10000\n')
    cache, out = tmp_path / "cache", tmp_path / "out"
    command = ["compress", step_models / "small.keras", "-r", "fp32", "-r", tmp_path / "long.toml", "-o", out]
    running = subprocess.Popen(
        [sys.executable, "-m", "edgeprof", *map(str, command), "--train", str(step_models / "train.npz")],
        env={**os.environ, "EDGEPROF_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(cache.glob("artifacts/*/artifact.json")) and time.monotonic() < deadline:
        time.sleep(0.05)

    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)

    assert running.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert [path.name for path in out.glob("*.tflite")] == ["small-fp32.tflite"]
    assert not list(cache.glob("artifacts/.partial-*"))
    assert not [child for child in _workers() if str(cache) in " ".join(child)]


def test_an_artifact_says_which_samples_its_ranges_come_from(step_models, tmp_path):
    settings = ["--calibration", step_models / "calibration.npz", "--calibration-samples", 20, "--seed", 3]
    command = ["compress", step_models / "small.keras", "-r", "int8", "-r", "fp16", *settings, "-o", tmp_path, "--json"]

    first, again = (
        subprocess.run(
            [sys.executable, "-m", "edgeprof", *map(str, command), "--calibration-choice", "random"],
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(2)
    )

    found = json.loads(first.stdout)
    jsonschema.validate(found, schema())
    int8, fp16 = found["items"]
    assert {**int8["calibration"], "sha256": ""} == {"sha256": "", "samples": 20, "choice": "random", "seed": 3}
    assert fp16["calibration"] is None
    assert again.stdout == first.stdout
    assert "TensorFlow" in first.stderr
    assert again.stderr == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "0 recipes at once are none"),
        ({"calibration_samples": 65}, r"65 calibration samples were asked for, and .* has 64"),
        ({"calibration_samples": 0}, "0 calibration samples are none"),
        ({"calibration_choice": "frist"}, "unknown choice of calibration samples: `frist`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(options, message, step_models):
    with pytest.raises(UsageError, match=message):
        compress(
            CompressRequest(step_models / "small.keras", ("int8",), step_models / "calibration.npz", **options), silent
        )


def _workers():
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield process.cmdline()
