"""What people and programs read: JSON by its schema, tables that fit, hostile names that stay text."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from edgeprof.errors import DeviceError
from edgeprof.profile import Failure, Outcome
from edgeprof.records import (
    Accuracy,
    Artifact,
    GoldenCheck,
    Memory,
    RawLaunch,
    RunPlan,
    RunResult,
    RuntimeInfo,
    StartUp,
    TensorSpec,
)
from edgeprof.report import summary
from edgeprof.report.document import document, row_item, run_item, schema
from edgeprof.report.runs import print_run
from edgeprof.report.text import plain
from edgeprof.store import RunRow
from edgeprof.warnings_ import CODES, warning

ARTIFACT = Artifact(
    Path("m.tflite"),
    "ab" * 32,
    98_496,
    "m",
    "int8",
    (TensorSpec("x", (1, 4), "int8", 0.5, 3),),
    (TensorSpec("y", (1, 10), "float32"),),
)
LAUNCHES = tuple(
    RawLaunch(index, tuple(range(1_000_000, 1_000_000 + 70 * 1000, 1000)), (5,), StartUp(1, 2, 3, 4, 5), 1, 1, 1)
    for index in range(2)
)
RUN = RunResult(
    run_id="0011aabb",
    created_unix_s=1.5,
    status="complete",
    failure=None,
    artifact=ARTIFACT,
    device="pi5",
    target=None,
    board_id="id",
    plan=RunPlan(),
    runtime=RuntimeInfo("litert", "2.3.0", "cd" * 32, "xnnpack"),
    environment=(("kernel", "6.1"), ("temp_mc_before", "45000")),
    launches=LAUNCHES,
    memory=(Memory(1 << 20, 1 << 19, 20 << 20, 8 << 20),) * 3,
    golden=GoldenCheck(True, 1.0, 40.0),
    accuracy=Accuracy(500, 0.884, 0.99, 0.89, 0.6),
    warnings=(warning("other_load", "busy"),),
)
COUNTED = replace(
    RUN,
    device="lab",
    plan=RunPlan(clock="instructions", ns_per_instruction=2),
    environment=(("virtual_board", "cortex-a76"), ("isa", "asimddp")),
    warnings=(),
)


@pytest.mark.parametrize(
    "run",
    [
        RUN,
        replace(RUN, launches=(), memory=(), golden=None, accuracy=None, runtime=None, status="failed", failure="why"),
        COUNTED,
        replace(RUN, launches=LAUNCHES[:1], not_measured=(("top1_ratio", "no_evaluation_data"),), accuracy=None),
    ],
    ids=["whole", "failed", "counted", "first launch"],
)
@pytest.mark.parametrize("raw", [False, True])
def test_a_run_is_valid_by_the_shipped_schema(run, raw):
    jsonschema.validate(json.loads(document("runs", [run_item(run, raw=raw)])), schema())


def test_the_schema_refuses_a_figure_that_is_measured_and_not_measured():
    item = run_item(RUN)
    item["metrics"][0]["not_measured"] = "too_few_samples"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(document("runs", [item])), schema())


def test_a_list_of_runs_is_valid_by_the_shipped_schema():
    row = RunRow("0011aabb", 1.0, "complete", "pi5", "m", "int8", 8)

    jsonschema.validate(json.loads(document("run_list", [row_item(row)])), schema())


def test_failures_stand_beside_the_runs():
    failure = Failure("pi5", "device", DeviceError("`pi5` is in use", "wait"))

    found = json.loads(summary.outcome_document(Outcome((RUN,), (failure,))))

    jsonschema.validate(found, schema())
    assert found["failures"] == [{"device": "pi5", "what": "device", "error": "`pi5` is in use", "hint": "wait"}]


def test_what_was_not_measured_has_a_reason_and_no_point():
    run = replace(
        RUN, launches=LAUNCHES[:1], memory=(), accuracy=None, not_measured=(("top1_ratio", "no_evaluation_data"),)
    )

    metrics = {(m["name"], m["statistic"]): m for m in run_item(run)["metrics"]}

    assert metrics["latency_ns", "p99"]["not_measured"] == "too_few_samples"
    assert metrics["peak_rss_bytes", "median"]["not_measured"] == "not_reached"
    assert metrics["top1_ratio", "share"]["not_measured"] == "no_evaluation_data"
    assert metrics["latency_ns", "median"]["low"] is None
    assert all((m["point"] is None) == (m["not_measured"] is not None) for m in metrics.values())


def test_the_summary_holds_interval_accuracy_conditions_and_warnings(capsys):
    summary.print_outcome(Outcome((RUN,), ()), as_json=False)

    out = capsys.readouterr().out
    assert "1.03 ms" in out
    assert "88.4 %" in out
    assert "+0.6 pp" in out
    assert "2 launches each, 140 runs; litert 2.3.0 (xnnpack); CPU only" in out
    assert "warning: pi5: busy [other_load]" in out


def test_counts_of_instructions_stand_in_a_table_of_their_own(capsys):
    summary.print_outcome(Outcome((RUN, COUNTED), ()), as_json=False)

    latencies, counts = capsys.readouterr().out.split("CPU only", 1)
    assert "latency (median)" in latencies
    assert "instructions (median)" not in latencies
    assert "517.25 k" in counts
    assert "latency (median)" not in counts
    assert "no latency, and never compared with one" in counts


def test_a_launch_that_counted_holds_counts_and_no_times():
    launch = run_item(COUNTED, raw=True)["launches"][0]

    assert launch["guest_instructions"][:2] == [500_000, 500_500]
    assert "latency_ns" not in launch


def test_a_summary_too_wide_for_the_terminal_stands_upright():
    runs = [replace(RUN, device=device) for device in ("pi5", "orin", "nano", "rock")]
    terminal = Console(width=80, file=StringIO(), highlight=False)

    for table in summary.tables(runs, 80):
        terminal.print(table)

    lines = terminal.file.getvalue().splitlines()
    assert lines[0].split() == ["device", "pi5", "orin", "nano"]
    assert max(len(line) for line in lines) <= 80
    assert any(line.split() == ["device", "rock"] for line in lines)


def test_names_with_markup_or_control_characters_stay_text(capsys):
    hostile = replace(RUN, artifact=replace(ARTIFACT, model="[red]m[/red]\x1b[2J"))

    summary.print_outcome(Outcome((hostile,), ()), as_json=False)
    print_run(hostile, as_json=False)

    out = capsys.readouterr().out
    assert "[red]m[/red]" in out
    assert "\x1b" not in out
    assert str(plain("a\nb")) == "a?b"


def test_every_warning_names_metrics_that_exist():
    names = {metric["name"] for run in (RUN, COUNTED) for metric in run_item(run)["metrics"]}

    assert {spoiled for spoils in CODES.values() for spoiled in spoils} <= names


def test_a_warning_outside_the_list_is_refused():
    with pytest.raises(KeyError):
        warning("made_up", "text")
