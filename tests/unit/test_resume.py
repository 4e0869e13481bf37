"""What a cell is, for `--resume`: artifact, device, plan and data."""

from dataclasses import replace

import numpy as np
import pytest

from edgeprof.accuracy import EvalSet
from edgeprof.devices import LOCAL
from edgeprof.profile import ProfileRequest
from edgeprof.profile.resume import cell_key, cell_keys, find_earlier
from edgeprof.records import Reference, RunPlan
from edgeprof.store import open_store
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
