"""Where a board's power is to be read: one of its own rails, or a meter on the host."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.devices import Device
from edgeprof.errors import UsageError
from edgeprof.power.meters import MeterSpec, check_supply, find_meter
from edgeprof.targets import load_target


@dataclass(frozen=True, slots=True)
class PowerSource:
    """Where power is to be read.

    Attributes:
        rail: The board's rail that was asked for, or `None` for the one that feeds it.
        meter: A meter on the host instead, or `None`.
        supply_uv: At which voltage the meter counts power, or `None` where it measures that.
        fed_uv: What the board is fed with as its target says, or `None`.
    """

    rail: str | None = None
    meter: MeterSpec | None = None
    supply_uv: int | None = None
    fed_uv: int | None = None


def find_source(rail: str | None, meter: str | None, devices: Sequence[Device]) -> PowerSource:
    """Return what `--rail` and `--meter` ask for.

    Raises:
        UsageError: Both were given, the meter is unknown, or it cannot measure these devices.
    """
    if meter is None:
        return PowerSource(rail)
    if rail is not None:
        raise UsageError("--rail names a sensor of the board, --meter one of the host's", "leave one of them out")
    if len(devices) != 1:
        raise UsageError(
            f"--meter is between one board and its supply, and {len(devices)} devices were named", "one -d"
        )
    found, device = find_meter(meter), devices[0]
    fed_uv = load_target(device.target).supply_uv if device.target else None
    return PowerSource(None, found, check_supply(found, fed_uv, device.name), fed_uv)
