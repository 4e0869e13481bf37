"""What a real board must do; phones also what only phones do. Each says what it found: `pytest -s`."""

from pathlib import Path

import pytest

from edgeprof import resources
from edgeprof.transport import Transport
from edgeprof.transport.files import run

MODEL = resources.folder("device_agents") / "selftest.tflite"
SHORT = ("--launches", "1", "--runs", "20", "--no-energy")
LOOK = """
for policy in /sys/devices/system/cpu/cpufreq/policy*; do
  echo "$policy $(cd "$policy" && cat scaling_governor scaling_min_freq scaling_max_freq | tr '\\n' ' ')"
done
if command -v nvpmodel > /dev/null; then nvpmodel -q; fi
"""
# The files are read, and the processes ended, with the rights that set the clocks.
KILL = """
kill='cd /var/lib/edgeprof/clocks && kill -9 $(cat watchdog) $(cat holder)'
if [ "$(id -u)" = 0 ]; then sh -c "$kill"; else sudo -n sh -c "$kill"; fi
"""


def wheels(real) -> list[str]:
    return [word for path in real.wheels for word in ("--wheel", path)]


def pinning(real) -> list[str]:
    """Return the options that set what a board's file names; without a word there, the test is skipped."""
    if not (real.pin_mhz or real.power_mode):
        pytest.skip("no pin_mhz and no power_mode given")
    mode = ["--power-mode", real.power_mode] if real.power_mode else []
    return [*mode, *(word for text in real.pin_mhz for word in ("--pin-mhz", text))]


def settings(way: Transport) -> str:
    """Return governors, limits and power mode as the board itself tells them."""
    done = run(way, ("sh", "-c", LOOK), 60)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def figures(item) -> dict:
    return {(m["name"], m["statistic"]): m for m in item["metrics"]}


def test_it_says_what_it_is(added, cli):
    done = cli("device", "probe", added.name, "--json")

    assert done.code == 0, done.err
    print(done.out)  # noqa: T201 - what a person who has the board wants to see
    (item,) = done.json()["items"]
    assert item["target"] == added.target
    assert item["differences"] == []


def test_the_main_job_works_on_it(added, cli):
    if added.is_tiny:
        pytest.skip("a device of MLPerf Tiny has its own model: see below")
    done = cli(
        "profile", added.model or MODEL, "-d", added.name, "--launches", "4", *wheels(added), "--json", timeout=900
    )

    assert done.code == 0, done.err
    item = done.json()["items"][0]
    print(done.err, item["metrics"], item["warnings"])  # noqa: T201
    assert item["golden"] is None or item["golden"]["passed"]
    assert figures(item)["latency_ns", "median"]["point"] > 0
    energy = figures(item)["energy_per_inference_uj", "mean"]
    assert (energy["point"] is None) != (energy["not_measured"] is None)
    if added.is_phone:
        assert item["environment"]["soc"]
        assert all(state and state["thermal_status"] is not None for state in item["states"])


def test_a_device_of_mlperf_tiny_measures_the_model_that_it_has(added, cli):
    if not added.is_tiny:
        pytest.skip("no device of MLPerf Tiny")
    if added.model is None:
        pytest.skip("no model given")

    done = cli("profile", added.model, "-d", added.name, "--launches", "3", "--json", timeout=900)

    assert done.code == 0, done.err
    (item,) = done.json()["items"]
    print(done.err, item["metrics"], item["warnings"])  # noqa: T201
    assert (item["status"], item["origin"]) == ("complete", "mlperf-tiny-device")
    latency = figures(item)["latency_ns", "mean"]
    assert (latency["point"] is None) == (latency["not_measured"] is not None)
    assert latency["point"] is None or latency["point"] > 0


def test_pinned_clocks_and_a_power_mode_are_set_back_when_the_run_ends(added, cli, way):
    asked, before = pinning(added), settings(way)

    done = cli("profile", MODEL, "-d", added.name, *asked, *wheels(added), *SHORT, "--json", timeout=900)

    assert done.code == 0, done.err
    (item,) = done.json()["items"]
    print(before, item["environment"]["clocks"], done.err)  # noqa: T201
    if added.pin_mhz:
        assert item["environment"]["clocks_set_by"] == "edgeprof"
        assert item["plan"]["pin_clocks"]
    assert settings(way) == before


def test_device_restore_gives_back_what_a_run_that_is_gone_left(added, cli, way):
    """Its host and both of its programs on the board are killed; whatever happens, `device restore` ends it."""
    asked, before = pinning(added), settings(way)
    process = cli.start("profile", MODEL, "-d", added.name, *asked, *wheels(added), *SHORT)
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if ("clocks pinned" if added.pin_mhz else "; before: ") in line:
                break
        killed = run(way, ("sh", "-c", KILL), 60)
        process.kill()
        process.communicate(timeout=60)
        left = settings(way)
    finally:
        process.kill()
        restored = cli("device", "restore", added.name, "--json")

    assert killed.returncode == 0, (killed.stderr, said)
    assert left != before, "name clocks or a mode that the board does not have anyway"
    assert restored.code == 0, restored.err
    assert restored.json()["items"][0]["done"]
    assert settings(way) == before


def test_a_faked_unplugging_gives_no_energy_on_a_phone(added, cli, way):
    """It ends with `dumpsys battery reset`, whatever happens."""
    if not added.is_phone:
        pytest.skip("no phone")
    try:
        run(way, ("dumpsys", "battery", "unplug"), 30)
        done = cli("profile", MODEL, "-d", added.name, "--launches", "1", *wheels(added), "--json", timeout=900)
    finally:
        run(way, ("dumpsys", "battery", "reset"), 30)

    assert done.code == 0, done.err
    assert figures(done.json()["items"][0])["energy_per_inference_uj", "mean"]["point"] is None


def test_the_vendor_s_program_is_read_by_its_result_file(added, cli):
    if added.benchmark_model is None:
        pytest.skip("no benchmark_model given")
    asked = ("--runtime", "tflite-runtime", "--benchmark-model", Path(added.benchmark_model))
    if not added.is_phone:
        pytest.skip("our own agent runs there")

    done = cli("profile", MODEL, "-d", added.name, *asked, "--launches", "3", "--json", timeout=900)

    assert done.code == 0, done.err
    item = done.json()["items"][0]
    print(item["summaries"])  # noqa: T201
    assert item["origin"] == "benchmark_model"
    assert figures(item)["latency_ns", "median"]["n_launches"] == 3
