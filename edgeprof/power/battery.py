"""A phone's own battery as a power meter: whether it feeds the phone alone, and what its gauge's numbers mean.

Android's kernel interface says µA, µV and µAh, negative while discharging (Linux v6.1,
Documentation/ABI/testing/sysfs-class-power). Phones differ: milliamperes (github.com/termux/termux-api/pull/293),
the opposite sign (github.com/collectd/collectd/issues/3865), mAh (tests/data/recorded/android-battery-xiaomi.txt). So
nothing of it is believed: sign and unit are what a step of load shows, every core idle against every core busy, or
unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, pstdev

from edgeprof.units import NS_PER_S, UW_PER_W

CURRENT, CHARGE = "battery", "charge"
# Fewer new values than this in a window leave a gauge's own averaging in doubt.
FEWEST_GAUGE_UPDATES = 100
# Source: Android's BatteryManager, BATTERY_STATUS_*.
_DISCHARGING = "3"
_KERNEL_SAYS = ("Discharging", "Unknown")
# All cores of a phone busy take between 30 mA and 10 A more than none; in the other unit that is a thousand times off,
# and what lies between the two ranges is neither.
_STEP_UA = (30_000, 10_000_000)
_CELLS_UV = (2_500_000, 10_000_000)  # one cell or two in series
_KILO = 1000
# Busy must take so much more than idle, and stand so many standard errors apart.
_RISE = 1.2
_SURE = 4.0
# Of each side of a step only its later part counts: gauges average over a second or two.
_SETTLED = 0.5
_FEWEST_VALUES = 3
_S_PER_HOUR = 3600

Reading = tuple[int, tuple[int | None, ...]]
_Known = tuple[int, int, int]  # time in ns, voltage, number


@dataclass(frozen=True, slots=True)
class Gauge:
    """What a gauge's numbers mean on one phone, as a step of load showed it.

    Attributes:
        kind: `battery`: current; `charge`: charge that is left.
        sign: 1 where discharging counts as positive (of `charge`: where it rises), else −1.
        unit: Of a number in µA, or µAh: 1 or 1,000.
        volt_unit: Of a voltage in µV: 1 or 1,000.
        update_s: Mean time between new values while all cores were busy.
    """

    kind: str
    sign: int
    unit: int
    volt_unit: int
    update_s: float

    def current_ua(self, number: float) -> float:
        """Return a discharging current as a positive one."""
        return self.sign * self.unit * number

    def power_uw(self, values: Sequence[int | None]) -> int | None:
        """Return the power of a reading of voltage and current, or `None` where one is missing."""
        volts, amperes = values
        if volts is None or amperes is None:
            return None
        return round(self.current_ua(amperes) * volts * self.volt_unit / UW_PER_W)


def feeding_fault(said: Sequence[tuple[str, str]]) -> str | None:
    """Return the reason code why what `agent.sh battery` says is no phone on its battery alone; else `None`.

    `battery_faked`: the battery service was told what to say (`dumpsys battery unplug`), so it says nothing true.
    `on_charger`: something feeds the phone, USB too. `not_discharging`. `battery_status_unknown`.
    The kernel's own files are asked as well where they may be read: they cannot be told to lie.
    """
    one = dict(reversed(said))  # what a vendor adds comes after, under the same names
    if one.get("stopped") == "true":
        return "battery_faked"
    powered = [value for key, value in said if key.startswith("powered.")]
    online = [value for key, value in said if key.startswith("supply.") and key.endswith(".online")]
    if "true" in powered or "1" in online:
        return "on_charger"
    if not powered or "status" not in one:
        return "battery_status_unknown"
    kernel = [value for key, value in said if key.startswith("supply.") and key.endswith(".status")]
    if one["status"] != _DISCHARGING or any(value not in _KERNEL_SAYS for value in kernel):
        return "not_discharging"
    return None


def calibrate(kind: str, idle: Sequence[Reading], busy: Sequence[Reading]) -> Gauge | str:
    """Return what a gauge's numbers mean, or the reason code why nobody can tell.

    Args:
        kind: `battery` or `charge`.
        idle: Readings while every core idled: the time in ns, and voltage and number as they were read.
        busy: Readings while every core was busy.

    Returns:
        `gauge_silent`: too few values. `load_step_not_seen`: discharging did not rise with the load, so the sign is
        unknown. `gauge_unit_unknown`: neither unit makes the step plausible.
    """
    sides = [_settled(side) for side in (idle, busy)]
    if any(len(side) < _FEWEST_VALUES for side in sides):
        return "gauge_silent"
    levels = [_rates(side) if kind == CHARGE else [float(number) for _, _, number in side] for side in sides]
    updates = _updates(sides[1])
    if any(not level for level in levels) or updates < _FEWEST_VALUES:
        return "gauge_silent"
    low, high = (median(level) for level in levels)
    scatter = sum(pstdev(level) / max(1, _updates(side)) ** 0.5 for level, side in zip(levels, sides, strict=True))
    step = abs(high - low)
    if low * high <= 0 or abs(high) < _RISE * abs(low) or step < _SURE * scatter:
        return "load_step_not_seen"
    unit = _unit(step, _STEP_UA)
    volt_unit = _unit(median(volts for side in sides for _, volts, _ in side), _CELLS_UV)
    if unit is None or volt_unit is None:
        return "gauge_unit_unknown"
    span_s = (sides[1][-1][0] - sides[1][0][0]) / NS_PER_S
    return Gauge(kind, 1 if high > 0 else -1, unit, volt_unit, span_s / max(1, updates - 1))


def charge_energy(gauge: Gauge, readings: Sequence[Reading]) -> list[tuple[int, int]]:
    """Return times and the energy in µJ that had left the battery by then, at every new value of a charge counter."""
    known = _known(readings)
    found: list[tuple[int, int]] = []
    energy_uj, before = 0.0, known[0][2] if known else 0
    for at, volts, number in known:
        if number == before:
            continue
        # µAh and µV: a millionth of that is µWh, of which each holds 3,600 µJ.
        energy_uj += gauge.current_ua(number - before) * volts * gauge.volt_unit / UW_PER_W * _S_PER_HOUR
        found.append((at, round(energy_uj)))
        before = number
    return found


def updates_in(readings: Sequence[Reading], window_ns: tuple[int, int]) -> int:
    """Return how many new values a gauge showed in a window."""
    return _updates(_known([one for one in readings if window_ns[0] <= one[0] < window_ns[1]]))


def _known(readings: Sequence[Reading]) -> list[_Known]:
    return [(at, volts, number) for at, (volts, number) in readings if volts is not None and number is not None]


def _settled(readings: Sequence[Reading]) -> list[_Known]:
    known = _known(readings)
    if not known:
        return []
    start_ns = known[0][0] + _SETTLED * (known[-1][0] - known[0][0])
    return [reading for reading in known if reading[0] >= start_ns]


def _updates(readings: Sequence[_Known]) -> int:
    """Return how many different values in a row a gauge showed, the first among them."""
    return sum(
        before is None or after[2] != before[2] for before, after in zip([None, *readings], readings, strict=False)
    )


def _rates(readings: Sequence[_Known]) -> list[float]:
    """Return a counter's change an hour, from each new value to the next; what is left falls, and that is its sign."""
    new = [readings[0]]
    new += [after for before, after in pairwise(readings) if after[2] != before[2]]
    hours = NS_PER_S * _S_PER_HOUR
    return [(b[2] - a[2]) / (b[0] - a[0]) * hours for a, b in pairwise(new[1:]) if b[0] > a[0]]


def _unit(value: float, micro: tuple[int, int]) -> int | None:
    """Return 1 where a value in millionths lies in the range, 1,000 where one in thousandths does."""
    low, high = micro
    if low <= abs(value) <= high:
        return 1
    return _KILO if low <= _KILO * abs(value) <= high else None


REASONS: Mapping[str, str] = {
    "battery_faked": "the phone's battery service was told what to say; `adb shell dumpsys battery reset` ends that",
    "on_charger": "something feeds the phone, and its battery's current is not what it takes: unplug it, and use `adb` "
    "over Wi-Fi (`adb tcpip 5555`, then adb:HOST:5555) or a USB hub that switches power off; rails that Perfetto "
    "counts are measured all the same: `--rail`",
    "not_discharging": "the phone says that its battery is not discharging",
    "battery_status_unknown": "the phone does not say whether it feeds on its battery",
    "gauge_silent": "the battery's gauge shows too few values to tell anything",
    "load_step_not_seen": "with all cores busy the gauge showed no clear rise of a discharging current: its sign is "
    "unknown",
    "gauge_unit_unknown": "the gauge's step between idle and busy is plausible neither in µA nor in mA: its unit is "
    "unknown",
    "gauge_too_slow": "the battery's gauge shows new values too rarely",
}
