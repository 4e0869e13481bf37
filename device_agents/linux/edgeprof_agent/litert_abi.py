"""The part of LiteRT's C interface that the agent uses: structures, symbols, versions.

Source: google-ai-edge/LiteRT, litert/c/litert_model_types.h (01d971c: sizes are asserted there), litert_model.h,
litert_compiled_model.h (eb6d71f), litert_tensor_buffer.h (0136cf2), litert_opaque_options.h (09c849e), litert_common.h
(068d4da); argument lists were checked against the machine code of ai-edge-litert 2.3.0 (`LiteRtCreateModelFromFile`
takes the environment first, `LiteRtCreateTensorBufferFromHostMemory` takes none). Before 2.2 they differ.
"""

from __future__ import annotations

import ctypes

from edgeprof_agent.errors import AgentError

OLDEST, NEWEST_MAJOR = (2, 2), 2
ALIGNMENT_BYTES = 64  # LITERT_HOST_MEMORY_BUFFER_ALIGNMENT
HARDWARE_CPU = 1  # kLiteRtHwAcceleratorCpu
PER_TENSOR = 1  # kLiteRtQuantizationPerTensor
_MAX_RANK = 8
_RANK_BITS = 0x7F  # seven bits of rank, one of "has strides"

# LiteRtElementType: name, bits.
ELEMENTS = {
    1: ("float32", 32),
    2: ("int32", 32),
    3: ("uint8", 8),
    4: ("int64", 64),
    6: ("bool", 8),
    7: ("int16", 16),
    8: ("complex64", 64),
    9: ("int8", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    13: ("uint64", 64),
    16: ("uint32", 32),
    17: ("uint16", 16),
    18: ("int4", 4),
    19: ("bfloat16", 16),
}

STATUS = {
    1: "invalid argument",
    2: "memory allocation failure",
    3: "runtime failure",
    4: "missing input tensor",
    5: "unsupported",
    6: "not found",
    500: "file I/O error",
    501: "invalid flatbuffer",
    502: "dynamic loading failed",
    504: "compilation failed",
    1000: "index out of bounds",
    4000: "unsupported runtime version",
}

# Operators that may keep something from one run to the next (schema.fbs, BuiltinOperator): LSTM, RNN, SVDF, CUSTOM,
# UNIDIRECTIONAL_SEQUENCE_RNN, _LSTM, BIDIRECTIONAL_SEQUENCE_RNN, _LSTM, CALL_ONCE, RANDOM_UNIFORM, HASHTABLE to
# HASHTABLE_SIZE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, RANDOM_STANDARD_NORMAL, MULTINOMIAL.
STATEFUL = frozenset((16, 24, 27, 32, 35, 44, 46, 52, 129, 136, 137, 138, 139, 142, 143, 144, 146, 148, 149))

_SYMBOLS = (
    "CreateEnvironment", "CreateModelFromFile", "GetNumModelSignatures", "GetModelSignature",
    "GetSignatureSubgraph", "GetNumModelSubgraphs", "GetModelSubgraph", "GetNumSubgraphInputs",
    "GetNumSubgraphOutputs", "GetSubgraphInput", "GetSubgraphOutput", "GetNumSubgraphOps", "GetSubgraphOp",
    "GetOpCode", "GetNumSignatureInputs", "GetNumSignatureOutputs", "GetSignatureInputTensorByIndex",
    "GetSignatureOutputTensorByIndex", "GetTensorName", "GetRankedTensorType", "GetQuantizationTypeId",
    "GetPerTensorQuantization", "CreateOptions", "SetOptionsHardwareAccelerators", "CreateOpaqueOptions",
    "AddOpaqueOptions", "CreateCompiledModel", "DestroyCompiledModel", "RunCompiledModel",
    "CompiledModelResizeInputTensor", "GetCompiledModelOutputTensorLayouts",
    "GetCompiledModelInputBufferRequirements", "GetCompiledModelOutputBufferRequirements",
    "GetTensorBufferRequirementsBufferSize", "CreateTensorBufferFromHostMemory",
)  # fmt: skip


class Layout(ctypes.Structure):
    """`LiteRtLayout`, 68 bytes."""

    _fields_ = [
        ("bits", ctypes.c_uint32),
        ("dimensions", ctypes.c_int32 * _MAX_RANK),
        ("strides", ctypes.c_uint32 * _MAX_RANK),
    ]

    def shape(self) -> list:
        """Return the dimensions; unknown ones are negative."""
        return list(self.dimensions[: self.bits & _RANK_BITS])


class TensorType(ctypes.Structure):
    """`LiteRtRankedTensorType`, 72 bytes."""

    _fields_ = [("element", ctypes.c_int), ("layout", Layout)]

    def fix(self, shape: list) -> None:
        """Give it a shape without unknown dimensions and without strides."""
        self.layout.bits = len(shape)
        self.layout.dimensions[: len(shape)] = shape


class PerTensor(ctypes.Structure):
    """`LiteRtQuantizationPerTensor`, 16 bytes."""

    _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int64)]


def load(path: str, version: str) -> ctypes.CDLL:
    """Load the library, once version and symbols are known to fit these declarations.

    Raises:
        AgentError: `runtime_failed`, with the loader's words.
    """
    _check_version(version)
    try:
        library = ctypes.CDLL(path)
    except OSError as exc:
        raise AgentError("runtime_failed", str(exc)) from exc
    missing = ["LiteRt" + name for name in _SYMBOLS if not hasattr(library, "LiteRt" + name)]
    if missing or ctypes.sizeof(TensorType) != 72:
        raise AgentError("runtime_failed", "{} lacks {}".format(path, ", ".join(missing) or "a 64-bit layout"))
    return library


def _check_version(version: str) -> None:
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        raise AgentError("runtime_failed", "runtime.json: `version` is {!r}".format(version)) from None
    if (major, minor) < OLDEST or major > NEWEST_MAJOR:
        raise AgentError("runtime_failed", "LiteRT {}: this agent knows the C interface of 2.2 to 2.x".format(version))
