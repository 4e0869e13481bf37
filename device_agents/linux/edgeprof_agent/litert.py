"""LiteRT through the C API of `libLiteRt.so`, by ctypes: no numpy, no pybind, any Python.

Source: google-ai-edge/LiteRT, litert/c/{litert_common,litert_environment,litert_model,litert_model_types,litert_layout,litert_options,
litert_opaque_options,litert_compiled_model,litert_tensor_buffer}.h (Apache-2.0); tried on libLiteRt.so of ai-edge-litert 2.2.0 and 2.3.0.
"""

from __future__ import annotations

import ctypes
import os

from edgeprof_agent.faults import Fault

# The C ABI changed before this (FACTS of the field: 2.1.x takes other arguments): older ones are refused.
_OLDEST = (2, 2)
_NEWER_UNTRIED = (3, 0)
_CPU = 1
_LOCK_READ, _LOCK_WRITE = 0, 1
_MOST_DIMENSIONS = 8
_PER_TENSOR = 1

# LiteRtElementType -> numpy's name and bytes an element.
_DTYPES = {
    1: ("float32", 4), 2: ("int32", 4), 3: ("uint8", 1), 4: ("int64", 8), 6: ("bool", 1), 7: ("int16", 2),
    9: ("int8", 1), 10: ("float16", 2), 11: ("float64", 8), 13: ("uint64", 8), 16: ("uint32", 4), 17: ("uint16", 2),
}  # fmt: skip

_NEEDED = (
    "LiteRtCreateEnvironment", "LiteRtCreateModelFromFile", "LiteRtCreateOptions",
    "LiteRtSetOptionsHardwareAccelerators", "LiteRtCreateOpaqueOptions", "LiteRtAddOpaqueOptions",
    "LiteRtCreateCompiledModel", "LiteRtDestroyCompiledModel", "LiteRtRunCompiledModel", "LiteRtGetModelSubgraph",
    "LiteRtGetCompiledModelInputBufferRequirements", "LiteRtGetCompiledModelOutputBufferRequirements",
    "LiteRtCreateManagedTensorBufferFromRequirements", "LiteRtLockTensorBuffer", "LiteRtUnlockTensorBuffer",
)  # fmt: skip


class _TensorType(ctypes.Structure):
    """`LiteRtRankedTensorType`: 72 bytes; rank is the low seven bits of its word."""

    _fields_ = [
        ("element_type", ctypes.c_int),
        ("rank", ctypes.c_uint32),
        ("dimensions", ctypes.c_int32 * _MOST_DIMENSIONS),
        ("strides", ctypes.c_uint32 * _MOST_DIMENSIONS),
    ]


class _Quantization(ctypes.Structure):
    """`LiteRtQuantizationPerTensor`."""

    _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int64)]


class LiteRt:
    """The library, loaded and checked."""

    def __init__(self, folder: str, about: dict) -> None:
        version = tuple(int(part) for part in about["version"].split(".")[:2])
        if not _OLDEST <= version < _NEWER_UNTRIED:
            raise Fault("runtime_failed", "LiteRT %s: only 2.2 to 2.x has the C interface we know" % about["version"])
        self.library = os.path.join(folder, about["library"])
        try:
            self.c = ctypes.CDLL(self.library)
        except OSError as exc:
            raise Fault("runtime_failed", str(exc)) from exc
        missing = [name for name in _NEEDED if not hasattr(self.c, name)]
        if missing:
            raise Fault("runtime_failed", "libLiteRt.so has no %s: another version than it says?" % missing[0])
        self.environment = _handle(self.c.LiteRtCreateEnvironment, "environment", 0, None)

    def load(self, path: str, threads: int) -> LiteRtModel:
        """Open a model file, without compiling it.

        Raises:
            Fault: `model_refused`.
        """
        name = ctypes.c_char_p(os.fsencode(path))
        model = _handle(self.c.LiteRtCreateModelFromFile, "model_refused", self.environment, name)
        return LiteRtModel(self, model, threads)


class LiteRtModel:
    """A model: opened, then compiled by `allocate`, then run."""

    def __init__(self, runtime: LiteRt, model: ctypes.c_void_p, threads: int) -> None:
        self._runtime = runtime
        self._c = runtime.c
        self._model = model
        self._threads = threads
        self._compiled = ctypes.c_void_p()
        subgraph = _handle(self._c.LiteRtGetModelSubgraph, "model_refused", model, ctypes.c_size_t(0))
        self._types = {}
        self.inputs = self._tensors(subgraph, "Input")
        self.outputs = self._tensors(subgraph, "Output")

    def allocate(self) -> None:
        """Compile for the CPU and make the buffers.

        Raises:
            Fault: `model_refused`.
        """
        self._compiled = self._compile()
        self._input_buffers = self._buffers("Input", len(self.inputs))
        self._output_buffers = self._buffers("Output", len(self.outputs))
        self._prepare_call()

    def reset(self) -> None:
        """Give the model its initial state: no call does that, so it is compiled afresh."""
        self._c.LiteRtDestroyCompiledModel(self._compiled)
        self._compiled = self._compile()
        self._prepare_call()

    def set_inputs(self, data: memoryview) -> None:
        """Fill the inputs from one sample's bytes."""
        start = 0
        for buffer, size in zip(self._input_buffers, self.input_sizes()):
            address = self._lock(buffer, _LOCK_WRITE)
            ctypes.memmove(address, bytes(data[start : start + size]), size)
            self._c.LiteRtUnlockTensorBuffer(ctypes.c_void_p(buffer))
            start += size

    def get_outputs(self) -> bytes:
        """Return the outputs' bytes, in order."""
        parts = []
        for buffer, size in zip(self._output_buffers, self.output_sizes()):
            parts.append(ctypes.string_at(self._lock(buffer, _LOCK_READ), size))
            self._c.LiteRtUnlockTensorBuffer(ctypes.c_void_p(buffer))
        return b"".join(parts)

    def input_sizes(self) -> list:
        """Return each input's bytes."""
        return [_size(tensor) for tensor in self.inputs]

    def output_sizes(self) -> list:
        """Return each output's bytes."""
        return [_size(tensor) for tensor in self.outputs]

    def bare_call(self) -> tuple:
        """Return the function that runs the model and its arguments; it returns 0."""
        return self._run, self._arguments

    def empty_call(self) -> tuple:
        """Return a function of the same library, called in the same way, that does nothing."""
        count = ctypes.c_size_t()
        return self._c.LiteRtGetNumModelSignatures, (self._model, ctypes.byref(count))

    def delegate(self, noise: str) -> str:
        """Return what computes, read from what the library printed."""
        return "xnnpack" if "XNNPACK delegate" in noise else "none"

    def _compile(self) -> ctypes.c_void_p:
        options = _handle(self._c.LiteRtCreateOptions, "internal")
        _check(self._c.LiteRtSetOptionsHardwareAccelerators(options, ctypes.c_int(_CPU)), "internal", "accelerator")
        _check(self._c.LiteRtAddOpaqueOptions(options, self._cpu_options()), "internal", "options")
        compiled = _handle(
            self._c.LiteRtCreateCompiledModel, "model_refused", self._runtime.environment, self._model, options
        )
        self._c.LiteRtDestroyOptions(options)
        return compiled

    def _cpu_options(self) -> ctypes.c_void_p:
        libc = ctypes.CDLL(None)
        libc.strdup.restype = ctypes.c_void_p
        payload = ctypes.c_void_p(libc.strdup(b"num_threads = %d\n" % self._threads))
        return _handle(
            self._c.LiteRtCreateOpaqueOptions, "internal", ctypes.c_char_p(b"xnnpack"), payload,
            ctypes.cast(libc.free, ctypes.c_void_p),
        )  # fmt: skip

    def _tensors(self, subgraph: ctypes.c_void_p, kind: str) -> list:
        count = ctypes.c_size_t()
        getattr(self._c, "LiteRtGetNumSubgraph%ss" % kind)(subgraph, ctypes.byref(count))
        get = getattr(self._c, "LiteRtGetSubgraph%s" % kind)
        tensors = [_handle(get, "model_refused", subgraph, ctypes.c_size_t(i)) for i in range(count.value)]
        return [self._describe(kind, index, tensor) for index, tensor in enumerate(tensors)]

    def _describe(self, kind: str, index: int, tensor: ctypes.c_void_p) -> dict:
        name, scheme = ctypes.c_char_p(), ctypes.c_int()
        self._c.LiteRtGetTensorName(tensor, ctypes.byref(name))
        kept = _TensorType()
        if self._c.LiteRtGetRankedTensorType(tensor, ctypes.byref(kept)) != 0:
            raise Fault("model_refused", "an %s has no fixed rank" % kind.lower())
        if kept.element_type not in _DTYPES:
            raise Fault("model_refused", "%s %d has the type %d" % (kind.lower(), index, kept.element_type))
        rank = kept.rank & 0x7F
        for axis in range(rank):
            kept.dimensions[axis] = max(1, kept.dimensions[axis])
        self._types[kind, index] = kept
        described = {"name": (name.value or b"").decode(errors="replace"), "shape": list(kept.dimensions[:rank]),
                     "dtype": _DTYPES[kept.element_type][0], "scale": None, "zero_point": None}  # fmt: skip
        self._c.LiteRtGetQuantizationTypeId(tensor, ctypes.byref(scheme))
        if scheme.value == _PER_TENSOR:
            values = _Quantization()
            self._c.LiteRtGetPerTensorQuantization(tensor, ctypes.byref(values))
            described.update(scale=values.scale, zero_point=values.zero_point)
        return described

    def _buffers(self, kind: str, count: int) -> ctypes.Array:
        get = getattr(self._c, "LiteRtGetCompiledModel%sBufferRequirements" % kind)
        made = []
        for index in range(count):
            needs = _handle(get, "model_refused", self._compiled, ctypes.c_size_t(0), ctypes.c_size_t(index))
            buffer = _handle(
                self._c.LiteRtCreateManagedTensorBufferFromRequirements, "model_refused", self._runtime.environment,
                ctypes.byref(self._types[kind, index]), needs,
            )  # fmt: skip
            made.append(buffer)
        return (ctypes.c_void_p * max(1, count))(*made)

    def _prepare_call(self) -> None:
        self._run = self._c.LiteRtRunCompiledModel
        self._run.restype = ctypes.c_int
        ins, outs = len(self.inputs), len(self.outputs)
        # Made once: converting arguments at every call would be timed with it.
        self._arguments = (
            self._compiled, ctypes.c_size_t(0), ctypes.c_size_t(ins), self._input_buffers, ctypes.c_size_t(outs),
            self._output_buffers,
        )  # fmt: skip

    def _lock(self, buffer: int, mode: int) -> int:
        address = ctypes.c_void_p()
        status = self._c.LiteRtLockTensorBuffer(ctypes.c_void_p(buffer), ctypes.byref(address), ctypes.c_int(mode))
        _check(status, "invoke_failed", "lock a buffer")
        return address.value or 0


def _handle(function: object, code: str, *arguments: object) -> ctypes.c_void_p:
    """Call a function whose last argument receives a handle."""
    made = ctypes.c_void_p()
    status = function(*arguments, ctypes.byref(made))
    _check(status, code, getattr(function, "__name__", "call"))
    return made


def _check(status: int, code: str, what: str) -> None:
    if status != 0:
        raise Fault(code if code != "environment" else "runtime_failed", "LiteRT refused (%s, status %d)" % (what, status))


def _size(tensor: dict) -> int:
    elements = 1
    for length in tensor["shape"]:
        elements *= length
    return elements * next(size for name, size in _DTYPES.values() if name == tensor["dtype"])
