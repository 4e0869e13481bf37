"""Taking files out of the kernel's page cache, and looking whether they are out."""

from __future__ import annotations

import ctypes
import mmap
import os


def evict(paths: list) -> dict:
    """Ask the kernel to drop files from its page cache, and count what stayed.

    Written data go to the disk first: a page that waits for that cannot be dropped. A page that some process has
    mapped stays, and so does all of a file system that lives in memory.

    Source: posix_fadvise(2), mincore(2); since Linux 5.2 `mincore` calls each page of a file present that the caller
    neither owns nor may write, so that such a file counts as not evicted.

    Returns:
        `files`, `bytes` (all of them), `cached_bytes` (before), `resident_bytes` (what stayed), `stayed` (the names
        of those files).

    Raises:
        OSError: A file cannot be opened, or this kernel tells nobody what is in its cache.
    """
    found = {"files": 0, "bytes": 0, "cached_bytes": 0, "resident_bytes": 0, "stayed": []}
    for path in paths:
        size = os.path.getsize(path)
        if not size:
            continue
        found["files"] += 1
        found["bytes"] += size
        found["cached_bytes"] += resident_bytes(path)
        _drop(path)
        left = resident_bytes(path)
        found["resident_bytes"] += left
        if left:
            found["stayed"].append(os.path.basename(path))
    return found


def files_below(folder: str) -> list:
    """Return every regular file below a folder, sorted."""
    found = []
    for base, _, names in os.walk(folder):
        found += [os.path.join(base, name) for name in names if os.path.isfile(os.path.join(base, name))]
    return sorted(found)


def resident_bytes(path: str) -> int:
    """Return how much of a file, not empty, is in the page cache, in whole pages.

    Raises:
        OSError: It cannot be opened, or `mincore` does not answer.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        pages = -(-len(mapped) // mmap.PAGESIZE)
        there = (ctypes.c_ubyte * pages)()
        first = ctypes.c_char.from_buffer(mapped)  # private memory: looking at its address reads nothing
        try:
            status = libc.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(len(mapped)), there)
        finally:
            del first
        if status:
            error = ctypes.get_errno()
            raise OSError(error, "mincore: {}".format(os.strerror(error)))
        return sum(page & 1 for page in there) * mmap.PAGESIZE


def _drop(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
