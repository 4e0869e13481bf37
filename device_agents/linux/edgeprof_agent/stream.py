"""How fast the board's memory is: blocks are copied, or compared, which only reads, by the C library."""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
from array import array

from edgeprof_agent.errors import AgentError

# A block below this would time the calls, not the memory.
LEAST_BYTES = 1 << 18
MOST_BYTES = 1 << 30
MOST_ROUNDS = 1000
# A round moves at least so much: milliseconds, even where memory is fast.
_ROUND_BYTES = 1 << 25
_FILL_BYTES = 1 << 20


def stream(params: dict) -> tuple:
    """Move memory as a request asks: `how`, `size_bytes`, `threads`, `rounds`.

    Each thread has two blocks; together all of them are `size_bytes`. Copying reads one and writes the other,
    comparing reads both, so either way a call moves both.

    Returns:
        The duration of each round in nanoseconds, an `array('q')`, and the bytes that a round moves.

    Raises:
        AgentError: `child_out_of_memory`: there is no room for the blocks.
    """
    workers = params["threads"]
    length = max(LEAST_BYTES, params["size_bytes"] // workers) // 2
    calls = -(-_ROUND_BYTES // (2 * length * workers))
    call = _call(params["how"])
    try:
        pairs = [(_block(length), _block(length)) for _ in range(workers)]
    except (OSError, ValueError, MemoryError) as exc:
        raise AgentError("child_out_of_memory", "no room for {} bytes: {}".format(2 * length * workers, exc)) from None
    addresses = [tuple(ctypes.addressof(ctypes.c_char.from_buffer(block)) for block in pair) for pair in pairs]
    rounds = array("q", [_round(call, addresses, length, calls) for _ in range(params["rounds"] + 1)])
    return rounds[1:], 2 * length * workers * calls  # the first also brings blocks and threads to life


def _call(how: str) -> object:
    libc = ctypes.CDLL(None)
    call = libc.memcmp if how == "read" else libc.memcpy
    call.restype = ctypes.c_int if how == "read" else ctypes.c_void_p
    call.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    return call


def _block(length: int) -> mmap.mmap:
    """Return memory of its own, each page written: pages that nobody wrote are all the same one."""
    block = mmap.mmap(-1, length)
    filling = b"\x5a" * _FILL_BYTES
    for start in range(0, length, _FILL_BYTES):
        block[start : start + _FILL_BYTES] = filling[: min(_FILL_BYTES, length - start)]
    return block


def _round(call: object, addresses: list, length: int, calls: int) -> int:
    """Return how long all threads together take for so many calls each; `ctypes` lets them run at once.

    From the first one's start to the last one's end: who waits for them may itself have to wait for a core.
    """
    spans, barrier = [], threading.Barrier(len(addresses))

    def repeat(first: int, second: int) -> None:
        barrier.wait()
        start = time.perf_counter_ns()
        for _ in range(calls):
            call(first, second, length)
        spans.append((start, time.perf_counter_ns()))

    threads = [threading.Thread(target=repeat, args=pair) for pair in addresses[1:]]
    for thread in threads:
        thread.start()
    repeat(*addresses[0])
    for thread in threads:
        thread.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)
