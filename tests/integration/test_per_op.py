"""`profile --per-op` as a user does it."""

import jsonschema
import pytest

from edgeprof.analysis.graph import read_operators
from edgeprof.report.document import schema
from tests.contract.agent.client import MODELS

QUICK = ("--launches", "2", "--runs", "70")


def profiled(cli, *args: object) -> dict:
    done = cli("profile", *args, "--per-op", *QUICK, "--json")
    if "Python" in done.err and "tflite-runtime" in args:
        pytest.skip("tflite-runtime has no wheel for this Python")
    assert done.code == 0, done.err
    document = done.json()
    jsonschema.validate(document, schema())
    return document["items"][0]


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
@pytest.mark.parametrize("model", ["loop", "two_and_two"])
def test_every_operator_has_a_row_and_all_rows_sum_to_the_latency(cli, model: str, runtime: str):
    path = MODELS / f"{model}.tflite"

    run = profiled(cli, path, "--runtime", runtime)

    *ops, rest = run["ops"]
    latency = next(m["point"] for m in run["metrics"] if (m["name"], m["statistic"]) == ("latency_ns", "median"))
    assert rest["kind"] == "rest"
    assert sum(row["point"] or 0 for row in run["ops"]) == pytest.approx(latency)
    assert sum(row["share_ratio"] or 0 for row in run["ops"]) == pytest.approx(1)
    expected = [(operator.index, operator.name, list(operator.shape)) for operator in read_operators(path)]
    assert sorted((op["node"], op["op"], op["shape"]) for op in ops) == expected
    assert run["op_profile"]["n_runs"] >= 12


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
@pytest.mark.parametrize("model", ["vww_96_float", "vww_96_int8", "pretrainedResnet", "kws_ref_model"])
def test_kernels_of_real_models_are_mapped_to_operators_of_their_kind(cli, data, model: str, runtime: str):
    path = data / f"models/mlperf_tiny/{model}.tflite"

    run = profiled(cli, path, "--runtime", runtime)

    convolutions = [op for op in run["ops"] if "Convolution (" in (op["kernel"] or "")]
    # The kind of kernel at the end of its name is no part of how it was mapped.
    assert [op["op"] for op in convolutions] == [
        "DEPTHWISE_CONV_2D" if op["kernel"].endswith("DWConv") else "CONV_2D" for op in convolutions
    ]
    known = sum(op["share_ratio"] for op in run["ops"] if op["kind"] == "operator" and op["share_ratio"])
    assert known > 0.5
    assert sorted(op["node"] for op in run["ops"] if op["kind"] == "operator") == list(range(len(read_operators(path))))


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
