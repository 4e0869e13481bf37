"""Cores whose clock is set together, what it is set to, and what it is to be pinned to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeprof.errors import DeviceError, UsageError
from edgeprof.names import did_you_mean
from edgeprof.units import megahertz

PERFORMANCE = "performance"
# Governors under which a clock follows the load, or stays low.
RESTLESS = ("conservative", "interactive", "ondemand", "powersave", "schedutil")
FOLDER = "/sys/devices/system/cpu/cpufreq"
_GROUPS = ("big", "little")
_WISH = re.compile(r"(?:(big|little|policy\d{1,3})=)?(\d{2,5})")


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """A directory of the kernel's cpufreq; `None` and empty tuples are what it does not say.

    Attributes:
        name: Such as `policy0`.
        cpus: Its cores.
        governor: Which governor it has.
        governors: Which it could have.
        min_khz: Lowest clock allowed now.
        max_khz: Highest clock allowed now.
        lowest_khz: Lowest clock of its cores.
        highest_khz: Highest clock of its cores.
        steps_khz: The clocks between which it chooses; empty where it is free.
    """

    name: str
    cpus: tuple[int, ...] = ()
    governor: str | None = None
    governors: tuple[str, ...] = ()
    min_khz: int | None = None
    max_khz: int | None = None
    lowest_khz: int | None = None
    highest_khz: int | None = None
    steps_khz: tuple[int, ...] = ()

    @property
    def pinned_khz(self) -> int | None:
        """Return the one clock that its limits leave, or `None` where they leave more."""
        return self.max_khz if self.max_khz is not None and self.max_khz == self.min_khz else None

    def cores(self) -> str:
        """Return its cores for people: `cpu0-3`."""
        if len(self.cpus) > 1 and self.cpus[-1] - self.cpus[0] == len(self.cpus) - 1:
            return f"cpu{self.cpus[0]}-{self.cpus[-1]}"
        return "cpu" + ",".join(map(str, self.cpus)) if self.cpus else self.name

    def text(self) -> str:
        """Return what its clock is set to, for people."""
        if self.pinned_khz is not None:
            return f"{self.cores()} at {megahertz(self.pinned_khz)}"
        if self.governor == PERFORMANCE and self.max_khz is not None:
            return f"{self.cores()} at its highest, {megahertz(self.max_khz)}"
        limits = (self.min_khz, self.max_khz)
        span = "" if None in limits else f" {limits[0] // 1000}-{megahertz(limits[1])}"  # type: ignore[operator,arg-type]
        return f"{self.cores()}{span} by {self.governor or 'nobody knows which governor'}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a policy is to be set to."""

    policy: str
    governor: str
    min_khz: int
    max_khz: int

    def text(self) -> str:
        """Return it as `clocks.sh` takes it: `performance:600000:1800000`."""
        return f"{self.governor}:{self.min_khz}:{self.max_khz}"


def parse_policies(tables: Sequence[dict[str, Any]]) -> tuple[ClockPolicy, ...]:
    """Return the agent's list of policies as values, without those that have no name."""
    return tuple(_policy(table) for table in tables if isinstance(table.get("name"), str))


def clocks_text(policies: Sequence[ClockPolicy]) -> str | None:
    """Return what all clocks are set to, for people; `None` where the board does not say."""
    return "; ".join(policy.text() for policy in policies) or None


def wishes(pin: bool, mhz: Sequence[str]) -> str | None:
    """Return what clocks are to be pinned to as one text: `performance`, `1500`, `big=1800 little=1200`; or `None`.

    Raises:
        UsageError: One of them names no clock, or two name the same cores.
    """
    if not mhz:
        return PERFORMANCE if pin else None
    groups = [_parsed(word)[0] for word in mhz]
    if len(set(groups)) < len(groups) or (None in groups and len(groups) > 1):
        raise UsageError("--pin-mhz names some cores twice", "one for all cores, or one for each of `big=`, `little=`")
    return " ".join(sorted(mhz))


def settings(policies: Sequence[ClockPolicy], wish: str, device: str) -> tuple[Setting, ...]:
    """Return what each policy is to be set to.

    Args:
        policies: The board's.
        wish: As `wishes` gave it.
        device: The board's name, for messages.

    Raises:
        DeviceError: The board has no such clock, or its clocks cannot be set.
    """
    if not policies:
        asked = "--pin-clocks" if wish == PERFORMANCE else "--pin-mhz"
        hint = f"virtual machines have none, and on some boards the firmware alone decides; leave out {asked}"
        raise DeviceError(f"`{device}` lets nobody set its clocks: its kernel has no cpufreq", hint)
    for policy in policies:
        if policy.governors and PERFORMANCE not in policy.governors:
            hint = f"it has {', '.join(policy.governors)}; `modprobe cpufreq_performance` there may bring it"
            raise DeviceError(f"{policy.name} of `{device}` has no governor `{PERFORMANCE}`", hint)
    if wish == PERFORMANCE:
        return tuple(_as_it_is(policy, device) for policy in policies)
    chosen: dict[str, Setting] = {}
    for word in wish.split():
        group, mhz = _parsed(word)
        for policy in _named(policies, group, device):
            khz = _step(policy, mhz, device)
            chosen[policy.name] = Setting(policy.name, PERFORMANCE, khz, khz)
    return tuple(chosen.values())


def restless(policies: Sequence[ClockPolicy]) -> tuple[ClockPolicy, ...]:
    """Return those whose clock may change by itself from run to run."""
    return tuple(p for p in policies if p.governor in RESTLESS and p.pinned_khz is None)


def advice(policies: Sequence[ClockPolicy]) -> str | None:
    """Return how to hold the clocks that may change by themselves; `None` where none may."""
    loose = restless(policies)
    if not loose:
        return None
    return f"`--pin-clocks` holds them for a run; until its next start, on the board: {by_hand(loose, policies)}"


def by_hand(policies: Sequence[ClockPolicy], every: Sequence[ClockPolicy]) -> str:
    """Return the command that holds these clocks until the board's next start, to be copied; run on the board."""
    names = ["policy*"] if len(policies) == len(every) else [policy.name for policy in policies]
    return f"echo {PERFORMANCE} | sudo tee " + " ".join(f"{FOLDER}/{name}/scaling_governor" for name in names)


def _parsed(word: str) -> tuple[str | None, int]:
    match = _WISH.fullmatch(word)
    if match is None:
        raise UsageError(f"--pin-mhz `{word}` names no clock", "write 1500, big=1800, little=1200 or policy4=2000")
    return match[1], int(match[2])


def _as_it_is(policy: ClockPolicy, device: str) -> Setting:
    if policy.min_khz is None or policy.max_khz is None:
        raise DeviceError(f"{policy.name} of `{device}` does not say its limits", "leave out --pin-clocks")
    return Setting(policy.name, PERFORMANCE, policy.min_khz, policy.max_khz)


def _named(policies: Sequence[ClockPolicy], group: str | None, device: str) -> tuple[ClockPolicy, ...]:
    if group is None:
        return tuple(policies)
    if group not in _GROUPS:
        found = tuple(policy for policy in policies if policy.name == group)
        if not found:
            names = [policy.name for policy in policies]
            hint = f"{did_you_mean(group, names)}it has {', '.join(names)}"
            raise DeviceError(f"--pin-mhz: `{device}` has no {group}", hint)
        return found
    ranks = {policy.highest_khz for policy in policies if policy.highest_khz is not None}
    if len(ranks) < 2:
        raise DeviceError(f"--pin-mhz {group}: the cores of `{device}` are all alike", "write --pin-mhz 1500")
    wanted = max(ranks) if group == "big" else min(ranks)
    return tuple(policy for policy in policies if policy.highest_khz == wanted)


def _step(policy: ClockPolicy, mhz: int, device: str) -> int:
    """Return the clock in kHz that a person means by a number of MHz: 1479 for 1479000, 1907 for 1907200."""
    if policy.steps_khz:
        found = [khz for khz in policy.steps_khz if mhz in (khz // 1000, round(khz / 1000))]
        if found:
            return max(found)
        steps = ", ".join(str(khz // 1000) for khz in sorted(policy.steps_khz))
        hint = f"it has {steps} MHz; other cores: --pin-mhz big=MHZ --pin-mhz little=MHZ"
        raise DeviceError(f"{policy.cores()} of `{device}` has no clock of {mhz} MHz", hint)
    low, high = policy.lowest_khz, policy.highest_khz
    if low is None or high is None or not low <= mhz * 1000 <= high:
        span = "unknown" if low is None or high is None else f"{low // 1000} to {megahertz(high)}"
        raise DeviceError(f"{policy.cores()} of `{device}` does not run at {mhz} MHz", f"its range is {span}")
    return mhz * 1000


def _policy(table: dict[str, Any]) -> ClockPolicy:
    whole = {
        key: value if type(value := table.get(key)) is int else None
        for key in ("min_khz", "max_khz", "lowest_khz", "highest_khz")
    }
    governor = table.get("governor")
    return ClockPolicy(
        table["name"],
        cpus=_wholes(table.get("cpus")),
        governor=governor if isinstance(governor, str) else None,
        governors=tuple(word for word in table.get("governors") or () if isinstance(word, str)),
        steps_khz=_wholes(table.get("steps_khz")),
        **whole,
    )


def _wholes(value: object) -> tuple[int, ...]:
    return tuple(sorted(item for item in value if type(item) is int)) if isinstance(value, list) else ()
