"""The built wheel, in a fresh environment, without TensorFlow and without the checkout."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the `bin` folder of an environment that holds the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    programs = folder / "env" / "bin"
    subprocess.run(
        [str(programs / "python"), "-m", "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True
    )
    return programs


def test_the_wheel_profiles_from_the_root_folder_without_tensorflow(installed, cli):
    model = next(installed.parent.glob("lib/python*/site-packages/edgeprof/_data/device_agents/selftest.tflite"))
    command = [str(installed / "edgeprof"), "profile", str(model), "--launches", "1", "--runs", "5"]

    done = subprocess.run(command, cwd="/", env=cli.env, capture_output=True, text=True, check=False)
    imported = subprocess.run([str(installed / "python"), "-c", "import tensorflow"], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "selftest" in done.stdout
    assert "[golden_not_checked]" in done.stdout
    assert imported.returncode != 0


def test_a_keras_model_without_the_extra_names_the_extra(installed, cli, example):
    command = [str(installed / "edgeprof"), "profile", str(example / "fashion_cnn.keras")]

    done = subprocess.run(command, cwd="/", env=cli.env, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "pip install 'edgeprof[compress]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_carries_targets_and_agent(installed, cli):
    listed = subprocess.run(
        [str(installed / "edgeprof"), "target", "list"], env=cli.env, capture_output=True, text=True, check=True
    )

    site = next(Path(installed).parent.glob("lib/python*/site-packages"))
    assert "raspberry-pi-5" in listed.stdout
    assert (site / "edgeprof/_data/device_agents/linux/edgeprof_agent/server.py").is_file()


def test_a_model_that_kills_its_process_is_reported_and_spares_the_others(installed, cli):
    """Without a runtime on the host nothing has looked into the file: the board's child dies of it."""
    good = next(installed.parent.glob("lib/python*/site-packages/edgeprof/_data/device_agents/selftest.tflite"))
    damaged = bytearray(good.read_bytes())
    dice = random.Random(10)
    for _ in range(2):
        damaged[dice.randrange(8, len(damaged))] = dice.randrange(256)
    (cli.folder / "deadly.tflite").write_bytes(damaged)
    command = [
        str(installed / "edgeprof"),
        "profile",
        "deadly.tflite",
        str(good),
        "--launches",
        "1",
        "--runs",
        "5",
        "--json",
    ]

    done = subprocess.run(command, cwd=cli.folder, env=cli.env, capture_output=True, text=True, check=False)

    deadly, spared = json.loads(done.stdout)["items"]
    assert done.returncode == 1
    assert "the runtime's process died of SIG" in done.stderr
    assert "hint: the runtime aborted its process, not edgeprof's" in done.stderr
    assert "Traceback" not in done.stderr
    assert (deadly["status"], spared["status"]) == ("failed", "complete")


def test_the_wheel_writes_a_page_too(installed, cli):
    model = next(installed.parent.glob("lib/python*/site-packages/edgeprof/_data/device_agents/selftest.tflite"))
    program = str(installed / "edgeprof")
    run = [program, "profile", str(model), "--launches", "1", "--runs", "5", "--json"]
    made = json.loads(subprocess.run(run, cwd="/", env=cli.env, capture_output=True, text=True, check=True).stdout)

    written = [program, "report", made["items"][0]["run_id"]]
    done = subprocess.run(written, cwd=cli.folder, env=cli.env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "</html>" in (cli.folder / "report.html").read_text()
