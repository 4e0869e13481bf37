"""What stands in for a vendor's `benchmark_model`, which is not here: a program of the tests' own.

It takes the tool's flags, times work of its own (sums, no inference) and writes the tool's result file by Google's
protobuf, from the message's definition and not from our reader. So it holds what a file looks like and how the program
is driven; it says nothing of what the real program does or measures.

As a program: `program(folder, mood)` writes it with this Python in its first line.
"""

import statistics
import sys
import time
from pathlib import Path

MOOD = "whole"

# Source: TensorFlow at a4f54022085d, tensorflow/lite/tools/benchmark/proto/benchmark_result.proto.
LATENCY = (
    "avg_ms", "min_ms", "max_ms", "stddev_ms", "median_ms", "p5_ms", "p95_ms", "init_ms", "first_inference_ms",
    "average_warm_up_ms",
)  # fmt: skip
MEMORY = (("init_footprint_kb", 3), ("overall_footprint_kb", 3), ("peak_mem_mb", 2))
MISC = (("model_size_mb", 2), ("num_runs", 5), ("num_warmup_runs", 5), ("model_throughput_in_mb_per_sec", 2))


def message():
    """Return the class of `BenchmarkResult`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="benchmark_result.proto", package="tflite.tools.benchmark")
    parts = {"LatencyMetrics": [(name, 2) for name in LATENCY], "MemoryMetrics": MEMORY, "MiscMetrics": MISC}
    for kind, fields in parts.items():
        made = file.message_type.add(name=kind)
        for number, (name, type_) in enumerate(fields, 1):
            made.field.add(name=name, number=number, type=type_, label=1)
    whole = file.message_type.add(name="BenchmarkResult")
    whole.field.add(name="name", number=1, type=9, label=1)
    for number, kind in enumerate(("latency_metrics", "memory_metrics", "misc_metrics"), 2):
        type_name = "." + file.package + "." + kind.title().replace("_", "")
        whole.field.add(name=kind, number=number, type=11, label=1, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.BenchmarkResult"))


def result(us: list[int], model_bytes: int, **changed: float) -> bytes:
    """Return the file that the tool would write of runs of so many microseconds, with fields changed by name."""
    made = message()()
    ordered = sorted(us)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000

    latency = {
        "avg_ms": statistics.fmean(us) / 1000, "min_ms": ordered[0] / 1000, "max_ms": ordered[-1] / 1000,
        "stddev_ms": statistics.pstdev(us) / 1000, "median_ms": at(0.5), "p5_ms": at(0.05), "p95_ms": at(0.95),
        "init_ms": 1.5, "first_inference_ms": us[0] / 1000, "average_warm_up_ms": us[0] / 1000,
    }  # fmt: skip
    misc = {
        "model_size_mb": model_bytes / 1e6,
        "num_runs": len(us),
        "num_warmup_runs": 1,
        "model_throughput_in_mb_per_sec": 1.0,
    }
    memory = {"init_footprint_kb": 100, "overall_footprint_kb": 2048}
    for part, values in (("latency_metrics", latency), ("memory_metrics", memory), ("misc_metrics", misc)):
        for name, value in values.items():
            setattr(getattr(made, part), name, changed.get(name, value))
    return made.SerializeToString()


def program(folder: Path, mood: str = "whole") -> Path:
    """Write the program: `whole`, `old` (knows no result file), `cut` (half a file), `fails`, `another` (other model), `hangs`."""
    made = folder / f"benchmark_model-{mood}"
    text = Path(__file__).read_text().replace('MOOD = "whole"', f'MOOD = "{mood}"', 1)
    made.write_text(f"#!{sys.executable}\n{text}")
    return made


def timed(count: int, seconds: float) -> list[int]:
    found = []
    end = time.perf_counter() + seconds
    while len(found) < count or time.perf_counter() < end:
        begin = time.perf_counter_ns()
        sum(range(20_000))
        found.append((time.perf_counter_ns() - begin) // 1000)
    return found


def main(flags: dict[str, str]) -> int:
    graph = Path(flags["--graph"])
    if MOOD == "fails":
        sys.stderr.write("ERROR: Didn't find op for builtin opcode 'CONV_2D' version '9'" + "\n")
        return 1
    if MOOD == "hangs":
        time.sleep(600)
    us = timed(int(flags["--num_runs"]), float(flags["--min_secs"]))
    size = graph.stat().st_size + (5000 if MOOD == "another" else 0)
    data = result(us, size)
    sys.stderr.write(f"INFO: Inference timings in us: Inference (avg): {statistics.fmean(us):g}" + "\n")
    if MOOD != "old":
        Path(flags["--result_file_path"]).write_bytes(data[: len(data) // 2] if MOOD == "cut" else data)
    return 0


if __name__ == "__main__":
    sys.exit(main(dict(flag.split("=", 1) for flag in sys.argv[1:])))
