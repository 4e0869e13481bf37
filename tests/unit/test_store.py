"""The store keeps what was measured, to the launch."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from edgeprof.errors import StoreError, UsageError
from edgeprof.metrics import estimates
from edgeprof.records import (
    Accuracy,
    Artifact,
    OpProfile,
    OpTime,
    RawLaunch,
    RunPlan,
    RunResult,
    StartUp,
    TensorSpec,
    Warning_,
)
from edgeprof.scores import Agreement
from edgeprof.store import SCHEMA_VERSION, open_store
from tests.unit.evaluations import EVALUATED

ARTIFACT = Artifact(
    path=Path("m-int8.tflite"),
    sha256="ab" * 32,
    size_bytes=1234,
    model="m",
    recipe="int8",
    inputs=(TensorSpec("x", (1, 4), "int8", 0.5, -3),),
    outputs=(TensorSpec("y", (1, 2), "float32"),),
    versions=(("tensorflow", "2.21.0"),),
)
LAUNCH = RawLaunch(0, (1_000_000, 999_999, 5), (7, 6), StartUp(1, 2, 3, 4, 5), 11, 12, 13)
RUN = RunResult("0011aabb", 1.5, "complete", None, ARTIFACT, "pi5", None, "id", RunPlan(), None)


@pytest.fixture
def store(tmp_path: Path):
    with open_store(str(tmp_path / "sub" / "results.db")) as opened:
        yield opened


def test_a_run_comes_back_as_it_was_saved(store):
    run = replace(RUN, launches=(LAUNCH,), warnings=(Warning_("proot", "text", ("latency_ns",)),))

    store.save_run(run)
    store.save_launch(run.run_id, LAUNCH)

    assert store.load_run("0011aabb") == run


def test_time_by_operator_comes_back_with_every_run_of_it(store):
    ops = (
        OpTime("Add (ND)", True, 3, "ADD", (1, 4), "int8", 1000, (5, 6)),
        OpTime(None, True, 4, "RESHAPE", None, None, 1, ()),
    )
    run = replace(RUN, op_profile=OpProfile(ops, (20, 21)))

    store.save_run(run)

    assert store.load_run("0011aabb") == run


def test_evaluations_come_back_with_every_sample(store):
    run = replace(RUN, evaluations=(replace(EVALUATED, agreements=(Agreement("host", 5, 4, 0.5, 0.1, None, 0.2),)),))

    store.save_run(run)

    assert store.load_run("0011aabb") == run


def test_a_run_that_an_older_edgeprof_stored_keeps_its_accuracy(store):
    store.save_run(replace(RUN, accuracy=Accuracy(500, 0.9, None, 0.91, 1.0)))

    found = store.load_run("0011aabb")

    top1 = next(e for e in estimates(found) if e.name == "top1_ratio")
    assert (top1.point, found.evaluations) == (0.9, ())
    assert top1.low == pytest.approx(0.871, abs=1e-3)


def test_a_shortened_name_is_enough_where_it_is_unique(store):
    store.save_run(RUN)

    assert store.load_run("0011").run_id == RUN.run_id


def test_a_name_that_fits_several_runs_is_refused_with_their_names(store):
    for name in ("0011aabb", "0011ccdd"):
        store.save_run(replace(RUN, run_id=name))

    with pytest.raises(UsageError, match="several runs begin with `0011`: 0011aabb, 0011ccdd"):
        store.load_run("0011")


def test_an_unknown_run_names_the_command_that_lists_them(store):
    with pytest.raises(UsageError, match="unknown run: `ffff`") as caught:
        store.load_run("ffff")

    assert caught.value.hint == "`edgeprof run list` shows all"


def test_a_percent_sign_in_a_name_is_no_wildcard(store):
    store.save_run(RUN)

    with pytest.raises(UsageError, match="unknown run"):
        store.load_run("%")


def test_the_list_is_newest_first_and_counts_launches(store):
    store.save_run(RUN)
    store.save_run(replace(RUN, run_id="ffffffff", created_unix_s=9.0))
    store.save_launch(RUN.run_id, LAUNCH)

    rows = store.list_runs()

    assert [(row.run_id, row.n_launches) for row in rows] == [("ffffffff", 0), ("0011aabb", 1)]


def test_removing_a_run_removes_its_launches(store):
    store.save_run(RUN)
    store.save_launch(RUN.run_id, LAUNCH)

    store.remove_run("0011")
    store.save_run(RUN)

    assert store.load_run("0011").launches == ()


def test_a_run_is_not_removed_by_a_digit_that_a_slip_may_type(store):
    store.save_run(RUN)

    with pytest.raises(UsageError, match="`00` is too little to remove a run by") as refused:
        store.remove_run("00")

    assert "edgeprof run remove 0011aabb" in refused.value.hint
    assert [row.run_id for row in store.list_runs()] == ["0011aabb"]


def test_a_store_from_a_newer_version_is_refused_and_left_alone(tmp_path: Path):
    file = tmp_path / "r.db"
    open_store(str(file)).close()
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE edgeprof_schema SET version = 99"))
    engine.dispose()

    with pytest.raises(StoreError, match=f"has schema 99, this edgeprof knows {SCHEMA_VERSION}") as caught:
        open_store(str(file))

    assert "pip install --upgrade edgeprof" in caught.value.hint


def test_who_only_reads_leaves_no_file_where_there_was_none(tmp_path: Path):
    file = tmp_path / "sub" / "mistyped.db"

    with open_store(str(file), make=False) as store:
        found, named = store.list_runs(), store.url

    assert found == []
    assert named.endswith("mistyped.db")
    assert not file.parent.exists()


@pytest.mark.parametrize("name", ["a?b.db", "50%25.db", "ä b#.db"])
def test_a_store_lies_where_its_path_says_and_is_shown_so(tmp_path: Path, name: str):
    with open_store(str(tmp_path / name)) as store:
        store.save_run(RUN)
        assert store.url == f"sqlite:///{tmp_path / name}"

    assert [one.name for one in tmp_path.iterdir()] == [name]
    with open_store(f"sqlite:///{tmp_path}/none.db", make=False) as other:
        assert other.url.endswith("/none.db")


def test_a_store_in_a_folder_that_nobody_may_write_to_is_read_and_not_written(tmp_path: Path, monkeypatch):
    file = tmp_path / "ä b?.db"
    with open_store(str(file)) as store:
        store.save_run(RUN)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anywhere

    with open_store(str(file), make=False) as store:
        assert store.load_run("0011") == RUN
        with pytest.raises(StoreError, match="readonly"):
            store.remove_run("0011")
        assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_store_whose_latest_runs_are_in_its_log_is_not_read_without_them(tmp_path: Path, monkeypatch):
    file = tmp_path / "r.db"
    with open_store(str(file)) as writing:
        writing.save_run(RUN)
        monkeypatch.setattr(os, "access", lambda _path, _mode: False)

        with open_store(str(file), make=False) as reading:
            assert reading.load_run("0011") == RUN


def test_a_file_that_is_no_store_is_refused(tmp_path: Path):
    file = tmp_path / "r.db"
    file.write_bytes(b"not a database, " * 100)

    with pytest.raises(StoreError, match="file is not a database"):
        open_store(str(file))

    assert file.read_bytes().startswith(b"not a database")


def test_a_killed_host_loses_no_finished_launch_and_its_run_reads_as_interrupted(tmp_path: Path):
    program = textwrap.dedent(f"""
        import os, signal
        from dataclasses import replace
        from edgeprof.store import open_store
        from tests.unit.test_store import RUN, LAUNCH
        store = open_store({str(tmp_path / "r.db")!r})
        store.save_run(replace(RUN, status="running"))
        store.save_launch(RUN.run_id, LAUNCH)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    died = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    with open_store(str(tmp_path / "r.db")) as store:
        run = store.load_run(RUN.run_id)

    assert died.returncode == -signal.SIGKILL
    assert run.status == "interrupted"
    assert run.launches == (LAUNCH,)
