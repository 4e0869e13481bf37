"""Results out and in: CSV, evidence bundles that cannot be changed unseen, and what other tools measured."""

import csv
import hashlib
import io
import json
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.compare import relate
from edgeprof.errors import EvidenceError, UsageError
from edgeprof.exchange import Given, figures_csv, read_any, read_foreign, samples_csv, verify, write_bundle
from edgeprof.metrics import METHOD, estimates
from edgeprof.records import StartUp
from edgeprof.report.document import document, schema
from edgeprof.report.html import page
from edgeprof.report.items import run_item
from edgeprof.store import open_store
from edgeprof.validate import save_baselines
from tests.unit.test_energy import trace
from tests.unit.test_reports import LAUNCHES, RUN, SETS
from tests.vendor_benchmark import result

MODEL = resources.folder("device_agents") / "selftest.tflite"
MEASURED = replace(RUN, launches=LAUNCHES)

# As TensorFlow 2.4's benchmark_model printed for YOLOv5s on a phone (github.com/lp6m/yolov5s_android).
OLD_TEXT = """\
Graph: [/data/local/tmp/yolov5s_fp32_640.tflite]
Num threads: [4]
count=2 first=360262 curr=248950 min=248950 max=360262 avg=304606 std=55656

count=50 first=249042 curr=250889 min=247067 max=254474 avg=249684 std=1442

Inference timings in us: Init: 16242, First inference: 360262, Warmup (avg): 304606, Inference (avg): 249684
Peak memory footprint (MB): init=4.92969 overall=138.809
"""
NEW_TEXT = """\
I tflite  : #threads used for CPU inference: [2]
I tflite  : Use GPU: [1]
I tflite  : count=25 first=187533 curr=140990 min=140071 max=195121 avg=1.45528e+05 std=13583 p5=140545 median=141253 p95=187533
I tflite  : Inference timings in us: Init: 92318, First inference: 187533, Warmup (avg): 211669, Inference (avg): 145528
I tflite  : Memory footprint delta from the start of the tool (MB): init=54.2852 overall=73.4102
"""
# As `python -m ai_edge_litert.tools.benchmark_litert_model --result_json` of ai-edge-litert 2.3.0 wrote it.
JSON = {
    "model": "selftest.tflite", "model_size_mb": 0.0, "accelerators": ["CPU"], "signature": "serving_default",
    "fully_accelerated": True, "num_threads": 1,
    "latency": {
        "init_ms": 2.28, "warmup_first_ms": 0.07, "warmup_avg_ms": 0.03, "num_warmup_runs": 3, "avg_ms": 0.0, "min_ms": 0.0,
        "max_ms": 0.04, "median_ms": 0.0, "std_ms": 0.01, "p5_ms": 0.0, "p95_ms": 0.01, "num_runs": 20,
    },
    "throughput_mb_s": 3.72,
}  # fmt: skip
# The shape of closed/STMicroelectronics/results/NUCLEO-H7A3ZI-Q in round 1.0, with two of its windows.
TINY = """\
00139.211 ulp-ml: Energy data for window 2 at time 2.73 for 13.38 sec.:
00139.211 ulp-ml:   Energy       :  2175020.650 uJ
00139.211 ulp-ml:   Power        :   162533.302 uW
00139.211 ulp-ml:   Energy/Inf.  :     2718.776 uJ/inf.
00139.211 ulp-ml: ---------------------------------------------------------
00139.244 ulp-ml: Median energy cost is 2718.776 uJ/inf.
00139.245 ulp-ml: Performance results for window 2:
00139.245 ulp-ml:   # Inferences :          800
00139.245 ulp-ml:   Runtime      :       13.382 sec.
00139.246 ulp-ml:   Throughput   :       59.782 inf./sec.
00139.246 ulp-ml: Runtime requirements have been met.
00139.246 ulp-ml: Median throughput is 59.782 inf./sec.
00139.246 ulp-ml: Cannot compute accuracy metrics in single-run mode.
"""


@pytest.fixture
def given() -> Given:
    return Given(MODEL, "bench")


@pytest.fixture
def write(tmp_path):
    def put(content: str | bytes, name: str = "result") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def figures(run) -> dict[tuple[str, str], float]:
    return {(e.name, e.statistic): e.point for e in estimates(run) if e.point is not None}


# CSV


def test_a_line_a_figure_keeps_what_was_not_measured_with_its_reason():
    lines = list(csv.DictReader(io.StringIO(figures_csv([MEASURED]))))

    assert len(lines) == len(estimates(MEASURED))
    assert all(bool(line["point"]) != bool(line["not_measured"]) for line in lines)


def test_a_line_a_timed_run_keeps_every_sample_in_order():
    lines = list(csv.DictReader(io.StringIO(samples_csv([MEASURED]))))

    assert [int(line["value"]) for line in lines] == [v for launch in LAUNCHES for v in launch.latency_ns]


# Evidence


def test_a_bundle_has_the_same_bytes_again_and_verifies(tmp_path):
    one, two = tmp_path / "a.zip", tmp_path / "b.zip"

    write_bundle([MEASURED, replace(MEASURED, run_id="00")], one)
    write_bundle([replace(MEASURED, run_id="00"), MEASURED], two)

    assert one.read_bytes() == two.read_bytes()
    found = verify(one)
    assert found.runs == (replace(MEASURED, run_id="00"), MEASURED)
    assert found.figures == 2 * len(estimates(MEASURED))


def test_a_bundle_is_taken_into_another_store_once(tmp_path):
    write_bundle([MEASURED], tmp_path / "a.zip")

    with open_store(str(tmp_path / "r.db")) as store:
        (run,) = read_any([tmp_path / "a.zip"])
        assert (store.add_run(run), store.add_run(run)) == (True, False)
        assert store.load_run(run.run_id) == MEASURED
        with pytest.raises(UsageError, match="holds another run"):
            store.add_run(replace(run, device="other"))


def _record(text: bytes) -> bytes:
    whole = json.loads(text)
    whole["launches"][0]["latency_ns"][0] += 1
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda files: files.update({"report.html": b"<p>better"}),
            "`report.html` in .* is not what the manifest lists",
        ),
        (lambda files: files.update({"more.txt": b""}), "`more.txt` in .* is not in its manifest"),
        (lambda files: files.pop("report.html"), "`report.html` is missing"),
    ],
    ids=["changed", "added", "removed"],
)
def test_a_bundle_that_was_changed_is_refused_by_the_file(tmp_path, change, complaint):
    write_bundle([MEASURED], tmp_path / "a.zip")
    files = contents(tmp_path / "a.zip")
    change(files)
    rewrite(tmp_path / "a.zip", files)

    with pytest.raises(EvidenceError, match=complaint):
        verify(tmp_path / "a.zip")


def _say(path: Path, figure: str, method: int | None = METHOD, **parts: float) -> None:
    """Let a bundle say something else of a figure, with hashes that fit, and how it was computed."""
    files = contents(path)
    whole = json.loads(files["runs.json"])
    next(item for item in whole["items"][0]["metrics"] if item["name"] == figure).update(parts)
    files["runs.json"] = json.dumps(whole).encode()
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["runs.json"] = hashlib.sha256(files["runs.json"]).hexdigest()
    manifest["method"] = method
    if method is None:
        del manifest["method"]
    files["manifest.json"] = json.dumps(manifest).encode()
    rewrite(path, files)


def test_figures_that_do_not_follow_from_the_samples_are_refused_though_every_hash_is_right(tmp_path):
    write_bundle([MEASURED], tmp_path / "a.zip")
    _say(tmp_path / "a.zip", "latency_ns", point=1.0)

    with pytest.raises(EvidenceError, match=r"latency_ns \(median\) of run .* does not follow from its samples"):
        verify(tmp_path / "a.zip")


def test_figures_that_were_computed_by_another_method_are_no_fraud_and_the_samples_are_taken(tmp_path):
    write_bundle([MEASURED], tmp_path / "a.zip")
    _say(tmp_path / "a.zip", "cpu_wall_ratio", method=None, high=1.04)

    with pytest.raises(EvidenceError, match=rf"cpu_wall_ratio .* by method 1, .* this edgeprof's, {METHOD}") as refused:
        verify(tmp_path / "a.zip")

    assert "every hash is right" in refused.value.hint
    assert read_any([tmp_path / "a.zip"]) == (MEASURED,)


def test_a_method_that_gives_other_figures_has_another_number():
    """Where this fails and the new figures are right: give `METHOD` the next number, and write both here."""
    chance = random.Random(1)
    launches = tuple(
        replace(
            launch,
            latency_ns=tuple(round(chance.gauss(1e6, 2e4)) for _ in range(200)),
            start_up=StartUp(*(round(chance.gauss(1e6, 1e5)) for _ in range(5))),
            cpu_time_ns=chance.randrange(9_000, 10_000),
            wall_time_ns=10_000,
        )
        for launch in 4 * LAUNCHES
    )
    run = replace(RUN, launches=launches, evaluations=SETS, power=trace())

    said = "".join(f"{e.name} {e.statistic} {e.point} {e.low} {e.high}\n" for e in map(_short, estimates(run)))

    assert (METHOD, hashlib.sha256(said.encode()).hexdigest()[:16]) == (2, "c6bc0d6d5c5ebd02"), said


def _short(estimate):
    """Return it with the digits that every machine agrees on."""
    parts = {part: getattr(estimate, part) for part in ("point", "low", "high")}
    return replace(estimate, **{part: value if value is None else f"{value:.5g}" for part, value in parts.items()})


def test_a_bundle_that_was_cut_short_is_said_to_be_that(tmp_path):
    write_bundle([MEASURED], tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:3000])

    for read in (verify, lambda path: read_any([path])):
        with pytest.raises(EvidenceError, match="is damaged or cut short"):
            read(tmp_path / "a.zip")


def test_a_bundle_with_a_damaged_byte_is_evidence_that_was_changed(tmp_path):
    write_bundle([MEASURED], tmp_path / "a.zip")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"<html", b"<htmI", 1))

    with pytest.raises(EvidenceError, match="is damaged: Bad CRC-32 for file"):
        verify(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06" + 18 * b"\0", b"no zip at all" * 99], ids=["empty", "no files", "text"]
)
def test_what_is_no_bundle_is_refused(write, content):
    with pytest.raises(UsageError, match="is no bundle|no manifest"):
        verify(write(content))


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


# Foreign results


def test_what_benchmark_model_printed_is_kept_and_nothing_is_made_up(write, given):
    run = read_foreign([write(OLD_TEXT)], given)

    assert (run.origin, run.plan.threads, run.launches) == ("benchmark_model", 4, ())
    assert figures(run) == {
        ("latency_ns", "mean"): 249_684_000,
        ("latency_ns", "min"): 247_067_000,
        ("latency_ns", "max"): 254_474_000,
        ("first_inference_ns", "median"): 360_262_000,
        ("tool_init_ns", "once"): 16_242_000,
        ("tool_memory_growth_bytes", "once"): pytest.approx(138.809 * 2**20),
    }
    median = estimates(run)[0]
    assert (median.point, median.not_measured) == (None, "not_in_foreign_result")
    jsonschema.validate(json.loads(document("runs", [run_item(run, raw=True)])), schema())


def test_a_newer_benchmark_model_prints_a_median_and_its_delegate(write, given):
    run = read_foreign([write(NEW_TEXT)], given)

    assert (run.plan.accelerator, run.plan.threads) == ("gpu", 2)
    assert figures(run)["latency_ns", "median"] == 141_253_000
    assert all(e.low is None for e in estimates(run))


def test_a_time_of_zero_in_its_json_is_below_its_resolution_and_no_figure(write, given):
    run = read_foreign([write(json.dumps(JSON))], given)

    assert figures(run) == {
        ("latency_ns", "p95"): 10_000,
        ("latency_ns", "max"): 40_000,
        ("first_inference_ns", "median"): 70_000,
        ("tool_init_ns", "once"): 2_280_000,
    }


def test_its_protocol_buffer_is_read(write):
    pytest.importorskip("google.protobuf")
    data = result([1000, 1500, 9000], MODEL.stat().st_size, overall_footprint_kb=1024)

    run = read_foreign([write(data)], Given(MODEL, "bench", threads=1))

    assert figures(run)["latency_ns", "median"] == 1_500_000
    assert figures(run)["tool_memory_growth_bytes", "once"] == 1024 * 1024
    with pytest.raises(UsageError, match="is no result that edgeprof knows"):
        read_foreign([write(data[:-3])], Given(MODEL, "bench", threads=1))


def test_an_mlperf_tiny_result_has_a_mean_latency_and_an_energy(write, given):
    accuracy = "00190.482 ulp-mlperf: Top-1: 85.0%\n00190.501 ulp-mlperf: AUC: 0.99\n"

    run = read_foreign([write(TINY), write(accuracy, "accuracy")], given)

    assert run.origin == "mlperf-tiny"
    assert figures(run) == {
        ("latency_ns", "mean"): pytest.approx(1e9 / 59.782),
        ("energy_per_inference_uj", "mean"): 2718.776,
        ("power_mw", "mean"): pytest.approx(162.533302),
        ("top1_ratio", "share"): 0.85,
        ("auc", "area"): 0.99,
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (TINY.replace("Median throughput is 59.782", "Median throughput is 69.782"), "the median of its windows"),
        (TINY.replace("Throughput   :       59.782", "Throughput   :       69.782"), "contradicts itself"),
        (
            TINY.replace("Runtime requirements have been met.", "Runtime is too short!"),
            "line 11 is none that edgeprof knows",
        ),
        (TINY.replace("00139.245 ulp-ml:   # Inferences :          800\n", ""), "a window is incomplete"),
        (OLD_TEXT + OLD_TEXT, "holds 2 benchmarks"),
        (OLD_TEXT.replace("avg=249684", "avg=149684"), "contradicts itself"),
        (OLD_TEXT + "The input model file size (MB): 16.9008\n", "about a model of 16.9008 MB"),
        (NEW_TEXT.replace("#threads", "#workers"), "does not say with how many threads"),
        ("{}", "is no result of benchmark_model"),
        ("hello", "is no result that edgeprof knows"),
    ],
)
def test_a_result_that_is_not_whole_or_contradicts_itself_is_refused(write, given, content, complaint):
    with pytest.raises(UsageError, match=complaint):
        read_foreign([write(content)], given)


def test_what_is_no_result_is_told_before_anything_is_asked_for(write, tmp_path):
    with pytest.raises(UsageError, match="cannot read `.*nothere`: No such file"):
        read_any([tmp_path / "nothere"], None, None, None)
    with pytest.raises(UsageError, match="does not say for certain what ran where"):
        read_any([write(NEW_TEXT)], None, None, None)


def test_a_foreign_run_is_shown_and_never_compared_or_made_a_baseline(write, given, tmp_path):
    run = read_foreign([write(NEW_TEXT)], replace(given, device=MEASURED.device))

    cells = relate([MEASURED, run], axis_name="time").cells
    assert cells[1].method == "refused"
    assert f"{run.run_id} is benchmark_model's summary" in cells[1].refused[0]
    with pytest.raises(UsageError, match="benchmark_model measured it, not edgeprof"):
        save_baselines([run], tmp_path / "baselines.json")
    text = page([run])
    assert "benchmark_model, not by edgeprof" in text
    assert "141\u00a0ms" in text
