"""LiteRT through `ctypes` on its C interface: XNNPACK on the CPU, buffers of our own in host memory."""

# ruff: noqa: B905 - `zip(strict=)` came with Python 3.10
from __future__ import annotations

import ctypes
import os
from functools import reduce

from edgeprof_agent import litert_abi as abi
from edgeprof_agent.errors import AgentError
from edgeprof_agent.stderr import raw_since, words_since
from edgeprof_agent.timing import empty_call_ns

_SIGNATURE = ctypes.c_size_t(0)
_XNNPACK_LINE = "Created TensorFlow Lite XNNPACK delegate"
_SLACK_BYTES = 128  # XNNPACK reads up to 16 bytes past a tensor's end


class Tensor:
    """An input or output and its memory.

    Attributes:
        spec: What the protocol says of it.
        size: Bytes of its values.
        address: Where they are, 64-byte aligned.
        handle: The runtime's buffer over them.
    """

    def __init__(self, spec: dict, kind: abi.TensorType, size: int, room: int) -> None:
        self.spec = spec
        self.size = size
        room = max(size, room)
        self._memory = ctypes.create_string_buffer(room + abi.ALIGNMENT_BYTES + _SLACK_BYTES)
        self.address = -(-ctypes.addressof(self._memory) // abi.ALIGNMENT_BYTES) * abi.ALIGNMENT_BYTES
        self.kind = kind
        self.room = room
        self.handle = ctypes.c_void_p()


class LiteRt:
    """One model in LiteRT. Stages in order: the constructor loads the library, then `load`, then `allocate`.

    Attributes:
        delegate: `xnnpack` where the library said that it made one for this model, else `none`.
        inputs: Tensors in the order of the model's main graph, as `Interpreter` has them.
        outputs: Likewise.
        invoke: The bare call; 0 on success.
        args: Its arguments.
    """

    def __init__(self, folder: str, about: dict, threads: int) -> None:
        self.version = about["version"]
        self._lib = abi.load(os.path.join(folder, about["library"]), self.version)
        self._threads = threads
        self._env = ctypes.c_void_p()
        self._check("runtime_failed", "CreateEnvironment", ctypes.c_int(0), None, ctypes.byref(self._env))

    def load(self, path: str) -> None:
        """Open a model file.

        Raises:
            AgentError: `model_refused`, with the runtime's words.
        """
        self._model = self._made("CreateModelFromFile", self._env, os.fsencode(path))
        if not self._count("GetNumModelSignatures", self._model):
            raise AgentError("model_refused", "the runtime finds no graph in the model")
        signature = self._made("GetModelSignature", self._model, _SIGNATURE)
        graph = self._made("GetSignatureSubgraph", signature)
        self._in_order, in_graph = self._ordered("Input", signature, graph)
        self._out_order, out_graph = self._ordered("Output", signature, graph)
        self._in_kinds = [self._kind(tensor) for tensor in in_graph]
        self._out_kinds = [self._kind(tensor) for tensor in out_graph]
        self._in_specs = [self._spec(tensor) for tensor in in_graph]
        self._out_specs = [self._spec(tensor) for tensor in out_graph]
        self._stateful = self._finds_state()
        self._options = self._made_options()

    def allocate(self) -> None:
        """Compile the model and give it its buffers.

        Raises:
            AgentError: `model_refused`, with the runtime's words.
        """
        mark = words_since(None)
        self._compile()
        self.delegate = "xnnpack" if _XNNPACK_LINE in raw_since(mark) else "none"
        self.inputs = self._tensors("Input", self._in_kinds, self._in_specs, self._in_order)
        shapes = self._output_shapes()
        for kind, place in zip(self._out_kinds, self._out_order):
            kind.fix(shapes[place])
        self.outputs = self._tensors("Output", self._out_kinds, self._out_specs, self._out_order)
        self._bind()
        self._mark = words_since(None)

    def fill(self, sample: bytes) -> None:
        """Copy a sample, the inputs' bytes one after another, into the inputs."""
        at = 0
        for tensor in self.inputs:
            ctypes.memmove(tensor.address, sample[at : at + tensor.size], tensor.size)
            at += tensor.size

    def read(self) -> bytes:
        """Return the outputs' bytes, one after another."""
        return b"".join(ctypes.string_at(tensor.address, tensor.size) for tensor in self.outputs)

    def reset(self) -> None:
        """Forget all state: LiteRT offers no call for it, so a model that may have any is compiled afresh.

        Raises:
            AgentError: `model_refused`.
        """
        if self._stateful:
            self._lib.LiteRtDestroyCompiledModel(self._compiled)
            self._compile()
            self._bind()

    def failure(self, status: int) -> str:
        """Return what the runtime said of a run that returned `status`."""
        return "the run failed: {}: {}".format(_status(status), words_since(self._mark) or "no reason given")

    def empty_call_ns(self) -> int:
        """Return the cost of timing a C call of as many arguments that does nothing."""
        return empty_call_ns()

    def _compile(self) -> None:
        self._compiled = self._made("CreateCompiledModel", self._env, self._model, self._options)
        for place, kind in zip(self._in_order, self._in_kinds):
            shape = kind.layout.shape()
            if min(shape, default=1) < 0:
                fixed = [1 if size < 0 else size for size in shape]
                dims = (ctypes.c_int * len(fixed))(*fixed)
                where = (self._compiled, _SIGNATURE, ctypes.c_size_t(place), dims, ctypes.c_size_t(len(fixed)))
                self._check("model_refused", "CompiledModelResizeInputTensor", *where)

    def _bind(self) -> None:
        ins, outs = self._handles(self.inputs, self._in_order), self._handles(self.outputs, self._out_order)
        self.invoke = self._lib.LiteRtRunCompiledModel
        self.args = (self._compiled, _SIGNATURE, ctypes.c_size_t(len(ins)), ins, ctypes.c_size_t(len(outs)), outs)

    def _handles(self, tensors: list, order: list) -> object:
        array = (ctypes.c_void_p * len(tensors))()
        for tensor, place in zip(tensors, order):
            array[place] = tensor.handle.value
        return array

    def _made_options(self) -> ctypes.c_void_p:
        options = self._made("CreateOptions")
        self._check("runtime_failed", "SetOptionsHardwareAccelerators", options, ctypes.c_int(abi.HARDWARE_CPU))
        self._add_option(options, b"xnnpack", "num_threads = {}\n".format(self._threads).encode())
        return options

    def _add_option(self, options: ctypes.c_void_p, name: bytes, payload: bytes) -> None:
        libc, extra = ctypes.CDLL(None), ctypes.c_void_p()
        libc.strdup.restype = ctypes.c_void_p
        text, free = ctypes.c_void_p(libc.strdup(payload)), ctypes.cast(libc.free, ctypes.c_void_p)
        self._check("runtime_failed", "CreateOpaqueOptions", name, text, free, ctypes.byref(extra))
        self._check("runtime_failed", "AddOpaqueOptions", options, extra)

    def _ordered(self, side: str, signature: ctypes.c_void_p, graph: ctypes.c_void_p) -> tuple:
        """Return, for each tensor of the graph in its order, its place in the signature; and the tensors."""
        named = [
            self._made("GetSignature{}TensorByIndex".format(side), signature, ctypes.c_size_t(i))
            for i in range(self._count("GetNumSignature{}s".format(side), signature))
        ]
        plain = [
            self._made("GetSubgraph{}".format(side), graph, ctypes.c_size_t(i))
            for i in range(self._count("GetNumSubgraph{}s".format(side), graph))
        ]
        places = {tensor.value: place for place, tensor in enumerate(named)}
        if sorted(places) != sorted(tensor.value for tensor in plain):
            return list(range(len(named))), named  # a signature over a part of the graph, or one tensor twice
        return [places[tensor.value] for tensor in plain], plain

    def _kind(self, tensor: ctypes.c_void_p) -> abi.TensorType:
        kind = abi.TensorType()
        self._check("model_refused", "GetRankedTensorType", tensor, ctypes.byref(kind))
        if kind.element not in abi.ELEMENTS:
            raise AgentError("model_refused", "an input or output has element type {}".format(kind.element))
        return kind

    def _spec(self, tensor: ctypes.c_void_p) -> dict:
        name, how, found = ctypes.c_char_p(), ctypes.c_int(), abi.PerTensor()
        self._check("model_refused", "GetTensorName", tensor, ctypes.byref(name))
        self._check("model_refused", "GetQuantizationTypeId", tensor, ctypes.byref(how))
        spec = {"name": (name.value or b"").decode(errors="replace"), "scale": None, "zero_point": None}
        if how.value == abi.PER_TENSOR:
            self._check("model_refused", "GetPerTensorQuantization", tensor, ctypes.byref(found))
            spec.update(scale=found.scale, zero_point=found.zero_point)
        return spec

    def _tensors(self, side: str, kinds: list, specs: list, order: list) -> list:
        tensors = []
        for kind, spec, place in zip(kinds, specs, order):
            fixed = abi.TensorType.from_buffer_copy(kind)
            shape = [1 if size < 0 else size for size in kind.layout.shape()]
            fixed.fix(shape)
            name, bits = abi.ELEMENTS[kind.element]
            size = (reduce(lambda a, b: a * b, shape, 1) * bits + 7) // 8
            spec.update(shape=shape, dtype=name)
            tensors.append(self._buffer(Tensor(spec, fixed, size, self._room(side, place))))
        return tensors

    def _buffer(self, tensor: Tensor) -> Tensor:
        where = (ctypes.c_void_p(tensor.address), ctypes.c_size_t(tensor.room), None, ctypes.byref(tensor.handle))
        self._check("model_refused", "CreateTensorBufferFromHostMemory", ctypes.byref(tensor.kind), *where)
        return tensor

    def _room(self, side: str, place: int) -> int:
        name = "GetCompiledModel{}BufferRequirements".format(side)
        wanted = self._made(name, self._compiled, _SIGNATURE, ctypes.c_size_t(place))
        return self._count("GetTensorBufferRequirementsBufferSize", wanted)

    def _output_shapes(self) -> list:
        layouts = (abi.Layout * max(1, len(self._out_order)))()
        count = ctypes.c_size_t(len(self._out_order))
        # True: allocate now. Else the first run does, and a model that cannot be prepared would fail only there.
        rest = (count, layouts, ctypes.c_bool(True))
        self._check("model_refused", "GetCompiledModelOutputTensorLayouts", self._compiled, _SIGNATURE, *rest)
        return [layout.shape() for layout in layouts]

    def _finds_state(self) -> bool:
        for number in range(self._count("GetNumModelSubgraphs", self._model)):
            graph = self._made("GetModelSubgraph", self._model, ctypes.c_size_t(number))
            for index in range(self._count("GetNumSubgraphOps", graph)):
                op, code = self._made("GetSubgraphOp", graph, ctypes.c_size_t(index)), ctypes.c_int()
                self._check("model_refused", "GetOpCode", op, ctypes.byref(code))
                if code.value in abi.STATEFUL:
                    return True
        return False

    def _made(self, name: str, *args: object) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._check("model_refused", name, *(args + (ctypes.byref(made),)))
        return made

    def _count(self, name: str, *args: object) -> int:
        count = ctypes.c_size_t()
        self._check("model_refused", name, *(args + (ctypes.byref(count),)))
        return count.value

    def _check(self, code: str, name: str, *args: object) -> None:
        mark = words_since(None)
        status = getattr(self._lib, "LiteRt" + name)(*args)
        if status:
            said = words_since(mark) or "no reason given"
            code = "child_out_of_memory" if status == 2 else code
            raise AgentError(code, "LiteRt{}: {}: {}".format(name, _status(status), said))


def _status(status: int) -> str:
    return abi.STATUS.get(status, "status {}".format(status))
