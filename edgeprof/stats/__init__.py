"""Samples to estimates: the only place where a statistic is computed."""

from edgeprof.stats.estimates import CONFIDENCE, latency_estimates, over_launches, start_up_estimates

__all__ = ["CONFIDENCE", "latency_estimates", "over_launches", "start_up_estimates"]
