"""Power meters on the host's side: what each can measure, and readings of them on the host's clock."""

from edgeprof.power.meters.readings import Meter, Recording
from edgeprof.power.meters.spec import KINDS, LineFormat, MeterSpec, check_supply, find_meter
from edgeprof.power.meters.start import open_meter, try_meter

__all__ = [
    "KINDS",
    "LineFormat",
    "Meter",
    "MeterSpec",
    "Recording",
    "check_supply",
    "find_meter",
    "open_meter",
    "try_meter",
]
