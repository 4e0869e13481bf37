"""What a process costs, from `/proc`."""

from __future__ import annotations

import os

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def status(pid: object) -> dict:
    """Return the fields of `/proc/PID/status` as text."""
    fields = {}
    with open("/proc/%s/status" % pid) as file:
        for line in file:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def resident(pid: object) -> dict:
    """Return resident memory in bytes, anonymous and file-backed apart.

    Source: Linux, Documentation/filesystems/proc.rst: RssAnon, RssFile, RssShmem (since 4.5).
    """
    fields = status(pid)
    return {
        "rss_bytes": _kib(fields, "VmRSS"),
        "anonymous_bytes": _kib(fields, "RssAnon"),
        "file_backed_bytes": _kib(fields, "RssFile") + _kib(fields, "RssShmem"),
    }


def snapshot(pid: int) -> dict:
    """Return the protocol's `snapshot` of a process."""
    fields = status(pid)
    result = resident(pid)
    result.update(
        peak_rss_bytes=_kib(fields, "VmHWM"),
        threads=int(fields.get("Threads", 0)),
        cpus=sorted(os.sched_getaffinity(pid)),
        cpu_time_ns=cpu_time_ns(pid),
        voluntary_switches=int(fields.get("voluntary_ctxt_switches", 0)),
        involuntary_switches=int(fields.get("nonvoluntary_ctxt_switches", 0)),
    )
    return result


def cpu_time_ns(pid: int) -> int:
    """Return user and system time of a process, all threads."""
    with open("/proc/%d/stat" % pid) as file:
        values = file.read().rpartition(")")[2].split()
    ticks = int(values[11]) + int(values[12])
    return ticks * 1000000000 // os.sysconf("SC_CLK_TCK")


def oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started; 0 where it does not say."""
    try:
        with open("/proc/vmstat") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def _kib(fields: dict, name: str) -> int:
    return int(fields.get(name, "0").split()[0]) * 1024
