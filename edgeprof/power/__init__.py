"""Power: which rail of a board to read, and energy from what it showed."""

from edgeprof.power.clocks import ClockMap, Offset, measure_offset
from edgeprof.power.energy import FEWEST_UPDATES
from edgeprof.power.estimates import (
    METRICS,
    energy_per_inference,
    idle_drift_w,
    power_estimates,
    power_series,
    unusual_idle,
    wants_longer,
)
from edgeprof.power.rails import Supply, choose, microwatts, rail_voltage_uv, supplies

__all__ = [
    "FEWEST_UPDATES",
    "METRICS",
    "ClockMap",
    "Offset",
    "Supply",
    "choose",
    "energy_per_inference",
    "idle_drift_w",
    "measure_offset",
    "microwatts",
    "power_estimates",
    "power_series",
    "rail_voltage_uv",
    "supplies",
    "unusual_idle",
    "wants_longer",
]
