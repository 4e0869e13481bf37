"""A meter on this host, a real pty with lines as a meter prints them, through the whole command."""

import random
import re
import threading
import time

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.report.document import schema
from tests.conftest import ROOT
from tests.meters import Printer, bench_toml, printer

QUICK = ("-k", "2", "--runs", "20", "--rate", "20")
MODEL = resources.folder("device_agents") / "selftest.tflite"


def noisy(_seconds: float) -> str:
    """Return 3.7 W from 5 V, with the noise of a meter."""
    return f"0 5.000 {random.gauss(740, 3):.1f}\r\n"


def unplug_in_the_run(far: Printer) -> None:
    """Wait until it is opened for the second time, which is no trial, and for 9 s more: 5.5 s are idle."""
    while far.begun < 2:
        time.sleep(0.05)
    time.sleep(9)
    far.unplug()


def metrics(item: dict) -> dict[str, dict]:
    return {metric["name"]: metric for metric in reversed(item["metrics"])}  # the first of each name


def test_a_meter_gives_the_energy_of_a_run_at_its_rate(cli, tmp_path):
    with printer(noisy) as far:
        done = cli("profile", MODEL, *QUICK, "--meter", bench_toml(tmp_path, port=far.port), "--json")

    item = done.json()["items"][0]
    found, power = metrics(item), item["power"]
    if found["power_mw"]["not_measured"] is None:
        assert found["power_mw"]["point"] == pytest.approx(3700, rel=0.01)
        assert found["energy_per_inference_uj"]["point"] == pytest.approx(3.7e6 / 20, rel=0.02)
        assert found["dynamic_energy_per_inference_uj"]["not_measured"] == "not_above_idle"
    else:  # this machine was too busy for a hundred lines a second
        assert "energy_not_measured" in [warning["code"] for warning in item["warnings"]]
    assert (power["rail"], power["covers"], power["averaging_ns"]) == ("bench", "board", 10_000_000)
    assert power["supply_uv"] == 5_000_000
    assert 20_000_000 <= power["offset_bound_ns"] < 100_000_000


def test_a_meter_that_is_unplugged_half_way_takes_the_energy_with_it_and_nothing_else(cli, tmp_path):
    with printer(noisy) as far:
        threading.Thread(target=unplug_in_the_run, args=(far,), daemon=True).start()
        done = cli("profile", MODEL, *QUICK, "--meter", bench_toml(tmp_path, port=far.port, start="go"))
    shown = cli("run", "list", "--json").json()["items"][0]
    item = cli("run", "show", shown["run_id"], "--json").json()["items"][0]

    assert done.code == 0
    assert metrics(item)["energy_per_inference_uj"]["not_measured"] == "sensor_failed"
    assert metrics(item)["latency_ns"]["point"] > 0
    assert "the meter is gone" in done.out + done.err


def test_a_pair_is_compared_by_energy_too_window_by_window_in_turns(cli, tmp_path):
    models = (ROOT / "tests/contract/agent/models/any_batch.tflite", MODEL)
    with printer(noisy) as far:
        done = cli("ab", *models, "-k", "2", "--runs", "40", "--meter", bench_toml(tmp_path, port=far.port), "--json")

    document = done.json()
    jsonschema.validate(document, schema())
    cost, energy = document["comparisons"]
    assert done.code == 0, done.err
    assert (cost["name"], energy["name"]) == ("latency_ns", "energy_per_inference_uj")
    assert [len(item["energy_turns"]) for item in document["items"]] == [2, 2]
    assert all(item["power"] is None for item in document["items"])
    if energy["not_measured"] is None:
        base, other = (metrics(item)["energy_per_inference_uj"] for item in document["items"])
        assert energy["ratio"] == pytest.approx(other["point"] / base["point"], rel=0.3)
        assert energy["low"] < energy["ratio"] < energy["high"]
        assert energy["n_launches"] == 2
    else:  # this machine was too busy for a hundred lines a second
        assert energy["not_measured"] in ("sensor_failed", "no_common_windows")


def test_a_pair_without_that_sensor_says_of_both_that_there_is_no_energy_and_why(cli, tmp_path):
    done = cli("ab", MODEL, "--control", "-k", "2", "--runs", "40", "--energy", "--rail", "VDD_IN")
    ids = [row["run_id"] for row in cli("run", "list", "--json").json()["items"]]
    items = cli("run", "export", *ids).json()["items"]
    page = tmp_path / "page.html"
    made = cli("report", *ids, "-o", page)

    assert (done.code, made.code, len(items)) == (0, 0, 2), done.err + made.err
    (reason,) = {metrics(item)["energy_per_inference_uj"]["not_measured"] for item in items}
    assert reason in ("no_power_sensor", "no_such_rail")  # as this machine has none, or others
    words = reason.replace("_", " ")
    for item in items:
        assert {"name": "energy_per_inference_uj", "reason": reason} in item["not_measured"]
        assert {"name": "energy_in_turns", "reason": reason} in item["not_measured"]
    assert f"energy per inference not compared ({words})" in done.out
    assert len(re.findall(rf"^not measured: .*energy, power \({words}\)", done.out, re.M)) == 1  # one line for both
    assert page.read_text().count(f"<dt>{words}</dt>") == 2


def test_a_pair_of_which_nobody_asked_for_the_energy_says_nothing_of_it(cli):
    plain = cli("ab", MODEL, "--control", "-k", "2", "--runs", "40")

    assert plain.code == 0, plain.err
    assert "energy" not in plain.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--meter", "nothing.toml"), "there is no meter `nothing.toml`"),
        (("--meter", "ppk2:/dev/not-there"), "nobody says at which voltage `local` is fed"),
        (("--meter", "joulescope"), "Joulescope"),
        (("--meter", "joulescope", "--rail", "VDD_IN"), "--rail names a sensor of the board"),
    ],
)
def test_a_meter_that_cannot_be_is_refused_before_anything_is_measured(cli, arguments, said):
    done = cli("profile", MODEL, *QUICK, *arguments)

    assert done.code in (1, 2)
    assert said in done.err
    assert "hint:" in done.err
    assert done.out == ""
