"""A Jetson's power modes, as its own tool says them.

Source: outputs as owners posted them, in tests/data/recorded/jetson-nvpmodel-*.txt; LineageOS's
android_device_nvidia_galen at 51d9adcb2676, nvpmodel/nvpmodel_t194_p3668.conf (numbers and names of modes).
"""

import re
from dataclasses import dataclass

from edgeprof.errors import DeviceError
from edgeprof.names import did_you_mean

_LISTED = re.compile(r"POWER_MODEL: ID=(\d+) NAME=(\S+)")
_PREFIX = "MODE_"


@dataclass(frozen=True, slots=True)
class PowerMode:
    """A mode: its number, which differs from board to board, and its name, such as `MODE_15W_6CORE`."""

    number: int
    name: str


def parse_modes(said: str) -> tuple[PowerMode, ...]:
    """Return the modes in an answer of `nvpmodel -p --verbose`, by number."""
    found = {int(number): name for number, name in _LISTED.findall(said)}
    return tuple(PowerMode(number, found[number]) for number in sorted(found))


def find_mode(modes: tuple[PowerMode, ...], wanted: str, device: str) -> PowerMode:
    """Return the mode that a person means: by number, by name, or by a name without `MODE_`.

    Raises:
        DeviceError: The board has no such mode; the hint lists its own.
    """
    if not modes:
        raise DeviceError(f"`{device}` names no power modes", "look at `nvpmodel -p --verbose` there")
    for mode in modes:
        if wanted == str(mode.number) or wanted.upper() in (mode.name.upper(), mode.name.upper().removeprefix(_PREFIX)):
            return mode
    names = [mode.name for mode in modes]
    listed = ", ".join(f"{mode.name} ({mode.number})" for mode in modes)
    hint = f"{did_you_mean(wanted.upper(), names)}it has {listed}"
    raise DeviceError(f"`{device}` has no power mode `{wanted}`", hint)
