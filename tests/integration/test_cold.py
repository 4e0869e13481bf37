"""`profile --cold` as a user does it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from edgeprof.report.document import schema
from tests.contract.agent.client import MODELS

QUICK = ("--launches", "2", "--runs", "20", "--no-energy")
STAGES = ("process_start_ns", "runtime_load_ns", "model_load_ns", "allocate_ns", "first_inference_ns")


def measured(cli, *args: object) -> tuple[dict, dict]:
    done = cli("profile", MODELS / "int8.tflite", *QUICK, "--json", *args)
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    run = document["items"][0]
    return run, {metric["name"]: metric for metric in run["metrics"]}


@pytest.fixture
def in_memory(cli) -> Iterator[str]:
    """A device whose folder lies on a file system in memory, from which nothing can be evicted."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no file system in memory here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        config = cli.folder / "home/config"
        config.mkdir()
        (config / "devices.toml").write_text(f'[devices.shm]\nurl = "local:"\nhome = "{folder}/edgeprof"\n')
        yield "shm"


def test_cold_starts_have_stages_of_their_own_beside_the_warm_ones(cli, tmp_path):
    run, metrics = measured(cli, "--cold")

    if metrics["cold_start_ns"]["point"] is None:
        pytest.skip(f"nothing can be evicted here: {metrics['cold_start_ns']['not_measured']}")
    for stage in STAGES:
        assert metrics[f"cold_{stage}"]["n_launches"] == 5
        assert metrics[f"cold_{stage}"]["low"] <= metrics[f"cold_{stage}"]["point"]
        assert metrics[stage]["n_launches"] == 2
    assert metrics["cold_start_ns"]["point"] > metrics["cold_runtime_load_ns"]["point"]
    shown = cli("run", "show", run["run_id"])
    assert "cold_runtime_load_ns" in shown.out
    page = tmp_path / "page.html"
    assert cli("report", run["run_id"], "-o", page).code == 0
    assert "<h3>Cold start</h3>" in page.read_text()


def test_where_files_stay_in_memory_no_start_is_called_cold(cli, in_memory: str):
    run, metrics = measured(cli, "--cold", "-d", in_memory)

    assert metrics["cold_start_ns"]["not_measured"] == "cannot_evict"
    assert metrics["cold_start_ns"]["point"] is None
    assert "cold_runtime_load_ns" not in metrics
    (found,) = [warning for warning in run["warnings"] if warning["code"] == "not_cold"]
    assert "stayed in memory" in found["text"]


def test_nobody_asked_for_cold_starts(cli):
    _, metrics = measured(cli)

    assert metrics["cold_start_ns"]["not_measured"] == "not_asked"
