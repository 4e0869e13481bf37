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
