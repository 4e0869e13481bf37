"""Data for boards and what their outputs are worth; numpy only, the boards just move bytes."""

from edgeprof.accuracy.corruptions import CORRUPTIONS, corrupted, parse_corruption
from edgeprof.accuracy.doubts import clipped, doubts
from edgeprof.accuracy.evaluation import EvalSet, check_fits, load_eval, load_reference, named_sets
from edgeprof.accuracy.golden import check_golden, check_golden_values, encode_golden, golden_is_nan, golden_samples
from edgeprof.accuracy.judging import Others, judge, try_functions, try_metrics
from edgeprof.accuracy.leaks import find_leaks
from edgeprof.accuracy.tasks import metric_names, plan_tasks
from edgeprof.accuracy.tensors import decode_outputs, encode_inputs

__all__ = [
    "CORRUPTIONS",
    "EvalSet",
    "Others",
    "check_fits",
    "check_golden",
    "check_golden_values",
    "clipped",
    "corrupted",
    "decode_outputs",
    "doubts",
    "encode_golden",
    "encode_inputs",
    "find_leaks",
    "golden_is_nan",
    "golden_samples",
    "judge",
    "load_eval",
    "load_reference",
    "metric_names",
    "named_sets",
    "parse_corruption",
    "plan_tasks",
    "try_functions",
    "try_metrics",
]
