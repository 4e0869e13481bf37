"""What a budget can be about: each figure's name, unit and good side, and its values in a run."""

import math
from dataclasses import dataclass, fields

import numpy as np

from edgeprof.analysis.graph import read_operators
from edgeprof.records import CLOCK_INSTRUCTIONS, RunResult, StartUp
from edgeprof.stats.estimates import MIN_SAMPLES_PER_LAUNCH

LATENCY, INSTRUCTIONS = "latency_ns", "guest_instructions"


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that a budget limits.

    Attributes:
        key: As it is written in a release file.
        metric: The metric with its unit.
        quantile: Of the runs of a launch; `None` where it is not about runs.
        floor: The limit is the least, not the most.
        in_turns: A baseline can hold it: it has a positive value for every launch or process.
    """

    key: str
    metric: str
    quantile: float | None = None
    floor: bool = False
    in_turns: bool = True


FIGURES = (
    Figure("latency", LATENCY, 0.5),
    Figure("latency_p90", LATENCY, 0.90),
    Figure("latency_p95", LATENCY, 0.95),
    Figure("latency_p99", LATENCY, 0.99),
    Figure("latency_p999", LATENCY, 0.999),
    Figure("instructions", INSTRUCTIONS, 0.5),
    Figure("first_inference", "first_inference_ns"),
    Figure("start_up", "start_up_ns"),
    Figure("peak_rss", "peak_rss_bytes"),
    Figure("size", "size_bytes"),
    Figure("top1", "top1_ratio", floor=True, in_turns=False),
    Figure("top5", "top5_ratio", floor=True, in_turns=False),
    Figure("f1", "f1_ratio", floor=True, in_turns=False),
    Figure("auc", "auc_ratio", floor=True, in_turns=False),
    Figure("iou", "iou_ratio", floor=True, in_turns=False),
    Figure("mae", "mae", in_turns=False),
    Figure("mse", "mse", in_turns=False),
    # The headline's, whatever it is called; which side is good is known when it was measured.
    Figure("score", "score", floor=True, in_turns=False),
    Figure("drop", "drop_points", in_turns=False),
    Figure("agreement", "agreement_ratio", floor=True, in_turns=False),
    Figure("energy", "energy_per_inference_uj", in_turns=False),
    Figure("missed", LATENCY, in_turns=False),
    Figure("delegated", "delegated_ratio", floor=True, in_turns=False),
)
# What an evaluation set is needed for, and what of that goes by its labels.
OF_LABELS = ("top1", "top5", "f1", "auc", "iou", "mae", "mse", "score", "drop")
OF_SAMPLES = (*OF_LABELS, "agreement")
# The chance that a launch's runs do not reach up to a quantile at all, as for the percentiles.
_BEYOND = 0.0013
BY_KEY = {figure.key: figure for figure in FIGURES}
_STAGES = tuple(stage.name for stage in fields(StartUp))


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a run has no such figure: a reason code."""

    reason: str


def values(run: RunResult, figure: Figure) -> tuple[float, ...] | Missing:
    """Return a figure's values in a run: one a launch or process, or the reason for which there is none."""
    if figure.key == "size":
        return (float(run.artifact.size_bytes),)
    if run.status == "failed":
        return Missing("failed")
    if figure.key == "peak_rss":
        reason = dict(run.not_measured).get("peak_rss_bytes", "not_reached")
        return tuple(float(repeat.peak_rss_bytes) for repeat in run.memory) or Missing(reason)
    if not run.launches:
        return Missing("no_launches")
    if figure.quantile is not None:
        return _of_runs(run, figure, figure.quantile)
    if run.plan.clock == CLOCK_INSTRUCTIONS:
        return Missing("clock_counts_instructions")
    stages = _STAGES if figure.key == "start_up" else (figure.metric,)
    return tuple(float(sum(getattr(launch.start_up, stage) for stage in stages)) for launch in run.launches)


def runs_for(share: float) -> int:
    """Return how many runs a launch must hold to tell the quantile that so large a share lies above."""
    return math.ceil(math.log(_BEYOND) / math.log1p(-share))


def late_quantiles(run: RunResult, most_share: float) -> tuple[float, ...] | Missing:
    """Return for each launch the latency, from when a run was due, that the share `most_share` of its runs exceeds.

    At most that share of runs misses its deadline where this is no longer than the time between two of them.
    """
    if run.status == "failed" or not run.launches:
        return Missing("failed" if run.status == "failed" else "no_launches")
    if run.plan.clock == CLOCK_INSTRUCTIONS:
        return Missing("clock_counts_instructions")
    if any(len(launch.latency_ns) < runs_for(most_share) for launch in run.launches):
        return Missing("too_few_samples")
    return tuple(float(np.quantile(launch.latency_ns, 1 - most_share)) for launch in run.launches)


def delegated_ratio(run: RunResult) -> float | Missing:
    """Return the share of the graph's operators that a delegate ran; known exactly, or not at all."""
    if run.op_profile is None:
        return Missing("no_time_by_operator")
    nodes = {op.node: op.delegated for op in run.op_profile.ops if op.node is not None}
    unknown = any(op.node is None for op in run.op_profile.ops)
    if not nodes or (unknown and len(nodes) != len(read_operators(run.artifact.path))):
        return Missing("kernels_stand_for_unknown_operators")
    return sum(nodes.values()) / len(nodes)


def least_runs(keys: set[str]) -> int:
    """Return how many runs a launch must hold for all of these figures."""
    return max((MIN_SAMPLES_PER_LAUNCH.get(key.removeprefix("latency_"), 1) for key in keys), default=1)


def _of_runs(run: RunResult, figure: Figure, quantile: float) -> tuple[float, ...] | Missing:
    if figure.metric != run.plan.metric:
        counted = run.plan.clock == CLOCK_INSTRUCTIONS
        return Missing("clock_counts_instructions" if counted else "clock_counts_time")
    if any(len(launch.latency_ns) < least_runs({figure.key}) for launch in run.launches):
        return Missing("too_few_samples")
    return tuple(run.plan.amount(float(np.quantile(launch.latency_ns, quantile))) for launch in run.launches)
