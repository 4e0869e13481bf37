"""The result file of `benchmark_model`, read strictly: whole, of the version that is known, and agreeing with itself.

The file is a `BenchmarkResult` message, written once at the very end. Source: LiteRT at 01d971c556e3,
tflite/tools/benchmark/benchmark_tflite_model.cc, `ProtoBenchmarkReporter` (what is written, always but for memory);
TensorFlow at a4f54022085d, tensorflow/lite/tools/benchmark/proto/benchmark_result.proto (numbers and types). The tool
times in whole microseconds and writes milliseconds as 32-bit floats.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from edgeprof.errors import MeasurementError
from edgeprof.protowire import Message, parse
from edgeprof.records import SummaryLaunch
from edgeprof.units import ms_to_ns

_LATENCY = {
    1: "mean", 2: "min", 3: "max", 4: "stddev", 5: "median", 6: "p05", 7: "p95", 8: "init", 9: "first_inference",
    10: "warmup_mean",
}  # fmt: skip
_MEMORY = {1: "init_footprint_kb", 2: "overall_footprint_kb", 3: "peak_mem_mb"}
_MISC = {1: "model_size_mb", 2: "num_runs", 3: "num_warmup_runs", 4: "model_throughput_in_mb_per_sec"}
_PARTS = {1: "name", 2: "latency_metrics", 3: "memory_metrics", 4: "misc_metrics"}
_MAY_BE_ABSENT = {1, 3}
_IN_ORDER = ("min", "p05", "median", "p95", "max")
# 32-bit floats hold seven digits.
_SLACK_RATIO = 1e-6
_KIB, _MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """What one run of the tool left.

    Attributes:
        launch: Its summary.
        model_mb: How large a model it ran, in millions of bytes.
    """

    launch: SummaryLaunch
    model_mb: float


def read_result(data: bytes, index: int = 0) -> BenchmarkResult:
    """Return what the tool wrote.

    Args:
        data: The file's bytes.
        index: Which launch it is.

    Raises:
        MeasurementError: It is empty, cut short, no such message, of another version, or contradicts itself.
    """
    if not data:
        raise MeasurementError(
            "benchmark_model's result file is empty", "did it end early? is there room on the board?"
        )
    try:
        whole = parse(data)
        _known(whole, _PARTS, _MAY_BE_ABSENT, "BenchmarkResult")
        return _result(whole, index)
    except ValueError as exc:
        hint = "known: what the `benchmark_model` of TensorFlow and LiteRT of 2025 writes to `--result_file_path`"
        raise MeasurementError(f"benchmark_model's result file cannot be read: {exc}", hint) from exc


def _result(whole: Message, index: int) -> BenchmarkResult:
    latency, memory, misc = (whole.message(number) for number in (2, 3, 4))
    _known(latency, _LATENCY, set(), "LatencyMetrics")
    _known(memory, _MEMORY, set(_MEMORY), "MemoryMetrics")
    _known(misc, _MISC, set(), "MiscMetrics")
    ms = {name: _sound(latency.real(number), name) for number, name in _LATENCY.items()}
    runs, model_mb = misc.whole(2) or 0, _sound(misc.real(1), "model_size_mb")
    _check(ms, runs, model_mb)
    growth, peak = memory.whole(2), memory.real(3)
    ns = {f"{name}_ns": ms_to_ns(value) for name, value in ms.items()}
    launch = SummaryLaunch(
        index=index,
        runs=runs,
        warmup_runs=misc.whole(3) or 0,
        memory_growth_bytes=None if growth is None or growth <= 0 else growth * _KIB,
        peak_bytes=None if peak is None else round(_sound(peak, "peak_mem_mb") * _MIB),
        **ns,
    )
    return BenchmarkResult(launch, model_mb)


def _known(message: Message, fields: Mapping[int, str], may_be_absent: set[int], what: str) -> None:
    unknown = sorted(message.numbers() - set(fields))
    if unknown:
        raise ValueError(f"{what} has a field {unknown[0]}, which no version known here writes")
    missing = [name for number, name in fields.items() if number not in message.numbers() | may_be_absent]
    if missing:
        raise ValueError(f"{what} lacks `{missing[0]}`: the file was cut short, or an older version wrote it")


def _sound(value: float | None, name: str) -> float:
    if value is None or not isfinite(value) or value < 0:
        raise ValueError(f"`{name}` is {value}")
    return value


def _check(ms: Mapping[str, float], runs: int, model_mb: float) -> None:
    if runs < 1:
        raise ValueError(f"it counts {runs} runs")
    if model_mb <= 0:
        raise ValueError("it does not know the model's size")
    ordered = [ms[name] for name in _IN_ORDER]
    for (low, a), (high, b) in pairwise(zip(_IN_ORDER, ordered, strict=True)):
        if a > b * (1 + _SLACK_RATIO):
            raise ValueError(f"it contradicts itself: {low} is {a:g} ms and {high} is {b:g} ms")
    if not ms["min"] * (1 - _SLACK_RATIO) <= ms["mean"] <= ms["max"] * (1 + _SLACK_RATIO):
        raise ValueError(
            f"it contradicts itself: the mean, {ms['mean']:g} ms, is no mean of {ms['min']:g} to {ms['max']:g}"
        )
