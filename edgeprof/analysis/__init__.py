"""What a `.tflite` file says of itself, without TensorFlow; and small ones of our own."""

from edgeprof.analysis.costs import ModelCost, OpCost, read_costs
from edgeprof.analysis.cut import SubModel, cut, distinct
from edgeprof.analysis.facts import model_facts
from edgeprof.analysis.flatbuffer import BORDER_OPS, ModelFile, read_model
from edgeprof.analysis.probes import Probe, one_product, probes

__all__ = [
    "BORDER_OPS",
    "ModelCost",
    "ModelFile",
    "OpCost",
    "Probe",
    "SubModel",
    "cut",
    "distinct",
    "model_facts",
    "one_product",
    "probes",
    "read_costs",
    "read_model",
]
