"""What a real board must do; phones also what only phones do. Each says what it found: `pytest -s`."""

from pathlib import Path

import pytest

from edgeprof import resources

MODEL = resources.folder("device_agents") / "selftest.tflite"


def wheels(real) -> list[str]:
    return [word for path in real.wheels for word in ("--wheel", path)]


def figures(item) -> dict:
    return {(m["name"], m["statistic"]): m for m in item["metrics"]}


def test_it_says_what_it_is(added, cli):
    done = cli("device", "probe", added.name, "--json")

    assert done.code == 0, done.err
    print(done.out)  # noqa: T201 - what a person who has the board wants to see


def test_the_main_job_works_on_it(added, cli):
    done = cli("profile", MODEL, "-d", added.name, "--launches", "4", *wheels(added), "--json", timeout=900)

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


def test_a_faked_unplugging_gives_no_energy_on_a_phone(added, cli):
    """It ends with `dumpsys battery reset`, whatever happens."""
    if not added.is_phone:
        pytest.skip("no phone")
    from edgeprof.transport import connect
    from edgeprof.transport.files import run

    way = connect(added.url)
    try:
        run(way, ("dumpsys", "battery", "unplug"), 30)
        done = cli("profile", MODEL, "-d", added.name, "--launches", "1", *wheels(added), "--json", timeout=900)
    finally:
        run(way, ("dumpsys", "battery", "reset"), 30)
        way.close()

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
