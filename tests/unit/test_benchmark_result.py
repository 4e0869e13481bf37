"""The result file of `benchmark_model`: what it says, and everything for which it is refused.

The files are made by Google's protobuf from the tool's published definition (tests/vendor_benchmark.py), not recorded:
no file of a real run was to be had.
"""

import pytest

from edgeprof.errors import MeasurementError
from edgeprof.protowire import parse
from edgeprof.records import SummaryLaunch
from edgeprof.remote.benchmark_result import read_result
from edgeprof.stats import summary_estimates
from tests.vendor_benchmark import message, result

pytest.importorskip("google.protobuf")
US = [*range(1000, 1200)]
MODEL_BYTES = 98_496


def summary(index: int, runs: int = 200, median_ns: int = 1_000_000) -> SummaryLaunch:
    rest = {"mean_ns": 1_100_000, "min_ns": 900_000 - index, "max_ns": 2_000_000, "init_ns": 5, "first_inference_ns": 7}
    tails = {"p05_ns": 950_000, "p95_ns": 1_500_000, "stddev_ns": 1, "warmup_mean_ns": 1}
    return SummaryLaunch(index=index, runs=runs, warmup_runs=1, median_ns=median_ns, **rest, **tails)


def test_a_whole_file_is_read_as_it_was_written():
    found = read_result(result(US, MODEL_BYTES), index=3)

    launch = found.launch
    assert (launch.index, launch.runs, launch.warmup_runs) == (3, 200, 1)
    assert (launch.min_ns, launch.median_ns, launch.max_ns) == (1_000_000, 1_100_000, 1_199_000)
    assert (launch.p05_ns, launch.p95_ns) == (1_010_000, 1_190_000)
    assert launch.mean_ns == pytest.approx(1_099_500, abs=100)
    assert launch.memory_growth_bytes == 2048 * 1024
    assert launch.peak_bytes is None
    assert found.model_mb == pytest.approx(MODEL_BYTES / 1e6, rel=1e-6)


def test_a_file_cut_anywhere_is_refused():
    whole = result(US, MODEL_BYTES)

    for length in range(len(whole)):
        with pytest.raises(MeasurementError):
            read_result(whole[:length])


def test_bytes_that_are_no_message_are_refused_whatever_they_are():
    for junk in (b"\0", b"hello", b"count=50 first=1", b"\xff" * 40, b'{"latency": {}}', bytes(range(256))):
        with pytest.raises(MeasurementError, match="result file cannot be read"):
            read_result(junk)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"median_ms": 5.0}, "contradicts itself: median is 5 ms and p95"),
        ({"avg_ms": 9.0}, "is no mean of"),
        ({"min_ms": float("nan")}, "`min` is nan"),
        ({"init_ms": -1.0}, "`init` is -1"),
        ({"num_runs": 0}, "it counts 0 runs"),
        ({"num_runs": -4}, "it counts -4 runs"),
        ({"model_size_mb": 0.0}, "does not know the model's size"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(changed, complaint):
    with pytest.raises(MeasurementError, match=complaint):
        read_result(result(US, MODEL_BYTES, **changed))


def test_a_field_that_no_known_version_writes_is_refused_by_its_number():
    newer = result(US, MODEL_BYTES) + bytes([5 << 3, 1])

    with pytest.raises(MeasurementError, match="BenchmarkResult has a field 5"):
        read_result(newer)


def test_a_version_without_percentiles_is_named_as_older():
    older = message()()
    older.ParseFromString(result(US, MODEL_BYTES))
    older.latency_metrics.ClearField("median_ms")

    with pytest.raises(MeasurementError, match="lacks `median`: the file was cut short, or an older version"):
        read_result(older.SerializeToString())


def test_a_field_of_another_type_is_no_figure():
    other = parse(bytes([1 << 3, 7]))

    with pytest.raises(ValueError, match="field 1 has the wire type 0 instead of 5"):
        other.real(1)


def test_a_launch_is_one_observation_of_the_tool_s_own_figures():
    found = {(e.name, e.statistic): e for e in summary_estimates([summary(0), summary(1, median_ns=1_200_000)])}

    middle = found["latency_ns", "median"]
    assert (middle.point, middle.n_launches, middle.n_samples) == (1_100_000, 2, 400)
    assert middle.low < middle.point < middle.high
    assert found["latency_ns", "min"].point == 899_999
    assert ("latency_ns", "p99") not in found


def test_a_tail_of_too_few_runs_is_not_shown_though_the_tool_says_one():
    found = {(e.name, e.statistic): e for e in summary_estimates([summary(0), summary(1, runs=64)])}

    assert found["latency_ns", "p95"].point is None
    assert found["latency_ns", "p95"].not_measured == "too_few_samples"
