"""`profile --per-op` as a user does it."""

import jsonschema
import pytest

from edgeprof.analysis.graph import read_operators
from edgeprof.report.document import schema
from tests.contract.agent.client import MODELS

QUICK = ("--launches", "2", "--runs", "70")


def all_profiled(cli, *args: object) -> list[dict]:
    """Return the runs of some models, profiled by one command."""
    done = cli("profile", *args, "--per-op", *QUICK, "--json")
    if "Python" in done.err and "tflite-runtime" in args:
        pytest.skip("tflite-runtime has no wheel for this Python")
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    return document["items"]


def profiled(cli, *args: object) -> dict:
    return all_profiled(cli, *args)[0]


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
def test_every_operator_has_a_row_and_all_rows_sum_to_the_latency(cli, runtime: str):
    paths = [MODELS / f"{model}.tflite" for model in ("loop", "two_and_two")]

    runs = all_profiled(cli, *paths, "--runtime", runtime)

    for path, run in zip(paths, runs, strict=True):
        *ops, rest = run["ops"]
        latency = next(m["point"] for m in run["metrics"] if (m["name"], m["statistic"]) == ("latency_ns", "median"))
        assert rest["kind"] == "rest"
        assert sum(row["point"] or 0 for row in run["ops"]) == pytest.approx(latency)
        assert sum(row["share_ratio"] or 0 for row in run["ops"]) == pytest.approx(1)
        expected = [(operator.index, operator.name, list(operator.shape)) for operator in read_operators(path)]
        assert sorted((op["node"], op["op"], op["shape"]) for op in ops) == expected
        assert run["op_profile"]["n_runs"] >= 12


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
def test_kernels_of_real_models_are_mapped_to_operators_of_their_kind(cli, data, runtime: str):
    names = ("vww_96_float", "vww_96_int8", "pretrainedResnet", "kws_ref_model")
    paths = [data / f"models/mlperf_tiny/{name}.tflite" for name in names]

    runs = all_profiled(cli, *paths, "--runtime", runtime)

    for path, run in zip(paths, runs, strict=True):
        convolutions = [op for op in run["ops"] if "Convolution (" in (op["kernel"] or "")]
        # The kind of kernel at the end of its name is no part of how it was mapped.
        assert [op["op"] for op in convolutions] == [
            "DEPTHWISE_CONV_2D" if op["kernel"].endswith("DWConv") else "CONV_2D" for op in convolutions
        ]
        operators = [op for op in run["ops"] if op["kind"] == "operator"]
        assert sum(op["share_ratio"] for op in operators if op["share_ratio"]) > 0.5, path.name
        assert sorted(op["node"] for op in operators) == list(range(len(read_operators(path))))


def test_the_costliest_operators_stand_below_the_table_and_all_in_the_run(cli):
    done = cli("profile", MODELS / "loop.tflite", "--per-op", *QUICK)
    run_id = cli("run", "list", "--json").json()["items"][0]["run_id"]
    shown = cli("run", "show", run_id)
    exported = cli("run", "export", run_id)

    assert done.code == 0, done.err
    assert "costliest operators" in done.out
    for out in (done.out, shown.out):
        assert "WHILE" in out
        assert "rest: outside any operator" in out
    document = exported.json()
    jsonschema.validate(document, schema())
    run = document["items"][0]
    assert {len(op["runs"]) for op in run["ops"] if op["kernel"]} == {run["op_profile"]["n_runs"]}


def test_nobody_asked_for_operators(cli):
    done = cli("profile", MODELS / "int8.tflite", *QUICK, "--json")

    run = done.json()["items"][0]
    assert run["ops"] == []
    assert run["op_profile"] == {"name": "latency_ns", "not_measured": "not_asked"}


def test_operators_are_held_against_the_board_s_own_peaks_which_are_measured_once(cli, data):
    path = data / "models/mlperf_tiny/pretrainedResnet_quant.tflite"

    first, again = profiled(cli, path), profiled(cli, path)
    others = profiled(cli, path, "--threads", "2")

    peaks = first["peaks"]
    assert set(peaks["macs_per_s"]) == {"float32", "int8"}
    assert min(peaks["bytes_per_s"], peaks["beyond_bytes_per_s"], *peaks["macs_per_s"].values()) > 1e6
    assert (peaks["working_set_in"] is None) == (peaks["caches"] == [])  # as this machine says them, or not
    assert again["peaks"]["measured_unix_s"] == peaks["measured_unix_s"]
    assert others["peaks"]["measured_unix_s"] > peaks["measured_unix_s"]
    assert others["peaks"]["conditions"]["threads"] == "2"
    timed = [op for op in first["ops"] if op["op"] == "CONV_2D" and (op["point"] or 0) > 2000]
    assert timed
    for op in timed:
        assert op["work"]["macs"] > 0
        assert op["work"]["arithmetic"] == "int8"
        assert op["limit"]["bound"] in ("compute", "memory")
        assert 0 < op["limit"]["reached_low_ratio"] <= op["limit"]["reached_ratio"]
    assert sum(op["work"]["macs"] for op in first["ops"] if op["work"]) == first["facts"]["macs"] == 12_501_632
    shown = cli("run", "show", first["run_id"])
    assert "bound by, reached" in shown.out
    assert "peaks of this board with 1 thread" in shown.out


def test_int8_that_loses_against_float_says_why_from_what_was_measured(cli, data, tmp_path):
    files = [data / f"models/own/fmnist_cnn_{kind}.tflite" for kind in ("float", "int8")]

    done = cli(
        "profile", *files, "--runtime", "tflite-runtime", "--per-op", "--launches", "4", "--runs", "70", "--json"
    )

    if "Python" in done.err:
        pytest.skip("tflite-runtime has no wheel for this Python")
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    (found,) = document["findings"]
    assert (found["kind"], found["base"]) == ("slower", document["items"][0]["run_id"])
    assert found["reasons"][0]["code"] == "not_delegated"
    assert "slower than" in found["text"]
    page = tmp_path / "page.html"
    assert cli("report", *(run["run_id"] for run in document["items"]), "-o", page).code == 0
    assert "none of its operators in XNNPACK" in page.read_text()


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
def test_operators_as_models_of_their_own_say_that_convolutions_cost_most(cli, data, runtime: str):
    path = data / "models/mlperf_tiny/pretrainedResnet.tflite"
    expected = [(operator.index, operator.name) for operator in read_operators(path)]

    alone = profiled(cli, path, "--runtime", runtime, "--per-op-by", "submodels")

    *ops, rest = alone["ops"]
    assert alone["op_profile"]["method"] == "submodels"
    assert [(op["node"], op["op"]) for op in ops] == expected
    assert rest["kind"] == "rest"
    assert sum(row["share_ratio"] or 0 for row in alone["ops"]) == pytest.approx(1)
    heaviest = [op["node"] for op in sorted(ops, key=lambda op: -(op["share_ratio"] or 0))][:7]
    assert set(heaviest) <= {node for node, name in expected if name == "CONV_2D"}


def test_an_operator_that_cannot_stand_alone_keeps_a_row_and_the_run_says_why(cli):
    run = profiled(cli, MODELS / "loop.tflite", "--per-op-by", "submodels")

    (loop,) = [op for op in run["ops"] if op["op"] == "WHILE"]
    assert (loop["point"], loop["not_measured"]) == (None, "no_time_of_its_own")
    (found,) = [warning for warning in run["warnings"] if warning["code"] == "submodel_failed"]
    assert "WHILE (calls other graphs)" in found["text"]


def test_an_unknown_way_to_time_operators_is_refused_with_a_hint(cli):
    done = cli("profile", MODELS / "int8.tflite", "--per-op-by", "submodel")

    assert done.code == 2
    assert "did you mean `submodels`" in done.err
