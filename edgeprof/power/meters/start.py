"""From what is known of a meter to one that records."""

import time

from edgeprof.errors import DeviceError
from edgeprof.power.meters.joulescope import JoulescopeMeter
from edgeprof.power.meters.lines import LineMeter
from edgeprof.power.meters.ppk2 import Ppk2Meter
from edgeprof.power.meters.readings import Meter
from edgeprof.power.meters.spec import MeterSpec
from edgeprof.units import ns_to_seconds

_TRY_S = 0.5


def open_meter(meter: MeterSpec, supply_uv: int | None) -> Meter:
    """Return a meter, not yet recording; `supply_uv` as `check_supply` gave it."""
    if meter.kind == "ppk2":
        return Ppk2Meter(meter, supply_uv or meter.max_uv)
    return JoulescopeMeter(meter) if meter.kind == "joulescope" else LineMeter(meter, supply_uv)


def try_meter(meter: MeterSpec, supply_uv: int | None) -> None:
    """Record for a moment: minutes of measuring must not end at a meter that is not there.

    Raises:
        DeviceError: It is not there, or says nothing that can be understood.
    """
    opened = open_meter(meter, supply_uv)
    opened.start()
    time.sleep(_TRY_S + 5 * ns_to_seconds(meter.period_ns + meter.latency_ns))
    seen = opened.stop()
    if any(value is not None for value in seen.power_uw):
        return
    if seen.time_ns:
        hint = "compare what it prints with `line` or `columns`, and `baud`"
        raise DeviceError(f"{len(seen.time_ns)} lines of the meter {meter.name} were read, none was understood", hint)
    text = f"the meter {meter.name} says nothing"
    raise DeviceError(f"{text}: {seen.trouble}" if seen.trouble else text, "does it need `start`, or another `baud`?")
