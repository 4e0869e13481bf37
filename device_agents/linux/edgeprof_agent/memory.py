"""What the kernel says of a process: memory, switches, processor time."""

from __future__ import annotations

import os
import time

_KIB = 1024


def resident(pid: object = "self") -> dict:
    """Return `rss_bytes`, `anonymous_bytes`, `file_backed_bytes` of a process; shared memory counts as file-backed.

    Source: proc(5): `smaps_rollup` (Linux 4.14) is exact, `status` is the fallback and may lag by some pages a core.

    Raises:
        OSError: The process is gone.
    """
    try:
        fields = _fields(pid, "smaps_rollup")
        rss, anonymous = fields["Rss"] * _KIB, fields["Anonymous"] * _KIB
    except (FileNotFoundError, PermissionError, KeyError):
        fields = _fields(pid, "status")
        rss, anonymous = fields["VmRSS"] * _KIB, fields.get("RssAnon", 0) * _KIB
    return {"rss_bytes": rss, "anonymous_bytes": anonymous, "file_backed_bytes": rss - anonymous}


def snapshot(pid: int) -> dict:
    """Return the result of `snapshot` for a living process: memory in bytes, processor time in nanoseconds, counts.

    Raises:
        OSError: The process is gone.
        KeyError: The process is a zombie.
    """
    status = _fields(pid, "status")
    found = resident(pid)
    found["peak_rss_bytes"] = max(status["VmHWM"] * _KIB, found["rss_bytes"])
    found["threads"] = status["Threads"]
    found["cpus"] = sorted(os.sched_getaffinity(pid))
    found["cpu_time_ns"] = cpu_time_ns(pid)
    found["voluntary_switches"], found["involuntary_switches"] = _switches(pid)
    return found


def cpu_time_ns(pid: int) -> int:
    """Return the processor time of all threads of a process, those that ended included.

    Source: linux/include/linux/posix-timers_types.h: a process's clock is `~pid << 3 | CPUCLOCK_SCHED` (2).

    Raises:
        OSError: The process is gone.
    """
    return time.clock_gettime_ns((~pid) << 3 | 2)


def _switches(pid: int) -> tuple:
    voluntary = involuntary = 0
    for task in os.listdir("/proc/{}/task".format(pid)):
        try:
            fields = _fields("{}/task/{}".format(pid, task), "status")
        except OSError:  # the thread ended meanwhile
            continue
        voluntary += fields["voluntary_ctxt_switches"]
        involuntary += fields["nonvoluntary_ctxt_switches"]
    return voluntary, involuntary


def _fields(pid: object, name: str) -> dict:
    found = {}
    with open("/proc/{}/{}".format(pid, name)) as file:
        for line in file:
            key, _, rest = line.partition(":")
            first = rest.split()[:1]
            if first and first[0].isdigit():
                found[key] = int(first[0])
    return found
