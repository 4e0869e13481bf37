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
    ModelFacts,
    OpProfile,
    OpTime,
    RawLaunch,
    RunPlan,
    RunResult,
    RuntimeInfo,
    StartUp,
    TensorSpec,
)
from edgeprof.report import runlist, summary
from edgeprof.report.document import document, schema
from edgeprof.report.items import run_item
from edgeprof.report.modelfile import file_text
from edgeprof.report.names import cell_name
from edgeprof.report.runlist import print_rows, row_item
from edgeprof.report.runs import print_run
from edgeprof.report.text import console, plain, table
from edgeprof.scores import Agreement
from edgeprof.store import RunRow
from edgeprof.warnings_ import CODES, warning
from tests.unit.evaluations import EVALUATED, evaluation, hits

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
OP_PROFILE = OpProfile(
    (
        OpTime("Convolution (NHWC, QC8) IGEMM", True, 0, "CONV_2D", (1, 8, 8, 4), "int8", 1000, (600_000,) * 9),
        OpTime("Static Reshape (NC)", True, None, None, None, None, 1000, (0,) * 9),
        OpTime("SOFTMAX", False, 2, "SOFTMAX", (1, 10), "int8", 1, (123_456,) * 9),
        OpTime(None, True, 1, "RESHAPE", (1, 256), "int8", 1, ()),
    ),
    (1_500_000,) * 9,
)
SETS = (
    replace(
        EVALUATED,
        agreements=(
            Agreement("float_model", 500, 490, 0.5, 0.01, 30.0, 0.02),
            Agreement("host", 500, None, 0, 0, None, None),
        ),
    ),
    evaluation(hits(300, 500), hits(350, 500), data="night", pairing="cd" * 32, base="eval"),
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
        replace(RUN, op_profile=OP_PROFILE),
        replace(COUNTED, op_profile=OP_PROFILE),
        replace(RUN, not_measured=(("ops", "no_profiler"),)),
        replace(RUN, evaluations=SETS),
    ],
    ids=["whole", "failed", "counted", "first launch", "per op", "counted per op", "without profiler", "evaluated"],
)
@pytest.mark.parametrize("raw", [False, True])
def test_a_run_is_valid_by_the_shipped_schema(run, raw):
    jsonschema.validate(json.loads(document("runs", [run_item(run, raw=raw)])), schema())


def test_the_first_sets_figures_stand_among_the_runs_with_intervals_and_directions():
    metrics = {m["name"]: m for m in run_item(replace(RUN, evaluations=SETS))["metrics"]}

    top1, drop = metrics["top1_ratio"], metrics["drop_points"]
    assert (top1["point"], top1["n_samples"], top1["better"]) == (0.884, 500, "higher")
    assert top1["low"] < 0.884 < top1["high"]
    assert (drop["point"], drop["better"]) == (pytest.approx(0.6), "lower")
    assert drop["low"] < 0
    assert drop["high"] > 0.6
    assert metrics["latency_ns"]["better"] == "lower"
    assert metrics["float_model_agreement_ratio"]["point"] == 0.98


def test_a_second_set_says_what_the_shift_costs_and_compressions_part_of_it():
    first, second = run_item(replace(RUN, evaluations=SETS))["evaluations"]

    assert first["worse_than_first_set"] is None
    assert second["worse_than_first_set"]["point"] == pytest.approx(28.4)
    assert second["float_worse_than_first_set"]["point"] == pytest.approx(19)
    assert second["worse_by_compression"]["point"] == pytest.approx(9.4)


def test_the_summary_shows_every_set_where_there_are_several(capsys):
    summary.print_outcome(Outcome((replace(RUN, evaluations=SETS),), ()), as_json=False)

    out = capsys.readouterr().out
    assert "88.4 % (85.3 … 90.9)" in out
    assert "top-1 ↑" in out
    assert "accuracy on 500 samples of `eval`" in out
    assert "night" in out
    assert "+9.4 pp" in out


def test_a_run_in_full_names_the_agreement(capsys):
    print_run(replace(RUN, evaluations=SETS), as_json=False)

    out = capsys.readouterr().out
    assert "agreement with the float model on 500 samples: 98.0 % the same highest output" in out
    assert "signal to error without end: equal" in out


def test_the_schema_refuses_a_figure_that_is_measured_and_not_measured():
    item = run_item(RUN)
    item["metrics"][0]["not_measured"] = "too_few_samples"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(document("runs", [item])), schema())


def test_operators_are_listed_in_their_order_with_the_rest_and_shares_that_sum_to_one():
    item = run_item(replace(RUN, op_profile=OP_PROFILE))

    assert [(op["kind"], op["node"], op["op"]) for op in item["ops"]] == [
        ("operator", 0, "CONV_2D"),
        ("kernel", None, None),
        ("operator", 2, "SOFTMAX"),
        ("operator", 1, "RESHAPE"),
        ("rest", None, None),
    ]
    assert sum(op["share_ratio"] or 0 for op in item["ops"]) == pytest.approx(1)
    assert sum(op["point"] or 0 for op in item["ops"]) == pytest.approx(item["op_profile"]["unprofiled"])
    assert item["ops"][3]["not_measured"] == "no_time_of_its_own"


@pytest.mark.parametrize(
    ("run", "reason"), [(RUN, "not_asked"), (replace(RUN, not_measured=(("ops", "no_profiler"),)), "no_profiler")]
)
def test_without_time_by_operator_there_is_a_reason_and_no_row(run, reason):
    item = run_item(run)

    assert (item["ops"], item["op_profile"]) == ([], {"name": "latency_ns", "not_measured": reason})


def test_the_schema_refuses_operators_that_are_measured_and_not_measured():
    item = run_item(replace(RUN, op_profile=OP_PROFILE))
    item["op_profile"]["not_measured"] = "no_profiler"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(document("runs", [item])), schema())


def test_the_summary_names_the_costliest_operators_and_what_the_profiler_costs(capsys):
    summary.print_outcome(Outcome((replace(RUN, op_profile=OP_PROFILE),), ()), as_json=False)

    out = capsys.readouterr().out
    assert "pi5: costliest operators, 9 of 9 runs under the profiler, which costs +45.0 % (1.03 ms without" in out
    assert "1 more in `run show 0011aabb`" in out
    lines = [line.split() for line in out.splitlines() if "CONV_2D" in line or "rest:" in line]
    assert lines[0][:5] == ["58.0", "%", "600", "µs", "CONV_2D"]
    assert lines[1][:4] == ["30.1", "%", "311", "µs"]


def test_what_a_coarse_clock_cannot_see_is_below_its_step_and_not_zero(capsys):
    print_run(replace(RUN, op_profile=OP_PROFILE), as_json=False)

    out = capsys.readouterr().out
    unknown = next(line for line in out.splitlines() if "kernel, nodes unknown" in line)
    assert "< 1.00 µs" in unknown
    assert "0 ns" not in unknown
    assert "no time of its own" in next(line for line in out.splitlines() if "RESHAPE" in line)


def test_a_runtime_without_profiler_is_told_in_the_summary_and_in_the_run(capsys):
    run = replace(RUN, not_measured=(("ops", "no_profiler"),))

    summary.print_outcome(Outcome((run,), ()), as_json=False)
    print_run(run, as_json=False)

    assert capsys.readouterr().out.count("operators: not measured (no profiler)") == 2


def test_a_warning_of_a_whole_device_names_the_device_once(capsys):
    hot = warning("throttled", "it was hot")
    runs = [
        replace(RUN, run_id=f"{i}", device=device, warnings=(hot,) if device == "pi5" or recipe == "int8" else (),
                artifact=replace(RUN.artifact, recipe=recipe))
        for i, (device, recipe) in enumerate((d, r) for d in ("pi5", "orin") for r in ("int8", "fp32"))
    ]  # fmt: skip

    summary.print_warnings(runs)
    summary.print_warnings(runs[:2])
    summary.print_warnings(runs[:1])

    said = capsys.readouterr().out.splitlines()
    assert said == [
        "warning: all of pi5, orin int8: it was hot [throttled]",
        "warning: all: it was hot [throttled]",
        "warning: pi5: it was hot [throttled]",
    ]


@pytest.mark.parametrize(("terminal", "most"), [("1", 40), ("", 500)])
def test_a_terminal_breaks_lines_between_words_and_a_log_nowhere(monkeypatch, capsys, terminal, most):
    for name, value in (("COLUMNS", "40"), ("FORCE_COLOR", terminal)):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)

    console().print(plain("warning: " + "temperature " * 30))

    lines = capsys.readouterr().out.splitlines()
    assert {word for line in lines for word in line.split()} == {"warning:", "temperature"}
    assert max(map(len, lines)) <= most
    assert (len(lines) == 1) == (terminal == "")


def test_a_list_of_runs_is_valid_by_the_shipped_schema():
    row = RunRow("0011aabb", 1.0, "complete", "pi5", "m", "int8", 8)

    jsonschema.validate(json.loads(document("run_list", [row_item(row)])), schema())


def test_a_list_of_runs_says_what_each_costs_and_in_what(capsys):
    timed = RunRow("0011aabb", 1.0, "complete", "pi5", "m", "int8", 8, metric="latency_ns", cost=39_900)
    counted = RunRow("0011aabc", 1.0, "complete", "lab", "m", "int8", 4, metric="guest_instructions", cost=338_100)

    print_rows([timed, counted, RunRow("0011aabd", 1.0, "interrupted", "pi5", "m", "int8", 0)], "r.db", as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert "39.9 µs" in lines[2]
    assert "338.10 k instructions" in lines[3]
    assert "0 ns" not in lines[4]


def test_a_list_of_runs_leaves_out_no_cost_at_80_columns(monkeypatch, capsys):
    row = RunRow("0011aabb", 1.0, "interrupted", "lab-cortex-a76", "pretrainedResnet_quant", "as-is", 4)
    monkeypatch.setattr(runlist, "console", lambda: Console(width=80))

    print_rows([replace(row, metric="guest_instructions", cost=1_514_200)], "r.db", as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert "1.5142 M instructions  interrupted" in lines[2]
    assert lines[-1] == "no room for launches, when: widen the terminal, or --json"
    assert all(len(line) <= 80 for line in lines)


def test_a_list_that_was_narrowed_to_nothing_does_not_tell_to_measure(capsys):
    print_rows([], "r.db", narrowed=True, as_json=False)

    assert capsys.readouterr().out == "no such runs are stored in r.db; `edgeprof run list` shows all\n"


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


def test_one_launch_is_no_launches(capsys):
    summary.print_outcome(Outcome((replace(RUN, launches=RUN.launches[:1]),), ()), as_json=False)

    assert "\n1 launch each" in capsys.readouterr().out


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

    for shown in summary.tables(runs, 80):
        terminal.print(shown)

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
    scores = ("top1_ratio", "top5_ratio", "f1_ratio", "auc_ratio", "iou_ratio", "mae", "mse")
    judged = replace(EVALUATED, scores=tuple(replace(EVALUATED.scores[0], name=name) for name in scores))
    runs = (RUN, COUNTED, replace(RUN, evaluations=(judged,)))
    names = {metric["name"] for run in runs for metric in run_item(run)["metrics"]} | {"ops"}

    assert {spoiled for spoils in CODES.values() for spoiled in spoils} <= names


def test_a_warning_outside_the_list_is_refused():
    with pytest.raises(KeyError):
        warning("made_up", "text")


def test_a_rest_that_scaling_left_nothing_of_is_no_measured_zero(capsys):
    ops = tuple(replace(op, runs_ns=tuple(9 * value for value in op.runs_ns)) for op in OP_PROFILE.ops)

    print_run(replace(RUN, op_profile=replace(OP_PROFILE, ops=ops)), as_json=False)

    out = capsys.readouterr().out
    assert "times scaled by 0.159 to fit" in out
    assert "none left" in next(line for line in out.splitlines() if "rest:" in line)


def test_a_table_too_wide_for_the_terminal_stands_closer_and_breaks_no_name():
    made = table("metric", "value", "interval", whole=("metric",))
    made.add_row("first_inference_ns", "195 µs", "136 µs … 244 µs")
    screen = Console(width=42, file=StringIO())

    screen.print(made)

    lines = screen.file.getvalue().splitlines()
    assert lines[0].split() == ["metric", "value", "interval"]
    assert lines[2].startswith("first_inference_ns  195 µs  136")


def test_a_run_shows_what_its_file_says_of_the_model(capsys):
    facts = ModelFacts(9, 933_768, (), 13_496, 13_889, 10_780, quantised=True, float_ops=(), border_ops=0)
    counted = replace(facts, nonzero_parameters=13_380, gzip_bytes=15_508)
    older, newer = (replace(RUN, facts=found) for found in (facts, counted))

    print_run(newer, as_json=False)

    assert "13.5 k parameters (99.1 % not zero), 934 k MACs (1.87 M FLOPs)" in " ".join(capsys.readouterr().out.split())
    assert file_text(newer).endswith("at most 10.5 KiB of activations at once, 15.1 KiB by gzip")
    assert file_text(older).endswith("at most 10.5 KiB of activations at once")
    assert file_text(replace(RUN, artifact=replace(RUN.artifact, float_bytes=2 * RUN.artifact.size_bytes))) == ""
    for run in (older, newer):
        jsonschema.validate(json.loads(document("runs", [run_item(run)])), schema())


def test_a_terminal_with_no_room_for_a_column_is_told_which_one_and_breaks_no_figure():
    names = ("metric", "95 % interval", "launches")
    found = table(*names, right=("launches",), whole=names[:2], spare=("launches",))
    found.add_row("dynamic_energy_per_inference_uj", "0.12 … 0.16 mJ", "32")
    shown = {}
    for width in (80, 50):
        terminal = Console(file=StringIO(), width=width)
        terminal.print(found)
        shown[width] = terminal.file.getvalue()

    assert "32" in shown[80]
    assert "no room" not in shown[80]
    assert "dynamic_energy_per_inference_uj  0.12 … 0.16 mJ" in shown[50]
    assert "no room for launches" in shown[50]


def test_what_a_run_did_not_measure_stands_below_its_figures_by_reason(capsys):
    print_run(RUN, as_json=False)

    out = capsys.readouterr().out
    assert "not measured: " in out
    assert "power_mw mean" in out.partition("not measured: ")[2]


def test_the_second_of_a_control_is_told_from_the_first():
    pair = [replace(RUN, run_id=name, group="g") for name in ("one", "two")]
    elsewhere = [replace(run, group=None) for run in pair]

    assert [cell_name(run, pair) for run in pair] == ["pi5", "pi5 again"]
    assert [cell_name(run, elsewhere) for run in elsewhere] == ["pi5", "pi5"]
    (shown,) = summary.tables(pair, 240)
    assert list(next(column for column in shown.columns if column.header == "recipe").cells)[1].plain == "int8 again"
