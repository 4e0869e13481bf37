"""Runs in MLflow, written by the command line and read back by MLflow's own client; skipped without mlflow-skinny."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from edgeprof.exchange.tables import figures
from edgeprof.records import Warning_
from edgeprof.store import open_store
from tests.unit.test_compare import launches
from tests.unit.test_reports import RUN

HERE = importlib.util.find_spec("mlflow") is not None
needs_mlflow = pytest.mark.skipif(not HERE, reason="needs the extra: pip install 'edgeprof[mlflow]'")
TIMED = replace(
    RUN,
    run_id="aaaa0000",
    launches=launches(1e6, 3),
    warnings=(Warning_("other_load", "others kept 1.8 cores busy"),),
    environment=(("power mode", "15W"), ("load_1min", "0.3")),
)
HALF = replace(TIMED, run_id="bbbb0000", status="running", launches=launches(1e6, 2), warnings=())
READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
place = client.get_experiment_by_name("boards")
found = client.search_runs([place.experiment_id])
text = lambda run: open(client.download_artifacts(run.info.run_id, f"edgeprof/{run.data.tags['edgeprof.run_id']}.json")).read()
print(json.dumps({run.data.tags["edgeprof.run_id"]: {
    "id": run.info.run_id, "status": run.info.status, "metrics": run.data.metrics, "params": run.data.params,
    "tags": run.data.tags, "artifact": text(run), "start": run.info.start_time, "end": run.info.end_time,
    "history": len(client.get_metric_history(run.info.run_id, "latency_ns.median")),
} for run in found}))
assert len(found) == len({run.data.tags["edgeprof.run_id"] for run in found}), "a run is there twice"
"""


def read(tracking):
    """Return what MLflow has of each run, asked in a process of its own: its warnings are not ours."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
    done = subprocess.run(
        [sys.executable, "-c", READ, tracking], env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def stored(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    with open_store(url) as store:
        store.add_run(TIMED)
        store.add_run(HALF)
    return url


@needs_mlflow
def test_runs_become_runs_of_mlflow_once_and_one_that_was_under_way_is_written_again(tmp_path, cli, stored):
    tracking = str(tmp_path / "mlruns")
    command = ("run", "export", TIMED.run_id, HALF.run_id, "-f", "mlflow", "--store", stored)
    to = ("--tracking", tracking, "--experiment", "boards")
    done = cli(*command, *to)
    assert done.code == 0, done.err
    first = read(tracking)
    with open_store(stored) as store:
        store.remove_run(HALF.run_id)
        store.add_run(replace(HALF, status="complete", launches=TIMED.launches))

    again = cli(*command, *to)

    second = read(tracking)
    assert "already there: aaaa0000" in again.out
    assert "exported bbbb0000" in again.out
    assert second["aaaa0000"] == first["aaaa0000"]
    assert first["bbbb0000"]["status"] == "RUNNING"
    assert second["bbbb0000"]["status"] == "FINISHED"
    assert second["bbbb0000"]["history"] == 1


@needs_mlflow
def test_what_was_measured_is_a_metric_with_its_ends_and_what_was_not_a_tag_with_its_reason(tmp_path, cli, stored):
    tracking = f"sqlite:///{tmp_path}/mlflow.db"

    done = cli(
        "run", "export", TIMED.run_id, "-f", "mlflow", "--store", stored, "--tracking", tracking,
        "--experiment", "boards",
    )  # fmt: skip

    assert done.code == 0, done.err
    found = read(tracking)["aaaa0000"]
    metrics, tags = found["metrics"], found["tags"]
    for one in figures(TIMED):
        name = f"{one.name}.{one.statistic}"
        ends = [metrics.get(name + end) for end in ("", ".low", ".high")]
        assert ends == [one.point, one.low, one.high]
        assert tags.get(f"{name}.not_measured") == one.not_measured
    assert tags["latency_ns.median.interval"].startswith("0.95; 3 launches, ")
    assert tags["warning.other_load"] == "others kept 1.8 cores busy"
    assert found["params"]["board.power_mode"] == "15W"
    assert "board.load_1min" not in found["params"]
    assert found["start"] == round(1000 * TIMED.created_unix_s)
    assert json.loads(found["artifact"])["items"][0]["run_id"] == "aaaa0000"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("-f", "mlflow", "--tracking", "sqlite://"), "names no file", marks=needs_mlflow),
        (("-f", "mlflow", "-o", "x"), "mlflow writes no file"),
        (("-f", "csv", "--tracking", "x"), "are for MLflow"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_written(cli, stored, options, said):
    done = cli("run", "export", TIMED.run_id, "--store", stored, *options)

    assert done.code == 2
    assert said in done.err
    assert "hint:" in done.err


@pytest.mark.skipif(HERE, reason="the extra is installed")
def test_without_the_extra_the_error_names_it(cli, stored):
    done = cli("run", "export", TIMED.run_id, "--store", stored, "-f", "mlflow")

    assert done.code == 2
    assert "needs mlflow-skinny, which is not installed" in done.err
    assert "hint: pip install 'edgeprof[mlflow]'" in done.err


@needs_mlflow
def test_a_server_that_is_not_there_is_an_error_and_its_password_is_not_shown(cli, stored):
    server = "http://me:geheim@127.0.0.1:9"

    done = cli(
        "run",
        "export",
        TIMED.run_id,
        "--store",
        stored,
        "-f",
        "mlflow",
        "--tracking",
        server,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )

    assert done.code == 1
    assert "cannot write to MLflow at `http://me:***@127.0.0.1:9`" in done.err
    assert "geheim" not in done.err
    assert "Traceback" not in done.err
