"""A clock that counts instructions: the same on every machine and under load, fine enough to see 2 %."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from edgeprof.report.document import schema

pytestmark = pytest.mark.tensorflow

# Its agent in C opens a model in a quarter of the instructions that one in Python takes.
QUICK = "no-python"


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> dict[str, Path]:
    """Two `.tflite` models, one of which multiplies 2 % more; made once, for TensorFlow takes its time to start."""
    folder = tmp_path_factory.mktemp("dense")
    script = Path(__file__).with_name("make_dense.py")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, str(script), str(folder)], check=True, env=environment, capture_output=True)
    return {name: folder / f"{name}.tflite" for name in ("less", "more")}


@contextmanager
def two_busy_loops():
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def instructions(cli, device, *words) -> dict[str, dict]:
    """Return each model's estimate by `MODEL-RECIPE`; `words` are models and options."""
    done = cli("profile", *words, "-d", device, "--json")
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    runs = document["items"]
    assert all(run["environment"]["virtual_board"] for run in runs)
    return {f"{run['artifact']['model']}-{run['artifact']['recipe']}": median(run) for run in runs}


def median(run) -> dict:
    figures = [m for m in run["metrics"] if m["statistic"] == "median"]
    assert not [m for m in figures if m["name"] == "latency_ns"]
    return next(m for m in figures if m["name"] == "guest_instructions")


def test_int8_beats_float_by_more_where_the_processor_multiplies_bytes_four_at_a_time(add, add_standing, cli, tflite):
    """The Cortex-A76 has the dot product instructions (`asimddp`), the A53 has not."""
    gains = {}
    for kind, start in (("cortex-a53", add), ("cortex-a76", add_standing)):
        start(kind, kind, clock="instructions")
        counted = instructions(cli, kind, tflite["fp32"], tflite["int8"], "-k", "1")
        fp32, int8 = counted.values()
        gains[kind] = fp32["point"] / int8["point"]
    isa = {run["device"]: run["environment"]["isa"] for run in runs_of(cli)}
    shown = cli("ab", tflite["fp32"], tflite["int8"], "-d", "cortex-a76", "-k", "2")

    assert 1 < gains["cortex-a53"] < gains["cortex-a76"]
    assert "asimddp" in isa["cortex-a76"].split()
    assert "asimddp" not in isa["cortex-a53"].split()
    assert "× fewer instructions (" in shown.out


def runs_of(cli) -> list[dict]:
    ids = [row["run_id"] for row in cli("run", "list", "--json").json()["items"]]
    return [json.loads(cli("run", "show", run_id, "--json").out)["items"][0] for run_id in ids]


def test_counts_repeat_under_load_and_on_another_board_and_tell_two_percent_apart(add_standing, add, cli, dense):
    add_standing(QUICK, "one", clock="instructions")
    add(QUICK, "other", clock="instructions")

    alone = instructions(cli, "one", *dense.values())
    with two_busy_loops():
        beside = instructions(cli, "one", dense["less"], "-k", "2")
    elsewhere = instructions(cli, "other", dense["less"], "-k", "2")

    for again in (beside, elsewhere):
        assert again["less-as-is"]["point"] == pytest.approx(alone["less-as-is"]["point"], rel=0.001)
    assert alone["more-as-is"]["low"] > alone["less-as-is"]["high"]
    assert 1.01 < alone["more-as-is"]["point"] / alone["less-as-is"]["point"] < 1.03


def test_a_pair_on_counts_of_instructions_has_a_sure_verdict(add_standing, cli, dense, tflite):
    add_standing(QUICK, "one", clock="instructions")

    two_percent = cli("ab", *dense.values(), "-d", "one", "--margin", "0.01", "--json").json()
    control = cli("ab", tflite["int8"], "--control", "-d", "one", "--json").json()

    assert [found["verdict"] for found in two_percent["comparisons"]] == ["more"]
    assert [found["verdict"] for found in control["comparisons"]] == ["same"]
