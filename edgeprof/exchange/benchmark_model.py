"""`benchmark_model` of TensorFlow Lite and LiteRT: its printed lines, its JSON, its protocol buffer.

Source: tensorflow/lite/tools/benchmark/benchmark_model.cc (the lines); ai_edge_litert 2.3.0,
tools/benchmark_litert_model.py (the JSON). Older versions print no median.
"""

import re

from edgeprof.errors import MeasurementError, UsageError
from edgeprof.exchange.printed import Printed
from edgeprof.records import Estimate
from edgeprof.remote.benchmark_result import read_result
from edgeprof.units import NS_PER_MS

TOOL = "benchmark_model"
_NUMBER = r"([0-9.]+(?:e[+-]?[0-9]+)?)"
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, Warmup \(avg\): {_NUMBER}, "
    rf"Inference \(avg\): {_NUMBER}"
)
_COUNT = re.compile(r"count=(\d+)((?: \w+=[0-9.e+-]+)+)")
_MEMORY = re.compile(
    r"(?:Peak memory footprint|Memory footprint delta from the start of the tool) \(MB\): "
    rf"init={_NUMBER} overall={_NUMBER}"
)
_THREADS = re.compile(r"(?:Num threads|#threads used for CPU inference): \[(\d+)\]")
_SIZE = re.compile(rf"The input model file size \(MB\): {_NUMBER}")
_DELEGATE = re.compile(r"Use (\w+): \[1\]")
_NS_PER_US = 1_000
# Statistics by the names that the tool has for them, in the order in which they are shown.
_STATISTICS = {"median": "median", "p5": "p05", "p95": "p95", "avg": "mean", "min": "min", "max": "max"}


def is_text(data: bytes) -> bool:
    """Return whether these are the tool's printed lines."""
    return b"Inference timings in us:" in data


def read_text(text: str, name: str) -> Printed:
    """Return what the tool printed.

    Raises:
        UsageError: It is not the output of exactly one benchmark, or its figures contradict one another.
    """
    timings = _TIMINGS.findall(text)
    if len(timings) != 1:
        raise UsageError(f"`{name}` holds {len(timings)} benchmarks", "import the output of one at a time")
    init_us, first_us, _, average_us = (float(part) for part in timings[0])
    series = _COUNT.findall(text[: text.index("Inference timings in us:")])
    if not series:
        raise UsageError(f"`{name}` has no line `count=… avg=…`", "give all that benchmark_model printed")
    count, pairs = int(series[-1][0]), dict(pair.split("=") for pair in series[-1][1].split())
    if "avg" in pairs and float(pairs["avg"]) != average_us:
        raise UsageError(f"`{name}` contradicts itself: avg={pairs['avg']} and Inference (avg): {average_us:g}")
    us = {key: float(pairs[key]) for key in _STATISTICS if key in pairs}
    times = {key: value * _NS_PER_US for key, value in {**us, "avg": average_us}.items()}
    memory = _MEMORY.search(text)
    growth = float(memory[2]) * (1 << 20) if memory and float(memory[2]) > 0 else None
    figures = _figures(times, (init_us * _NS_PER_US, first_us * _NS_PER_US), growth, count)
    threads, size, delegates = _THREADS.search(text), _SIZE.search(text), _DELEGATE.findall(text)
    used = [delegate.lower() for delegate in delegates if delegate.lower() != "xnnpack"]
    return Printed(
        TOOL, figures, int(threads[1]) if threads else None, float(size[1]) if size else None, "+".join(used) or "cpu"
    )


def read_json(whole: object, name: str) -> Printed:
    """Return the content of `--result_json`; its times have two decimals of a millisecond, and 0.00 is no figure.

    Raises:
        UsageError: It is no such document.
    """
    try:
        if not isinstance(whole, dict):
            raise TypeError("it is no object")
        latency = whole["latency"]
        times = {key: float(latency[f"{key}_ms"]) * NS_PER_MS for key in _STATISTICS}
        init, count = float(latency["init_ms"]) * NS_PER_MS, int(latency["num_runs"])
        first = float(latency["warmup_first_ms"]) * NS_PER_MS
        accelerator = "+".join(str(part).lower() for part in whole["accelerators"]) or "cpu"
        return Printed(
            TOOL, _figures(times, (init, first), None, count), int(whole["num_threads"]), float(whole["model_size_mb"]),
            accelerator,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as exc:
        raise UsageError(f"`{name}` is no result of benchmark_model: {exc}", "give what `--result_json` wrote") from exc


def read_proto(data: bytes, name: str) -> Printed:
    """Return the content of `--result_file_path`, a `BenchmarkResult` message, read as strictly as one of our own runs.

    Raises:
        UsageError: It is no such message.
    """
    try:
        found = read_result(data)
    except MeasurementError as exc:
        hint = "known: what benchmark_model prints, its --result_json and --result_file_path; MLPerf Tiny's results.txt"
        raise UsageError(f"`{name}` is no result that edgeprof knows: {exc.message}", hint) from exc
    one = found.launch
    values = (one.median_ns, one.p05_ns, one.p95_ns, one.mean_ns, one.min_ns, one.max_ns)
    times = {key: float(value) for key, value in zip(_STATISTICS, values, strict=True)}
    starts = (float(one.init_ns), float(one.first_inference_ns))
    growth = None if one.memory_growth_bytes is None else float(one.memory_growth_bytes)
    return Printed(TOOL, _figures(times, starts, growth, one.runs), None, found.model_mb)


def _figures(
    times_ns: dict[str, float], starts_ns: tuple[float, float], memory_bytes: float | None, count: int
) -> tuple[Estimate, ...]:
    init_ns, first_ns = starts_ns
    found = [("latency_ns", _STATISTICS[key], times_ns.get(key), count) for key in _STATISTICS]
    found += [("first_inference_ns", "median", first_ns, 1), ("tool_init_ns", "once", init_ns, 1)]
    found += [("tool_memory_growth_bytes", "once", memory_bytes, 1)]
    return tuple(Estimate(name, what, point, n_launches=1, n_samples=n) for name, what, point, n in found if point)
