"""The main job on virtual Arm boards: probe, offline setup, latency, memory and accuracy over SSH."""

import jsonschema
import pytest

from edgeprof.report.document import schema

QUICK = ("--launches", "2", "--runs", "10")

pytestmark = pytest.mark.tensorflow


def profiled(cli, few, *args):
    done = cli("profile", *args, "-d", "board", "--eval", few, *QUICK, "--json", timeout=400)
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    return document["items"]


def check(run, runtime):
    metrics = {(m["name"], m["statistic"]): m for m in run["metrics"]}
    assert run["status"] == "complete"
    assert run["golden"] is None or run["golden"]["passed"]
    assert run["runtime"]["name"] == runtime
    assert metrics["latency_ns", "median"]["n_launches"] == 2
    assert metrics["latency_ns", "median"]["point"] > 0
    assert metrics["peak_rss_bytes", "median"]["point"] > 1_000_000
    assert metrics["top1_ratio", "share"]["n_samples"] == 100
    assert metrics["top1_ratio", "share"]["point"] > 0.8
    assert "virtual_machine" in [w["code"] for w in run["warnings"]]


@pytest.mark.parametrize(
    ("kind", "runtime", "expected"),
    [
        ("cortex-a72", "litert", {"machine": "aarch64", "libc": "glibc 2.36", "cores": "2 x cortex-a72"}),
        ("raspberry-pi-3", "litert", {"model": "Raspberry Pi 3 Model B", "cores": "4 x cortex-a53"}),
        ("bullseye", "tflite-runtime", {"libc": "glibc 2.31", "python": "3.9.2"}),
        ("armv7", "tflite-runtime", {"machine": "armv7l", "isa": "neon"}),
    ],
)
def test_the_main_job_works_on_a_virtual(kind, runtime, expected, add, cli, tflite, few):
    add(kind)

    setup = cli("device", "setup", "board", "--json", timeout=300)
    assert setup.code == 0, setup.err
    runs = profiled(cli, few, tflite["fp32"], tflite["int8"])

    assert setup.json()["items"][0]["runtime"]["name"] == runtime
    assert len(runs) == 2
    for run in runs:
        check(run, runtime)
        assert run["environment"]["virtual_board"] == kind
        assert expected.items() <= run["environment"].items()


def test_both_runtimes_agree_on_one_board(add, cli, tflite, few):
    add("cortex-a72")

    litert = profiled(cli, few, tflite["int8"], "--runtime", "litert")[0]
    other = profiled(cli, few, tflite["int8"], "--runtime", "tflite-runtime")[0]

    check(litert, "litert")
    check(other, "tflite-runtime")
    top1 = [next(m["point"] for m in run["metrics"] if m["name"] == "top1_ratio") for run in (litert, other)]
    assert abs(top1[0] - top1[1]) <= 0.02


def test_a_board_without_python_is_told_so_with_a_next_step(add, cli, tflite):
    add("no-python")

    done = cli("profile", tflite["int8"], "-d", "board")

    assert done.code == 1
    assert "error: the board has no Python 3" in done.err
    assert "`sudo apt install python3`" in done.err
