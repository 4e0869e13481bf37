"""LiteRT with its profiler, through the C interface.

Source: google-ai-edge/LiteRT, litert/c/litert_profiler_event.h (7292615: the structure), litert_profiler.h,
litert/runtime/profiler.cc; tried with ai-edge-litert 2.3.0.
"""

from __future__ import annotations

import ctypes

from edgeprof_agent.errors import AgentError
from edgeprof_agent.events import KINDS, Event
from edgeprof_agent.litert import LiteRt

_SYMBOLS = (
    "CompiledModelGetProfiler", "StartProfiler", "StopProfiler", "GetNumProfilerEvents", "GetProfilerEvents",
)  # fmt: skip
_OPTION, _PAYLOAD = b"runtime_options_string", b"enable_profiling = true\n"
_NS_PER_US = 1000
_TYPES = frozenset(1 << bit for bit in range(9))
_LONGEST_US = 1 << 40  # also above 2^32, the mark of events that carry a status instead of a duration
_SOURCES = 3


class _Event(ctypes.Structure):
    """`ProfiledEventData`, 104 bytes."""

    _fields_ = [
        ("tag", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("index", ctypes.c_int64),
        ("graph", ctypes.c_int64),
        ("source", ctypes.c_int),
    ]

    def is_sound(self) -> bool:
        """Return whether every field holds what it may: another layout would show here before a pointer is followed."""
        numbers = self.type in _TYPES and self.elapsed_us < _LONGEST_US and -1 <= self.index < _LONGEST_US
        return bool(self.tag) and numbers and 0 <= self.source < _SOURCES


class ProfiledLiteRt(LiteRt):
    """A model in LiteRT whose runs can be looked into; slower and larger than `LiteRt` (55 to 66 MB)."""

    def __init__(self, folder: str, about: dict, threads: int) -> None:
        super().__init__(folder, about, threads)
        missing = [name for name in _SYMBOLS if not hasattr(self._lib, "LiteRt" + name)]
        if missing or ctypes.sizeof(_Event) != 104:
            text = "LiteRT {} lacks {}".format(self.version, ", ".join(missing) or "a 64-bit layout")
            raise AgentError("no_profiler", text)

    def begin_events(self) -> None:
        """Forget what was recorded and record what comes."""
        self._profiler = self._made("CompiledModelGetProfiler", self._compiled)
        if not self._profiler:
            raise AgentError("no_profiler", "LiteRT {} gives no profiler for this model".format(self.version))
        self._check("no_profiler", "StartProfiler", self._profiler)

    def events(self) -> list:
        """Stop recording; return the `Event`s of the main graph in the order in which they ran.

        Raises:
            AgentError: `no_profiler`: what the library wrote is not what this agent knows.
        """
        self._check("no_profiler", "StopProfiler", self._profiler)
        count = ctypes.c_int()
        self._check("no_profiler", "GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        found = (_Event * max(1, count.value))()
        self._check("no_profiler", "GetProfilerEvents", self._profiler, count, found)
        if not all(event.is_sound() for event in found[: count.value]):
            raise AgentError("no_profiler", "LiteRT {} writes events of another layout".format(self.version))
        return [_event(event) for event in found[: count.value] if event.type in KINDS and event.graph == 0]

    def _made_options(self) -> ctypes.c_void_p:
        options = super()._made_options()
        self._add_option(options, _OPTION, _PAYLOAD)
        return options


def _event(event: _Event) -> Event:
    tag = ctypes.string_at(event.tag)
    return Event(KINDS[event.type], tag, event.index, event.elapsed_us * _NS_PER_US, _NS_PER_US)
