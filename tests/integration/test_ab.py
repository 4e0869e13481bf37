"""`edgeprof ab` as its users know it; what it decides is tested where it can be: on counts of instructions."""

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.report.document import schema

MODEL = resources.folder("device_agents") / "selftest.tflite"
QUICK = ("--launches", "3", "--runs", "40")


def test_a_pair_gives_a_verdict_and_two_runs_that_took_turns(cli):
    done = cli("ab", MODEL, "-t", "1", "-t", "2", *QUICK, "--json")
    document = done.json()
    first, second = document["items"]
    shown = cli("run", "show", second["run_id"], "--json").json()["items"][0]

    assert done.code == 0, done.err
    jsonschema.validate(document, schema())
    assert first["group"] == second["group"] is not None
    assert [launch["blocks"] for launch in shown["launches"]] == [[10] * 4] * 3
    found = document["comparisons"][0]
    assert (found["base"], found["other"]) == (first["run_id"], second["run_id"])
    assert found["low"] < found["ratio"] < found["high"]
    assert found["verdict"] in ("less", "more", "same", "inconclusive")
    assert {m["not_measured"] for m in first["metrics"] if m["name"] == "peak_rss_bytes"} == {"not_asked"}


def test_people_read_a_sentence(cli):
    done = cli("ab", MODEL, "--control", *QUICK)

    assert done.code == 0, done.err
    assert "the same against itself: " in done.out
    assert "CPU only, back-to-back, in turns" in done.out
    assert "peak RSS" not in done.out


def test_a_profile_compares_its_cells_too(cli):
    document = cli("profile", MODEL, "-t", "1", "-t", "2", "-t", "3", *QUICK, "--json").json()

    jsonschema.validate(document, schema())
    ids = [run["run_id"] for run in document["items"]]
    assert [(found["base"], found["other"]) for found in document["comparisons"]] == [(ids[0], i) for i in ids[1:]]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((MODEL,), "a pair is two of something, and this makes 1"),
        ((MODEL, "-t", "1", "-t", "2", "-t", "3"), "this makes 3"),
        ((MODEL, "--control", "--margin", "2"), "--margin 2 is out of range"),
    ],
)
def test_what_is_no_pair_is_refused(args, words, cli):
    done = cli("ab", *args)

    assert done.code == 2
    assert words in done.err
    assert "hint: " in done.err
