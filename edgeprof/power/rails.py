"""Which rail of a board tells what the board takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.boards import PowerSensor, Rail
from edgeprof.power.battery import CHARGE, CURRENT

# Rails that feed a whole module; the others beside them are parts of them and are never added.
# Source: NVIDIA Jetson Linux Developer Guide, "Platform Power and Performance", tables of INA3221 rails: Nano and TX1
# `POM_5V_IN`, Xavier NX, Orin NX and Orin Nano `VDD_IN`. AGX modules have no such rail.
_WHOLE = ("POM_5V_IN", "VDD_IN")
_HZ = 50.0
_PMIC_HZ = 10.0
# Each look at a phone's gauge asks a chip on a slow bus.
_GAUGE_HZ = 10.0


@dataclass(frozen=True, slots=True)
class Supply:
    """A rail to measure.

    Attributes:
        name: For people: `POM_5V_IN (ina3221)`.
        index: Its place among all rails of all sensors.
        covers: `board`: all that the board takes; `part`: nobody said that it is all.
        wraps_at: Where a counter begins anew, or `None` where it reads power.
        readable: We may read it.
        kind: How its numbers become power, as `Rail.kind`.
    """

    name: str
    index: int
    covers: str
    wraps_at: int | None
    readable: bool
    kind: str = "product"

    @property
    def hz(self) -> float:
        """Return how often to read it: a PMIC answers through a program of its own each time."""
        return {"pmic": _PMIC_HZ, CURRENT: _GAUGE_HZ, CHARGE: _GAUGE_HZ}.get(self.kind, _HZ)

    @property
    def is_gauge(self) -> bool:
        """Return whether it is a phone's battery, whose numbers mean what a step of load shows."""
        return self.kind in (CURRENT, CHARGE)


def supplies(sensors: Sequence[PowerSensor]) -> tuple[Supply, ...]:
    """Return every rail of a board as one that could be measured."""
    found: list[Supply] = []
    for sensor in sensors:
        for channel, rail in enumerate(sensor.rails, 1):
            found.append(
                Supply(
                    name=_name(sensor, rail, channel),
                    index=len(found),
                    covers="board" if rail.label in _WHOLE else "part",
                    wraps_at=rail.wraps_at,
                    readable=sensor.readable is not False,
                    kind=rail.kind,
                )
            )
    return tuple(found)


def choose(sensors: Sequence[PowerSensor], asked: str | None = None) -> Supply | str:
    """Return the rail to measure, or the reason code why there is none.

    The rail that was asked for; else the one that feeds the whole board; else the only one; else a phone's battery, its
    current before its charge. Several rails of which
    none is known to feed the others are never added up, for nobody said whether one holds another.
    `no_power_sensor`, `no_such_rail`, `several_rails`, `permission_denied`.
    """
    found = supplies(sensors)
    if not found:
        return "no_power_sensor"
    if asked is not None:
        chosen = [supply for supply in found if asked in (supply.name, supply.name.partition(" ")[0])]
        if not chosen:
            return "no_such_rail"
    else:
        rails = [supply for supply in found if not supply.is_gauge]
        gauges = sorted((supply for supply in found if supply.is_gauge), key=lambda supply: supply.kind != CURRENT)
        chosen = [supply for supply in rails if supply.covers == "board"] or rails or gauges[:1]
    if len(chosen) > 1:
        return "several_rails"
    return chosen[0] if chosen[0].readable else "permission_denied"


def _name(sensor: PowerSensor, rail: Rail, channel: int) -> str:
    if rail.label:
        return f"{rail.label} ({sensor.driver})"
    return sensor.driver if len(sensor.rails) == 1 else f"{sensor.driver}/{channel}"


def microwatts(kind: str, values: Sequence[int | None]) -> int | None:
    """Return a reading in µW, or a counter's in µJ, from a rail's numbers; `None` where any of them is missing.

    A `product` is mV × mA. A `pmic` says µV and µA of each rail that it feeds; those it feeds from one another take a
    milliwatt, and what 5 V feeds past it (USB, HATs, NVMe) is not in it.
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return None
    if kind == "pmic":
        return sum(volts * amperes for volts, amperes in _pairs(known)) // 1_000_000
    return math.prod(known)


def _pairs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return neighbours as pairs."""
    return list(zip(values[::2], values[1::2], strict=True))


def rail_voltage_uv(supply: Supply, values: Sequence[Sequence[int | None]]) -> int | None:
    """Return the mean voltage of a rail that feeds the whole board; a part's is no supply's."""
    if supply.kind != "product" or supply.covers != "board":
        return None
    seen = [reading[0] for reading in values if reading[0] is not None]
    return round(1000 * sum(seen) / len(seen)) if seen else None
