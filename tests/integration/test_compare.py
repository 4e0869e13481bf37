"""`edgeprof compare` as its users know it."""

import jsonschema

from edgeprof import resources
from edgeprof.report.document import schema

MODEL = resources.folder("device_agents") / "selftest.tflite"
QUICK = ("-k", "3", "--runs", "40", "--json")


def test_stored_runs_are_related_by_the_axis_in_which_they_differ(cli):
    pair = [run["run_id"] for run in cli("profile", MODEL, "-t", "1", "-t", "2", *QUICK).json()["items"]]
    again = cli("profile", MODEL, *QUICK).json()["items"][0]["run_id"]

    document = cli("compare", *pair, again, "--json").json()
    told = cli("compare", *pair, again)

    jsonschema.validate(document, schema())
    assert document["axis"] == "threads"
    assert [cell["method"] for cell in document["items"]] == ["base", "in_turns", "separate"]
    assert [change["name"] for change in document["items"][1]["changes"]] == ["threads"]
    assert all(cell["comparison"]["low"] <= cell["comparison"]["ratio"] for cell in document["items"][1:])
    assert told.code == 0, told.err
    assert "axis: threads (found)" in told.out
    assert "separate runs: " in told.out


def test_what_cannot_be_compared_is_told(cli):
    run_id = cli("profile", MODEL, *QUICK).json()["items"][0]["run_id"]

    alone = cli("compare", run_id)
    axis = cli("compare", run_id, run_id, "--axis", "recipes")

    assert (alone.code, axis.code) == (2, 2)
    assert "error: one run compares with nothing" in alone.err
