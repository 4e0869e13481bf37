"""Options that say how to run: at a rate, for minutes; and the board's state beside it."""

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.report.document import schema

MODEL = resources.folder("device_agents") / "selftest.tflite"


def test_a_rate_is_a_condition_of_the_result(cli):
    done = cli("profile", MODEL, "--rate", "200", "--launches", "2", "--runs", "20")
    run = cli("run", "list", "--json").json()["items"][0]["run_id"]
    launches = cli("run", "show", run, "--json").json()["items"][0]["launches"]

    assert done.code == 0, done.err
    assert "CPU only, 200 Hz" in done.out
    assert all(launch["wall_time_ns"] >= 19 * 5_000_000 for launch in launches)


def test_a_long_run_gives_its_course(cli):
    done = cli("profile", MODEL, "--sustained", "0.1", "--launches", "1", "--runs", "20", "--json")
    document = done.json()
    run = document["items"][0]

    assert done.code == 0, done.err
    jsonschema.validate(document, schema())
    assert len(run["sustained"]) == 6
    starts = [window["start_s"] for window in run["sustained"]]
    assert starts == sorted(starts)
    assert all(window["runs"] > 0 and window["median_ns"] <= window["p90_ns"] for window in run["sustained"])
    assert "sustained_last_ns" in {metric["name"] for metric in run["metrics"]}


def test_each_launch_has_the_state_of_its_board(cli):
    run = cli("profile", MODEL, "--launches", "3", "--json").json()["items"][0]

    assert len(run["states"]) == 3
    assert all(state["others_cores"] is None or state["others_cores"] >= 0 for state in run["states"])


def test_a_board_without_a_thermometer_cannot_be_waited_for(cli):
    if cli("device", "probe", "local", "--json").json()["items"][0]["probe"]["thermal_zones"]:
        pytest.skip("this machine has a thermal zone")

    done = cli("profile", MODEL, "--max-temp", "50", "--launches", "1")

    assert done.code == 2
    assert "error: `local` says no temperature to wait for" in done.err
    assert "hint: leave out --max-temp" in done.err


def test_waiting_for_an_idle_board_has_an_end_and_says_so(cli):
    done = cli("profile", MODEL, "--idle", "--wait", "0", "--launches", "2", "--runs", "20", "--json")

    assert done.code == 0, done.err
    run = done.json()["items"][0]
    assert (run["plan"]["idle"], run["plan"]["gate_s"]) == (True, 0)
    assert {w["code"] for w in run["warnings"]} <= {"gate_timeout", "virtual_machine", "other_load", "short_inference",
        "golden_not_checked", "launches_differ", "drift", "preempted", "no_warm_up", "powersave_governor",
        "clocks_changed"}  # fmt: skip


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--rate", "0"), "--rate 0 is out of range"),
        (("--sustained", "99999"), "--sustained 99999 is out of range"),
        (("--precision", "7"), "--precision 7 is out of range"),
    ],
)
def test_out_of_range_is_said(args, words, cli):
    done = cli("profile", MODEL, *args)

    assert done.code == 2
    assert words in done.err
