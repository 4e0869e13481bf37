"""What a `.tflite` file says of itself, without TensorFlow."""

from edgeprof.analysis.flatbuffer import ModelFile, read_model

__all__ = ["ModelFile", "read_model"]
