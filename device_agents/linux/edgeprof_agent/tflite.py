"""tflite-runtime: `Interpreter` from the runtime's folder, the bare `Invoke` of its native object in the loop."""

from __future__ import annotations

import sys

from edgeprof_agent.errors import AgentError
from edgeprof_agent.stderr import raw_since, words_since
from edgeprof_agent.timing import empty_call_ns

_XNNPACK_LINE = "Created TensorFlow Lite XNNPACK delegate"
_RESOURCES = ("VAR_HANDLE", "HASHTABLE", "CALL_ONCE")


class TfLite:
    """One model in tflite-runtime. Stages in order: the constructor imports, then `load`, then `allocate`.

    Attributes:
        delegate: `xnnpack` if a part of the graph was handed to it, `none` if not, `unknown` if it cannot be seen.
        inputs: One dictionary a tensor, in the model's order: `spec`, `size` (bytes), `index`, `dtype`, `shape`.
        outputs: Likewise.
        invoke: The bare call; raises on failure.
        args: Empty.
    """

    args = ()

    def __init__(self, folder: str, about: dict, threads: int) -> None:
        sys.path.insert(0, folder)
        try:
            import numpy as np
            import tflite_runtime
            from tflite_runtime.interpreter import Interpreter
        except (ImportError, OSError) as exc:
            raise AgentError("runtime_failed", "{}: {}".format(type(exc).__name__, exc)) from exc
        self.version = getattr(tflite_runtime, "__version__", about["version"])
        if self.version != about["version"]:
            text = "the library is tflite-runtime {}, runtime.json says {}".format(self.version, about["version"])
            raise AgentError("runtime_failed", text)
        self.delegate = "unknown"
        self._np, self._interpreter_class, self._threads = np, Interpreter, threads

    def load(self, path: str) -> None:
        """Open a model file.

        Raises:
            AgentError: `model_refused`, with the runtime's words.
        """
        self._path = path
        self._mark = words_since(None)
        try:
            self._interpreter = self._interpreter_class(model_path=path, num_threads=self._threads)
        except (ValueError, RuntimeError) as exc:
            raise _refused(exc) from exc

    def allocate(self) -> None:
        """Give the model its memory and apply the delegate.

        Raises:
            AgentError: `model_refused`, with the runtime's words.
        """
        try:
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise _refused(exc) from exc
        self.inputs = [self._tensor(item) for item in self._interpreter.get_input_details()]
        self.outputs = [self._tensor(item) for item in self._interpreter.get_output_details()]
        self.invoke = self._interpreter._interpreter.Invoke
        names = self._op_names()
        self._holds_resources = names is None or any(name in _RESOURCES for name in names)
        self.delegate = _delegate(names, raw_since(self._mark))

    def fill(self, sample: bytes) -> None:
        """Copy a sample, the inputs' bytes one after another, into the inputs."""
        at = 0
        for tensor in self.inputs:
            part = self._np.frombuffer(sample[at : at + tensor.size], dtype=tensor.dtype).reshape(tensor.shape)
            self._interpreter.set_tensor(tensor.index, part)
            at += tensor.size

    def read(self) -> bytes:
        """Return the outputs' bytes, one after another."""
        return b"".join(self._interpreter.get_tensor(tensor.index).tobytes() for tensor in self.outputs)

    def reset(self) -> None:
        """Forget all state. Resource variables survive `reset_all_variables`: such a model is opened afresh.

        Raises:
            AgentError: `model_refused`.
        """
        if self._holds_resources:
            self.load(self._path)
            self.allocate()
        else:
            self._interpreter.reset_all_variables()

    def failure(self, status: object) -> str:
        """Return what the runtime said of a failed run; it raises, so `status` is the exception."""
        return "the run failed: {}".format(status)

    def empty_call_ns(self) -> int:
        """Return the cost of timing a call into the same native module that does next to nothing."""
        return empty_call_ns(self._interpreter._interpreter.ResetVariableTensors, ())

    def _tensor(self, item: dict) -> Tensor:
        return Tensor(item, self._np.dtype(item["dtype"]))

    def _op_names(self) -> object:
        native = self._interpreter._interpreter
        try:
            return [native.NodeName(index) for index in range(native.NumNodes())]
        except AttributeError:
            return None


class Tensor:
    """An input or output.

    Attributes:
        spec: What the protocol says of it.
        index: Its number in the graph.
        dtype: numpy's type of its values.
        shape: Its dimensions, none of them unknown.
        size: Bytes of its values.
    """

    def __init__(self, item: dict, dtype: object) -> None:
        self.index = item["index"]
        self.dtype = dtype
        self.shape = [int(size) for size in item["shape"]]
        count = 1
        for size in self.shape:
            count *= size
        self.size = count * dtype.itemsize
        scale, zero_point = item["quantization"]
        known = scale != 0.0
        self.spec = {
            "name": item["name"],
            "shape": self.shape,
            "dtype": dtype.name,
            "scale": float(scale) if known else None,
            "zero_point": int(zero_point) if known else None,
        }


def _refused(exc: Exception) -> AgentError:
    return AgentError("model_refused", str(exc).strip() or type(exc).__name__)


def _delegate(names: object, said: str) -> str:
    """Return which delegate the graph shows: a node of its own replaces those that it took over."""
    if names is None:
        return "unknown"
    if "DELEGATE" in names or any("XNNPACK" in name.upper() for name in names):
        return "xnnpack" if _XNNPACK_LINE in said or "TfLiteXNNPackDelegate" in names else "unknown"
    return "none"
