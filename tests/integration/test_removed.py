"""A board behind a real OpenSSH server that speaks as a Raspberry Pi 5 did, and what is left when that is taken away."""

import re

import pytest

from edgeprof import resources
from tests.recorded import recorded

MODEL = resources.folder("device_agents") / "selftest.tflite"
QUICK = ("-d", "board", "-k", "2", "--runs", "20", "--rate", "20")
ENERGY = "energy_per_inference_uj"


@pytest.fixture
def pi5(board):
    """The board answers as one did, only that its core's current moves from answer to answer; it was held back once."""
    said = board.home / "pmic.txt"
    said.write_text(recorded("pi5-pmic_read_adc.txt"))
    board.install(
        "vcgencmd",
        f"case $1 in\n"
        f'pmic_read_adc) sed "s/10.87674000A/10.8$(printf %04d $(($$ % 10000)))00A/" {said} ;;\n'
        "get_throttled) echo throttled=0x50000 ;;\n"
        "*) echo error=1; exit 1 ;;\nesac",
    )
    return board


def metric(item: dict, name: str) -> dict:
    return next(metric for metric in item["metrics"] if metric["name"] == name)


def test_a_pi5s_pmic_gives_the_energy_of_a_part_of_it(pi5, cli):
    """10.8 A at 0.897 V, and what the other rails of the recording take."""
    item = cli("profile", MODEL, *QUICK, "--json").json()["items"][0]

    whole, power = metric(item, ENERGY), metric(item, "power_mw")
    trace = cli("run", "show", item["run_id"], "--json").json()["items"][0]["power"]
    codes = [warning["code"] for warning in item["warnings"]]
    assert (trace["rail"], trace["covers"]) == ("pmic", "part")
    assert len(trace["readings"]) > 20
    assert all(reading == pytest.approx(10_750_000, rel=0.02) for reading in trace["readings"])
    if whole["not_measured"] is None:
        assert power["point"] == pytest.approx(10_750, rel=0.02)
        assert whole["low"] < whole["point"] < whole["high"]
        assert "partial_rail" in codes
    else:  # this machine was too busy to ask ten times a second
        assert "energy_not_measured" in codes
    assert "throttled" not in codes
    assert item["environment"]["throttled_before"].startswith("0x50000 (since its start: under-voltage")


def test_what_is_taken_away_is_not_measured_and_table_json_and_page_say_why(pi5, cli, tmp_path):
    pi5.install("vcgencmd", "echo throttled=0x50005; exit 0")  # no PMIC, and held back now

    done = cli("profile", MODEL, *QUICK)
    row = cli("run", "list", "--json").json()["items"][0]
    item = cli("run", "show", row["run_id"], "--json").json()["items"][0]
    page = tmp_path / "page.html"
    made = cli("report", row["run_id"], "-o", page)

    assert (done.code, made.code) == (0, 0), done.err + made.err
    assert metric(item, ENERGY)["not_measured"] == "no_power_sensor"
    assert {"name": ENERGY, "reason": "no_power_sensor"} in item["not_measured"]
    assert re.search(r"not measured: .*energy, power.* \(no power sensor\)", " ".join(done.out.split()))
    assert "no power sensor" in page.read_text()
    assert "throttled" in [warning["code"] for warning in item["warnings"]]
    assert "held back" in cli("run", "show", row["run_id"]).out
