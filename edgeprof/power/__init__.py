"""Power: which rail of a board to read, and energy from what it showed."""

from edgeprof.power.estimates import METRICS, idle_drift_w, power_estimates, power_series
from edgeprof.power.rails import Supply, choose, microwatts, supplies

__all__ = ["METRICS", "Supply", "choose", "idle_drift_w", "microwatts", "power_estimates", "power_series", "supplies"]
