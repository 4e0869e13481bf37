"""Samples to estimates: the only place where a statistic is computed."""

from edgeprof.stats.accuracy import accuracy_estimates
from edgeprof.stats.comparisons import (
    MARGIN_RATIO,
    Compared,
    compare,
    compare_separate,
    compare_values,
    comparison,
    decide,
    in_turns,
    verdicts,
)
from edgeprof.stats.estimates import (
    CONFIDENCE,
    cold_estimates,
    cpu_estimates,
    is_narrow,
    latency_estimates,
    over_launches,
    start_up_estimates,
)
from edgeprof.stats.ops import OpShare, OpShares, op_shares
from edgeprof.stats.summaries import summary_estimates
from edgeprof.stats.sustained import sustained_estimates
from edgeprof.stats.windows import window_estimates

__all__ = [
    "CONFIDENCE",
    "MARGIN_RATIO",
    "Compared",
    "OpShare",
    "OpShares",
    "accuracy_estimates",
    "cold_estimates",
    "compare",
    "compare_separate",
    "compare_values",
    "comparison",
    "cpu_estimates",
    "decide",
    "in_turns",
    "is_narrow",
    "latency_estimates",
    "op_shares",
    "over_launches",
    "start_up_estimates",
    "summary_estimates",
    "sustained_estimates",
    "verdicts",
    "window_estimates",
]
