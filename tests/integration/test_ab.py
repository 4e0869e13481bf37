"""`edgeprof ab` as its users know it; what it decides is tested where it can be: on counts of instructions."""

import signal
import time
from dataclasses import replace

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.report.document import schema
from edgeprof.store import open_store
from tests.integration.test_main_job import agents_of, eventually
from tests.integration.test_matrix_faults import Halted, Stage

MODEL = resources.folder("device_agents") / "selftest.tflite"
# Two that take turns: three launches each, of 16 runs in 8 turns.
PAIR = ("ab", MODEL, "-t", "1", "-t", "2", "--launches", "3", "--runs", "16")
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


def test_what_is_no_pair_is_refused_before_any_model_is_loaded(cli, tmp_path):
    broken = tmp_path / "model.keras"
    broken.write_bytes(b"PK\x03\x04 and no more")

    done = cli("ab", broken, "-r", "fp32")
    loaded = cli("ab", broken, "-r", "fp32", "-r", "dynamic")

    assert "a pair is two of something, and this makes 1" in done.err
    assert "is a damaged .keras file" in loaded.err


def stored(cli):
    """Return the pair as it is stored, the base first."""
    with open_store(cli.env["EDGEPROF_STORE"]) as store:
        runs = [store.load_run(row.run_id) for row in store.list_runs()]
    return sorted(runs, key=lambda run: run.plan.threads)


def test_a_pair_that_ctrl_c_cut_short_goes_on_with_the_launches_that_it_has(cli):
    halted = Halted(cli, Stage("edgeprof.profile.launch:LiveLaunch.take_turn", 20, 2), *PAIR)
    halted.process.send_signal(signal.SIGINT)
    time.sleep(2)  # it has heard of it before it goes on
    code, err = halted.go_on()
    before = stored(cli)
    assert eventually(lambda: not agents_of(cli), 60)

    done = cli(*PAIR, "--resume", "--json")

    assert code == 130
    assert "the same command with `--resume` measures what is left" in err
    assert [run.status for run in before] == ["interrupted"] * 2
    kept = min(len(run.launches) for run in before)
    assert kept in (1, 2)
    assert done.code == 0, done.err
    assert f"kept: {kept} pair" in done.err
    after = stored(cli)
    assert [run.run_id for run in after] == [run.run_id for run in before]
    assert [run.status for run in after] == ["complete"] * 2
    assert [run.launches[:kept] for run in after] == [run.launches[:kept] for run in before]
    assert [[launch.blocks for launch in run.launches] for run in after] == [[(4,) * 4] * 3] * 2
    assert all("taken_up" in {found.code for found in run.warnings} for run in after)
    (found,) = done.json()["comparisons"]
    assert found["n_launches"] == 3


def test_a_launch_without_its_partner_is_dropped_and_under_other_conditions_nothing_is_added(cli):
    halted = Halted(cli, Stage("edgeprof.store.store:Store.save_launch", 4, 3), *PAIR)
    halted.kill()
    before = stored(cli)
    assert eventually(lambda: not agents_of(cli), 60)
    with open_store(cli.env["EDGEPROF_STORE"]) as store:
        store.save_run(replace(before[0], status="interrupted", environment=(("governor", "powersave"),)))

    refused = cli(*PAIR, "--resume")
    left = stored(cli)
    with open_store(cli.env["EDGEPROF_STORE"]) as store:
        store.save_run(replace(before[0], status="interrupted"))
    done = cli(*PAIR, "--resume")

    assert [len(run.launches) for run in before] == [2, 1]
    assert refused.code == 1
    assert f"run {before[0].run_id} cannot be taken up: the board's " in refused.err
    assert "hint: without `--resume` both are measured anew" in refused.err
    assert [run.launches for run in left] == [run.launches for run in before]
    assert done.code == 0, done.err
    assert "kept: 1 pair of launches; dropped: a launch without its partner\n" in done.err
    after = stored(cli)
    assert [len(run.launches) for run in after] == [3, 3]
    assert after[0].launches[0] == before[0].launches[0]
    assert after[0].launches[1].started_unix_ns > before[0].launches[1].started_unix_ns


def test_a_pair_that_is_complete_is_taken_as_it_is_against_itself_too(cli):
    pair = ("ab", MODEL, "--control", "--launches", "2", "--runs", "16", "--json")
    first = cli(*pair).json()

    again = cli(*pair, "--resume")

    assert again.code == 0, again.err
    ids = [item["run_id"] for item in first["items"]]
    assert [item["run_id"] for item in again.json()["items"]] == ids
    assert again.json()["taken"] == ids
    assert again.json()["comparisons"] == first["comparisons"]
