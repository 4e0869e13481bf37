"""Data for boards and what their outputs are worth; numpy only, the boards just move bytes."""

from edgeprof.accuracy.evaluation import EvalSet, check_fits, load_eval, load_reference, named_sets
from edgeprof.accuracy.golden import check_golden, encode_golden
from edgeprof.accuracy.judging import Others, judge
from edgeprof.accuracy.tasks import check_metric, metric_names, plan_tasks
from edgeprof.accuracy.tensors import decode_outputs, encode_inputs

__all__ = [
    "EvalSet",
    "Others",
    "check_fits",
    "check_golden",
    "check_metric",
    "decode_outputs",
    "encode_golden",
    "encode_inputs",
    "judge",
    "load_eval",
    "load_reference",
    "metric_names",
    "named_sets",
    "plan_tasks",
]
