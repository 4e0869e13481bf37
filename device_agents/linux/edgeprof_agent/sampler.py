"""The sampler: temperature, clocks and load of the board, one JSON object a line, from a process of its own."""

from __future__ import annotations

import json
import random
import select
import sys
import time
from glob import glob

from edgeprof_agent import firmware, power, system

_ASK_FIRMWARE_NS = 1000000000  # a program of its own each time: once a second is enough of it


def main() -> None:
    """Sample until standard input ends; the first line on it says how: `hz`, `rail`, `path`, `parent`."""
    spec = json.loads(sys.stdin.buffer.readline().decode())
    system.die_with(spec["parent"])
    system.limit(None)
    with open(spec["path"], "w") as file:
        if spec["rail"] is None:
            _sample(file, int(1e9 / spec["hz"]))
        else:
            _sample_rail(file, int(1e9 / spec["hz"]), power.rails()[spec["rail"]])


def _sample(file: object, period_ns: int) -> None:
    source = Board()
    next_ns = time.monotonic_ns()
    while True:
        _put(file, source.read())
        next_ns = max(next_ns + period_ns, time.monotonic_ns())  # a late sample delays the rest, none is made up
        if _ends_before(next_ns):
            return


def _sample_rail(file: object, period_ns: int, rail: dict) -> None:
    """Read a rail at one random instant of each period: a regular beat would alias with a load that has one."""
    begin_ns = time.monotonic_ns()
    throttling = Throttling()
    while True:
        if _ends_before(begin_ns + int(random.random() * period_ns)):  # noqa: S311 - an instant, not a secret
            return
        bits = throttling.read()
        asked = {} if bits is None else {"throttled": bits}
        _put(file, dict(power.read(rail), cpu_ns=system.cpu_ns(), **asked))
        begin_ns += period_ns * max(1, (time.monotonic_ns() - begin_ns) // period_ns)  # a missed period stays missed


def _put(file: object, line: dict) -> None:
    file.write(json.dumps(line, separators=(",", ":")) + "\n")
    file.flush()


def _ends_before(moment_ns: int) -> bool:
    """Wait until then; return whether standard input ended meanwhile."""
    wait_s = (moment_ns - time.monotonic_ns()) / 1e9
    return bool(select.select([0], [], [], max(0.0, wait_s))[0])


class Board:
    """Where the board says how it does; found once, read often."""

    def __init__(self) -> None:
        self._zones = sorted(glob("/sys/class/thermal/thermal_zone*/temp"), key=_number)
        self._clocks = ["/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq".format(n) for n in _cpu_numbers()]
        self._before = _busy_and_all()
        self._throttling = Throttling()

    def read(self) -> dict:
        """Return one sample; `busy_ratio` is `None` where no tick has passed since the last one."""
        now = _busy_and_all()
        busy, total = now[0] - self._before[0], now[1] - self._before[1]
        if total > 0:
            self._before = now
        return {
            "monotonic_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC),
            "temp_mc": [power.whole(path) for path in self._zones],
            "freq_khz": [power.whole(path) for path in self._clocks],
            "busy_ratio": round(busy / total, 4) if total > 0 else None,
            "throttled": self._throttling.read(),
            "cpu_ns": system.cpu_ns(),
        }


class Throttling:
    """The firmware's bits of throttling, asked for once a second."""

    def __init__(self) -> None:
        self._ask_ns = 0  # when to ask next, or `None` where nobody answers

    def read(self) -> object:
        """Return the bits, or `None` where it is not time yet, or nobody says."""
        if self._ask_ns is None or time.monotonic_ns() < self._ask_ns:
            return None
        said = firmware.throttled()
        self._ask_ns = None if said is None else time.monotonic_ns() + _ASK_FIRMWARE_NS
        return said


def _cpu_numbers() -> list:
    return sorted(int(path.rsplit("cpu", 1)[1]) for path in glob("/sys/devices/system/cpu/cpu[0-9]*"))


def _number(path: str) -> int:
    return int("".join(c for c in path if c.isdigit()) or 0)


def _busy_and_all() -> tuple:
    """Return ticks not idle and ticks in all, over all cores (proc(5), `stat`: guest time is in user time already)."""
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0, 0
    total = sum(ticks)
    return total - ticks[3] - ticks[4], total
