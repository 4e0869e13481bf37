"""The main job on virtual Arm boards: probe, offline setup, latency, memory and accuracy over SSH."""

import jsonschema
import pytest

from edgeprof.report.document import schema

QUICK = ("--launches", "2", "--runs", "10")

pytestmark = pytest.mark.tensorflow


def profiled(cli, few, *args):
    done = cli("profile", *args, "-d", "board", "--eval", few, *QUICK, "--json")
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


def profiled_virtual(kind, runtime, cli, few, *models):
    """Set a board up, profile models on it, check what came and return it."""
    setup = cli("device", "setup", "board", "--json")
    assert setup.code == 0, setup.err
    assert setup.json()["items"][0]["runtime"]["name"] == runtime
    runs = profiled(cli, few, *models)
    for run in runs:
        check(run, runtime)
        assert run["environment"]["virtual_board"] == kind
    return runs


@pytest.mark.parametrize(
    ("kind", "runtime", "recipe", "expected"),
    [
        ("bullseye", "tflite-runtime", "fp32", {"libc": "glibc 2.31", "python": "3.9.2"}),
        ("armv7", "tflite-runtime", "int8", {"machine": "armv7l", "isa": "neon"}),
    ],
)
def test_the_main_job_works_on_a_virtual(kind, runtime, recipe, expected, add, cli, tflite, few):
    add(kind)

    (run,) = profiled_virtual(kind, runtime, cli, few, tflite[recipe])

    assert run["artifact"]["recipe"] == recipe
    assert expected.items() <= run["environment"].items()


def test_the_main_job_works_on_a_virtual_raspberry_pi_3_which_is_what_its_target_says_but_for_aes(
    add, cli, tflite, few
):
    add("raspberry-pi-3")

    probed = cli("device", "probe", "board", "--json").json()["items"][0]
    (run,) = profiled(cli, few, tflite["int8"])

    assert probed["looks_like"] == "raspberry-pi-3-b"
    assert probed["probe"]["thermal_zones"][0]["type"] == "cpu-thermal"
    # An emulated Cortex-A53 has what Broadcom left out of the board's.
    assert [(d["field"], d["expected"], d["found"]) for d in probed["differences"]] == [
        ("aes_instructions", "no", "yes")
    ]
    check(run, "litert")
    assert run["environment"]["virtual_board"] == "raspberry-pi-3"
    assert {"model": "Raspberry Pi 3 Model B", "cores": "4 x cortex-a53"}.items() <= run["environment"].items()


def test_the_main_job_works_on_a_virtual_cortex_a72_where_both_runtimes_agree(add, cli, tflite, few):
    """Both recipes and both runtimes on this one only: an emulated processor takes its time to start a runtime."""
    add("cortex-a72")

    runs = profiled_virtual("cortex-a72", "litert", cli, few, tflite["fp32"], tflite["int8"])
    other = profiled(cli, few, tflite["int8"], "--runtime", "tflite-runtime")[0]

    assert [run["artifact"]["recipe"] for run in runs] == ["fp32", "int8"]
    for run in runs:
        assert {"libc": "glibc 2.36", "cores": "2 x cortex-a72"}.items() <= run["environment"].items()
    check(other, "tflite-runtime")
    top1 = [next(m["point"] for m in run["metrics"] if m["name"] == "top1_ratio") for run in (runs[1], other)]
    assert abs(top1[0] - top1[1]) <= 0.02


def test_the_main_job_works_on_a_board_without_python(add, cli, tflite, few):
    """Neither Python nor gzip nor getconf: the native agent, and a shell script that says what the board is."""
    add("no-python")

    setup = cli("device", "setup", "board", "--json").json()["items"][0]
    again = cli("device", "setup", "board", "--json").json()["items"][0]
    probe = cli("device", "probe", "board", "--json").json()["items"][0]["probe"]
    runs = profiled(cli, few, tflite["fp32"], tflite["int8"], "--per-op")

    assert (setup["python"], setup["runtime"]["name"]) == (None, "litert")
    assert setup["pushed_bytes"] > 5_000_000
    assert again["pushed_bytes"] == 0
    assert (probe["machine"], probe["libc"], probe["libc_version"]) == ("aarch64", "glibc", "2.36")
    assert probe["lab"]["board"] == "no-python"
    assert len(runs) == 2
    for run in runs:
        check(run, "litert")
        assert run["golden"]["passed"]
        assert run["environment"]["virtual_board"] == "no-python"
        assert run["environment"]["cores"] == "2 x cortex-a72"
        assert "python" not in run["environment"]
    kept = cli("run", "show", runs[0]["run_id"], "--json").json()["items"][0]
    assert all(value > 0 for launch in kept["launches"] for value in launch["start_up"].values())
    assert kept["ops"]
