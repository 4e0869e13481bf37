"""What a cell is, for `--resume`: artifact, device, plan and data."""

from dataclasses import replace

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet
from edgeprof.devices import LOCAL
from edgeprof.errors import MeasurementError, UsageError
from edgeprof.profile import ProfileRequest
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell
from edgeprof.profile.resume import cell_key, cell_keys, find_earlier
from edgeprof.profile.taking_up import same_runtime, take_up
from edgeprof.records import Reference, RunPlan, RuntimeInfo
from edgeprof.store import open_store
from tests.unit.test_compare import launches
from tests.unit.test_pairs import windows
from tests.unit.test_store import ARTIFACT, RUN

REQUEST = ProfileRequest((ARTIFACT,))
PLAN = RunPlan()
DATA = EvalSet(np.zeros((2, 4)), (), "cd" * 32)


def test_the_same_cell_has_the_same_hash_wherever_its_file_lies():
    moved = replace(ARTIFACT, path=ARTIFACT.path.with_name("elsewhere.tflite"), golden=None)

    assert cell_key(REQUEST, LOCAL, ARTIFACT, PLAN) == cell_key(REQUEST, LOCAL, moved, PLAN)


@pytest.mark.parametrize(
    "changed",
    [
        (REQUEST, LOCAL, replace(ARTIFACT, sha256="cd" * 32), PLAN),
        (REQUEST, replace(LOCAL, name="other"), ARTIFACT, PLAN),
        (REQUEST, LOCAL, ARTIFACT, replace(PLAN, threads=2)),
        (replace(REQUEST, launches=3), LOCAL, ARTIFACT, PLAN),
        (replace(REQUEST, energy=False), LOCAL, ARTIFACT, PLAN),
        (replace(REQUEST, cold=True), LOCAL, ARTIFACT, PLAN),
        (replace(REQUEST, per_op_by="submodels"), LOCAL, ARTIFACT, PLAN),
        (replace(REQUEST, evaluations=(DATA,)), LOCAL, ARTIFACT, PLAN),
        (replace(REQUEST, metrics=("f1",)), LOCAL, ARTIFACT, PLAN),
    ],
    ids=["artifact", "device", "plan", "launches", "energy", "cold", "per op by", "data", "metric"],
)
def test_another_artifact_device_plan_or_data_is_another_cell(changed):
    assert cell_key(*changed) != cell_key(REQUEST, LOCAL, ARTIFACT, PLAN)


def test_another_float_model_is_another_cell():
    keys = [
        cell_key(replace(REQUEST, evaluations=(DATA,), references=references), LOCAL, ARTIFACT, PLAN)
        for references in ((), (((ARTIFACT.model, DATA.name), Reference(None, "ef")),))
    ]

    assert keys[0] != keys[1]


def test_only_the_newest_session_is_gone_on_with_and_only_what_it_completed_counts(tmp_path):
    request = replace(REQUEST, threads=(1, 2))
    one, two = (cell_key(request, LOCAL, *cell) for cell in request.cells())
    with open_store(str(tmp_path / "r.db")) as store:
        for run_id, key, session, status in (
            ("a", one, "old", "complete"),
            ("b", two, "old", "complete"),
            ("c", one, "new", "complete"),
            ("d", two, "new", "failed"),
        ):
            run = replace(RUN, run_id=run_id, created_unix_s=ord(run_id), status=status, session=session)
            store.save_run(replace(run, cell_sha256=key))

        earlier = find_earlier(request, [LOCAL], store)

    assert earlier is not None
    assert (earlier.session, [run.run_id for run in earlier.runs]) == ("new", ["c"])
    assert earlier.cells() == {one}


def test_a_vendor_s_program_counts_only_while_it_is_named_and_another_program_is_another_cell(tmp_path):
    own = cell_key(REQUEST, LOCAL, ARTIFACT, PLAN)
    keys = []
    for words in ("one", "two"):
        program = tmp_path / words
        program.write_text(words)
        setup = replace(REQUEST.setup, benchmark_model=program)
        keys.append(cell_keys(replace(REQUEST, setup=setup), LOCAL, ARTIFACT, PLAN))

    assert cell_keys(REQUEST, LOCAL, ARTIFACT, PLAN) == (own,)
    assert [pair[0] for pair in keys] == [own, own]
    assert len({own, *(pair[1] for pair in keys)}) == 3


PAIR = replace(REQUEST, threads=(1, 2), verdict_only=True)
RUNTIME = RuntimeInfo("litert", "2.3.0", "ab" * 32, "xnnpack")


def of_a_pair(*changes):
    """Return two runs that took turns, cut short, each with the changes given for it."""
    keys = [cell_key(PAIR, LOCAL, *cell) for cell in PAIR.cells()]
    cut = replace(RUN, status="interrupted", group="g", session="s", environment=(("governor", "performance"),))
    given = zip("ab", keys, changes or ({}, {}), strict=True)
    return [
        replace(cut, run_id=name, created_unix_s=ord(name), cell_sha256=key, **change) for name, key, change in given
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (({}, {"status": "failed", "failure": "no room"}), "run b of that pair failed: no room"),
        (({}, {"group": None}), "runs a and b took no turns: nothing can be added"),
    ],
)
def test_a_pair_to_which_nothing_can_be_added_is_refused(changes, words, tmp_path):
    with open_store(str(tmp_path / "r.db")) as store:
        for run in of_a_pair(*changes):
            store.save_run(run)

        with pytest.raises(UsageError, match=words):
            find_earlier(PAIR, [LOCAL], store)


def live(run, **changes):
    """Return a cell that begins now, under the conditions of a run but for the changes."""
    now = replace(run, run_id=f"new {run.run_id}", launches=(), energy_turns=(), warnings=(), **changes)
    return LiveCell(now, Cell(ARTIFACT.sha256, now.plan, None, None, stateful=False))


def test_what_was_cut_through_is_dropped_launches_by_pairs_and_windows_of_energy_by_whole_blocks(tmp_path):
    energy = windows([1.0] * 5)
    pair = of_a_pair(
        {"launches": launches(1e6, 4), "energy_turns": energy},
        {"launches": launches(1e6, 3), "energy_turns": energy[:3]},
    )
    cells = [live(run) for run in pair]
    with open_store(str(tmp_path / "r.db")) as store:
        for run in pair:
            store.add_run(run)

        said = take_up(cells, pair, store)

        assert said == "kept: 3 pairs of launches, 2 of windows of energy; dropped: a launch without its partner"
        assert [len(store.load_run(run.run_id).launches) for run in pair] == [3, 3]
    assert [(cell.run.run_id, cell.run.status) for cell in cells] == [("a", "running"), ("b", "running")]
    assert [(cell.run.launches, cell.run.energy_turns) for cell in cells] == [(pair[1].launches, energy[:2])] * 2
    assert [[found.code for found in cell.run.warnings] for cell in cells] == [["taken_up"]] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"environment": (("governor", "powersave"),)}, "the board's governor was performance, and is powersave"),
        ({"board_id": "another"}, "the board was id, and is another"),
    ],
)
def test_under_other_conditions_a_pair_stays_as_it_is(changes, words, tmp_path):
    pair = of_a_pair()
    with open_store(str(tmp_path / "r.db")) as store:
        store.save_run(pair[0])

        with pytest.raises(MeasurementError, match=words):
            take_up([live(pair[0]), live(pair[1], **changes)], pair, store)

        assert store.load_run("a") == pair[0]


def test_a_reading_of_a_moment_is_no_condition(tmp_path):
    pair = of_a_pair()
    moment = (*pair[0].environment, ("battery_percent_before", "80"), ("load_1min_before", "3"))
    with open_store(str(tmp_path / "r.db")) as store:
        said = take_up([live(run, environment=moment) for run in pair], pair, store)

    assert said == "kept: 0 pairs of launches"


def test_a_launch_of_another_runtime_than_those_before_is_refused():
    begun = replace(RUN, launches=launches(1e6, 1), runtime=RUNTIME)
    other = replace(RUNTIME, version="2.4.0")

    same_runtime(begun, RUNTIME)
    same_runtime(RUN, other)
    with pytest.raises(MeasurementError, match=r"its runtime was litert 2\.3\.0 abababababab, and is litert 2\.4\.0"):
        same_runtime(begun, other)
    with pytest.raises(MeasurementError, match="its runtime was not noted"):
        same_runtime(replace(begun, runtime=None), RUNTIME)
