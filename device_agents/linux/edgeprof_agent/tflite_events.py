"""tflite-runtime with a profiler of our own: a C++ object made by hand, for the library has no C call for it.

Source: tensorflow v2.14.0, tensorflow/lite/core/api/profiler.h (the class and the order of its methods),
core/interpreter.h (`AddProfiler`); Itanium C++ ABI, section 2.5 "Virtual Table Layout".
"""

from __future__ import annotations

import ctypes
import time

from edgeprof_agent.errors import AgentError
from edgeprof_agent.events import KINDS, Event
from edgeprof_agent.tflite import TfLite

_ADD_PROFILER = "_ZN6tflite4impl11Interpreter11AddProfilerEPNS_8ProfilerE"
_CLASS = "N6tflite9profiling12RootProfiler"
_NS_PER_US = 1000
_POINTER, _TEXT, _KIND, _HANDLE, _LONG = (
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_int64,
)  # fmt: skip
# The virtual methods of tflite::Profiler in their order, as the library's own implementation of it is mangled
# (`l` and `m` are 64-bit integers on 64-bit machines, `x` and `y` on 32-bit ones), and their types.
_METHODS = (
    ("D1Ev", None, ()),
    ("D0Ev", None, ()),
    ("10BeginEventEPKcNS_8Profiler9EventTypeEll", _HANDLE, (_TEXT, _KIND, _LONG, _LONG)),
    ("8EndEventEjll", None, (_HANDLE, _LONG, _LONG)),
    ("8EndEventEj", None, (_HANDLE,)),
    ("8AddEventEPKcNS_8Profiler9EventTypeEmll", None, (_TEXT, _KIND, ctypes.c_uint64, _LONG, _LONG)),
    ("16AddEventWithDataEPKcNS_8Profiler9EventTypeEPKv", None, (_TEXT, _KIND, _POINTER)),
)


class ProfiledTfLite(TfLite):
    """A model in tflite-runtime whose runs can be looked into; every operator costs two calls into Python more."""

    def load(self, path: str) -> None:
        """Open a model file and attach the profiler: XNNPACK looks for one when it is given its part of the graph.

        Raises:
            AgentError: `model_refused`, with the runtime's words; `no_profiler`.
        """
        super().load(path)
        from tflite_runtime import _pywrap_tensorflow_interpreter_wrapper as native

        try:
            library = ctypes.CDLL(native.__file__)
            add = getattr(library, _ADD_PROFILER)
            handle = self._interpreter._native_handle()
        except (OSError, AttributeError) as exc:
            raise AgentError("no_profiler", "tflite-runtime {}: {}".format(self.version, exc)) from exc
        _check_class(library, self.version)
        self._recorder = Recorder()
        add.restype, add.argtypes = None, (_POINTER, _POINTER)
        add(handle, self._recorder.address)

    def begin_events(self) -> None:
        """Forget what was recorded."""
        self._recorder.clear()

    def events(self) -> list:
        """Return the `Event`s of the main graph in the order in which they ran."""
        return self._recorder.events()


class Recorder:
    """A `tflite::Profiler` in memory of ours; the interpreter calls it and never frees it.

    Attributes:
        address: Where the object is.
    """

    def __init__(self) -> None:
        calls = (_nothing, _nothing, self._begin, _nothing, self._end, self._add, _nothing)
        self._calls = [
            ctypes.CFUNCTYPE(result, _POINTER, *types)(call)
            for call, (_, result, types) in zip(calls, _METHODS)  # noqa: B905 - `strict` came with Python 3.10
        ]
        # Offset to top and type information stand before the methods; nobody asks for them.
        self._table = (_POINTER * (2 + len(calls)))(None, None, *[ctypes.cast(call, _POINTER) for call in self._calls])
        self._object = _POINTER(ctypes.addressof(self._table) + 2 * ctypes.sizeof(_POINTER))
        self.address = ctypes.addressof(self._object)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._tags, self._starts, self._ends = [], [], []

    def events(self) -> list:
        """Return what was recorded of nodes and kernels in the main graph."""
        return [
            Event(KINDS[kind], tag, index, end - start, resolution)
            for (tag, kind, index, graph, resolution), start, end in zip(self._tags, self._starts, self._ends)  # noqa: B905
            if kind in KINDS and graph == 0
        ]

    # A tag lives only as long as the call: `c_char_p` hands a copy over. The clock is read last at the beginning and
    # first at the end, so that of what these calls cost as little as can be lies inside an event.

    def _begin(self, _this: int, tag: bytes, kind: int, index: int, graph: int) -> int:
        self._tags.append((tag, kind, index, graph, 1))
        self._ends.append(0)
        self._starts.append(time.perf_counter_ns())
        return len(self._tags)

    def _end(self, _this: int, handle: int) -> None:
        now_ns = time.perf_counter_ns()
        if 0 < handle <= len(self._ends):
            self._ends[handle - 1] = now_ns

    def _add(self, _this: int, tag: bytes, kind: int, amount: int, index: int, graph: int) -> None:
        self._tags.append((tag, kind, index, graph, _NS_PER_US))
        self._starts.append(0)
        self._ends.append(amount * _NS_PER_US)


def _nothing(*_args: object) -> None:
    pass


def _check_class(library: ctypes.CDLL, version: str) -> None:
    """Hold the order of the methods against the table of the library's own class.

    Raises:
        AgentError: `no_profiler`: it is another, or not to be seen.
    """
    try:
        table = (_POINTER * (2 + len(_METHODS))).in_dll(library, "_ZTV" + _CLASS + "E")
        found = [ctypes.cast(_symbol(library, name), _POINTER).value for name, _, _ in _METHODS]
    except (ValueError, AttributeError) as exc:
        raise AgentError("no_profiler", "tflite-runtime {}: {}".format(version, exc)) from exc
    if list(table)[2:] != found:
        raise AgentError("no_profiler", "tflite-runtime {}: its profilers have other methods".format(version))


def _symbol(library: ctypes.CDLL, name: str) -> object:
    name = "_Z" + _CLASS + name
    if ctypes.sizeof(_POINTER) == 4 and name.endswith("ll"):
        name = name[:-2].replace("EventTypeEm", "EventTypeEy") + "xx"
    return getattr(library, name)
