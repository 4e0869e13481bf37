"""Data for boards and what their outputs are worth; numpy only, the boards just move bytes."""

from edgeprof.accuracy.evaluation import EvalSet, check_fits, load_eval, load_reference
from edgeprof.accuracy.golden import check_golden, encode_golden
from edgeprof.accuracy.scores import classification
from edgeprof.accuracy.tensors import decode_outputs, encode_inputs

__all__ = [
    "EvalSet",
    "check_fits",
    "check_golden",
    "classification",
    "decode_outputs",
    "encode_golden",
    "encode_inputs",
    "load_eval",
    "load_reference",
]
