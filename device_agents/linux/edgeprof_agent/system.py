"""Calls to the kernel that the standard library does not offer, and limits of a child."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end now if that has happened already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def own_stdout() -> int:
    """Return a descriptor for the protocol and point descriptor 1 at standard error: native code writes there."""
    wire = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return wire


def cpu_ns() -> int:
    """Return what this process and the programs that it ran to their end have used of a core."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + int(1e9 * (ended.ru_utime + ended.ru_stime))


def limit(memory_limit_bytes: object) -> None:
    """Forbid core dumps; bound the process's private memory where a limit is given.

    `RLIMIT_DATA` counts private writable mappings (setrlimit(2), Linux 4.7); `RLIMIT_AS` would also count mapped
    libraries and thread stacks that are never touched.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))


def oom_kills() -> int:
    """Return how often the kernel's OOM killer has struck, in this cgroup and anywhere; 0 where it does not say."""
    total = 0
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
        except OSError:
            continue
    return total
