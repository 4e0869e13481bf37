"""The sampler: a process of its own that reads temperature, clocks and load at a steady rate into a file."""

from __future__ import annotations

import glob
import json
import os
import sys
import threading
import time


def run_sampler() -> None:
    """Sample until standard input ends; the first line says how."""
    task = json.loads(sys.stdin.readline())
    if task["cpus"]:
        os.sched_setaffinity(0, task["cpus"])
    stop = threading.Event()
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    with open(task["path"], "w", buffering=1) as file:
        _sample(file, 1.0 / task["hz"], stop)


def _wait_for_end(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _sample(file: object, period_s: float, stop: threading.Event) -> None:
    zones = sorted(glob.glob("/sys/class/thermal/thermal_zone*/temp"), key=len)
    clocks = [
        "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq" % index for index in range(os.cpu_count() or 1)
    ]
    busy = _busy()
    due = time.monotonic()
    while True:
        before, busy = busy, _busy()
        line = {
            "monotonic_ns": time.monotonic_ns(),
            "temp_mc": [_number(path) for path in zones],
            "freq_khz": [_number(path) for path in clocks],
            "busy_ratio": _share(before, busy),
        }
        file.write(json.dumps(line) + "\n")
        due += period_s
        if stop.wait(max(0.0, due - time.monotonic())):
            return


def _busy() -> tuple:
    """Return jiffies spent working and in all. Source: Linux, Documentation/filesystems/proc.rst, `/proc/stat`."""
    with open("/proc/stat") as file:
        values = [int(value) for value in file.readline().split()[1:9]]
    return sum(values) - values[3] - values[4], sum(values)


def _share(before: tuple, now: tuple) -> float | None:
    elapsed = now[1] - before[1]
    return None if elapsed <= 0 else round((now[0] - before[0]) / elapsed, 4)


def _number(path: str) -> int | None:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
