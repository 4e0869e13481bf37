"""Samples to estimates: the only place where a statistic is computed."""

from edgeprof.stats.estimates import CONFIDENCE, latency_estimates, over_launches, start_up_estimates
from edgeprof.stats.ops import OpShare, OpShares, op_shares

__all__ = [
    "CONFIDENCE",
    "OpShare",
    "OpShares",
    "latency_estimates",
    "op_shares",
    "over_launches",
    "start_up_estimates",
]
