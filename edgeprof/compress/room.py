"""How many children this machine has room for: cores, and memory that nobody uses."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

# What a child that converts MobileNetV2 holds at most (measured, see docs/compression.md): what is reckoned with until
# the first recipe of a model tells that it takes more.
CHILD_BYTES = 1536 * 2**20
# Left to the rest of the system.
SPARE_BYTES = 512 * 2**20
_CONTROL_GROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_bytes() -> int:
    """Return how much memory can still be had, within the limit of the container where there is one."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no container, or `max`
        limit, used = (int((_CONTROL_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, max(0, limit - used))
    return free


def resident_bytes(pid: int) -> int:
    """Return what a process holds now; nothing once it has ended."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def fits(each_bytes: int, held_bytes: Sequence[int], free: int) -> bool:
    """Return whether there is room for one more child.

    Args:
        each_bytes: What a child takes at most.
        held_bytes: What each of those that run holds now: they may still grow to that.
        free: Memory that can still be had.
    """
    to_come = sum(max(0, each_bytes - held) for held in held_bytes)
    return free - to_come - each_bytes >= SPARE_BYTES
