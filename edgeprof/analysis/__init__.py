"""What a `.tflite` file says of itself, without TensorFlow."""

from edgeprof.analysis.costs import ModelCost, OpCost, read_costs
from edgeprof.analysis.flatbuffer import ModelFile, read_model

__all__ = ["ModelCost", "ModelFile", "OpCost", "read_costs", "read_model"]
