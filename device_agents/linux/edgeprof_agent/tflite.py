"""tflite-runtime's `Interpreter`, for boards that LiteRT does not run on.

Source: tensorflow/lite/python/interpreter.py at v2.14.0; `_interpreter.Invoke()` is the call that `invoke()` makes.
"""

from __future__ import annotations

import os
import sys

from edgeprof_agent.faults import Fault


class TfliteRuntime:
    """The package, imported from its own folder."""

    def __init__(self, folder: str, about: dict) -> None:
        sys.path.insert(0, folder)
        try:
            import numpy
            from tflite_runtime import interpreter
        except (ImportError, OSError) as exc:
            raise Fault("runtime_failed", "tflite-runtime does not load: %s" % exc) from exc
        if interpreter.__name__ != "tflite_runtime.interpreter" or about["name"] != "tflite-runtime":
            raise Fault("runtime_failed", "another package answers to the name tflite_runtime")
        self.numpy = numpy
        self.make = interpreter.Interpreter
        folder_of_library = os.path.dirname(interpreter.__file__)
        self.library = os.path.join(folder_of_library, "_pywrap_tensorflow_interpreter_wrapper.so")

    def load(self, path: str, threads: int) -> TfliteModel:
        """Open a model file, without allocating it.

        Raises:
            Fault: `model_refused`.
        """
        try:
            return TfliteModel(self, self.make(model_path=path, num_threads=threads))
        except (ValueError, RuntimeError) as exc:
            raise Fault("model_refused", str(exc)) from exc


class TfliteModel:
    """A model: opened, then allocated, then run."""

    def __init__(self, runtime: TfliteRuntime, interpreter: object) -> None:
        self._numpy = runtime.numpy
        self._interpreter = interpreter
        self.inputs = []
        self.outputs = []

    def allocate(self) -> None:
        """Plan the arena and apply the delegate.

        Raises:
            Fault: `model_refused`.
        """
        try:
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise Fault("model_refused", str(exc)) from exc
        self._in = self._interpreter.get_input_details()
        self._out = self._interpreter.get_output_details()
        self.inputs = [_describe(detail) for detail in self._in]
        self.outputs = [_describe(detail) for detail in self._out]

    def reset(self) -> None:
        """Give the model its initial state."""
        self._interpreter.reset_all_variables()

    def set_inputs(self, data: memoryview) -> None:
        """Fill the inputs from one sample's bytes."""
        start = 0
        for detail, size in zip(self._in, self.input_sizes()):
            values = self._numpy.frombuffer(bytes(data[start : start + size]), dtype=detail["dtype"])
            self._interpreter.set_tensor(detail["index"], values.reshape(detail["shape"]))
            start += size

    def get_outputs(self) -> bytes:
        """Return the outputs' bytes, in order."""
        return b"".join(self._interpreter.get_tensor(detail["index"]).tobytes() for detail in self._out)

    def input_sizes(self) -> list:
        """Return each input's bytes."""
        return [self._size(detail) for detail in self._in]

    def output_sizes(self) -> list:
        """Return each output's bytes."""
        return [self._size(detail) for detail in self._out]

    def bare_call(self) -> tuple:
        """Return the function that runs the model and its arguments; it returns `None`."""
        return self._interpreter._interpreter.Invoke, ()

    def empty_call(self) -> tuple:
        """Return a function of the same object that does next to nothing."""
        return self._interpreter._interpreter.NumTensors, (0,)

    def delegate(self, noise: str) -> str:  # noqa: ARG002 - the other runtime reads it there
        """Return what computes: XNNPACK, where any node was handed to it."""
        names = [detail.get("op_name") for detail in self._interpreter._get_ops_details()]
        return "xnnpack" if "DELEGATE" in names else "none"

    def _size(self, detail: dict) -> int:
        return int(self._numpy.prod(detail["shape"], dtype="int64")) * self._numpy.dtype(detail["dtype"]).itemsize


def _describe(detail: dict) -> dict:
    scales = detail["quantization_parameters"]["scales"]
    zero_points = detail["quantization_parameters"]["zero_points"]
    one = len(scales) == 1
    return {
        "name": detail["name"],
        "shape": [int(length) for length in detail["shape"]],
        "dtype": detail["dtype"].__name__.rstrip("_"),
        "scale": float(scales[0]) if one else None,
        "zero_point": int(zero_points[0]) if one else None,
    }
