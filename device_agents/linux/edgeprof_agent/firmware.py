"""What only a board's own program says: power and throttling of a Raspberry Pi, power mode of a Jetson.

Source: raspberrypi/documentation at 0cc21c8d6f81, computers/os/graphics-utilities.adoc (`get_throttled`); outputs as
owners posted them: `pmic_read_adc` in jfikar/RPi5-power at 3261e2961186, `nvpmodel -q` in anduril/jetpack-nixos#460.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

# sshd's PATH for a user who is not root often lacks the second.
_PATH = os.pathsep.join((os.environ.get("PATH") or os.defpath, "/usr/sbin", "/opt/vc/bin"))
_PATIENCE_S = 2.0
# ` 3V3_SYS_A current(1)=0.06245952A`, ` 3V3_SYS_V volt(9)=3.30632200V`: the numbers do not pair them, the names do.
_ADC = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)[AV]\s*$", re.MULTILINE)
_THROTTLED = re.compile(r"^throttled=0x([0-9a-fA-F]+)\s*$", re.MULTILINE)
_MODE = re.compile(r"^NV Power Mode:\s*(\S.*?)\s*$", re.MULTILINE)
_MAILBOX = "/dev/vcio"


def pmic_rails() -> object:
    """Return the names of the rails whose current and voltage a Pi 5's PMIC tells, or `None` where there is no PMIC.

    An empty list: it has one, and this login may not ask it.
    """
    said = _ask("vcgencmd", "pmic_read_adc")
    if said is None and _is_refused():
        return []
    seen = _readings(said)
    return [name for name, kind in seen if kind == "A" and (name, "V") in seen] or None


def read_pmic(names: list) -> list:
    """Return voltage in µV and current in µA of each rail, one after the other, all of one moment; `None` if unsaid."""
    seen = _readings(_ask("vcgencmd", "pmic_read_adc"))
    return [seen.get((name, kind)) for name in names for kind in "VA"]


def throttled() -> object:
    """Return the firmware's bits of throttling as a number, or `None` where nobody says."""
    found = _THROTTLED.search(_ask("vcgencmd", "get_throttled") or "")
    return int(found.group(1), 16) if found else None


def power_mode() -> object:
    """Return a Jetson's power mode, such as `MAXN`, or `None`.

    Without root it fails at something else, and says the mode all the same (NVIDIA-AI-IOT/jetbot#49).
    """
    found = _MODE.search(_ask("nvpmodel", "-q", though_failed=True) or "")
    return found.group(1) if found else None


def _readings(said: object) -> dict:
    """Return millionths by rail and kind, in the order in which they were said."""
    return {(name, kind): round(float(value) * 1000000) for name, kind, value in _ADC.findall(said or "")}


def _is_refused() -> bool:
    """Return whether this is a board with such a PMIC whose firmware this login may not ask."""
    try:
        with open("/proc/device-tree/compatible", "rb") as file:
            is_pi5 = b"brcm,bcm2712" in file.read()
    except OSError:
        return False
    return is_pi5 and os.path.exists(_MAILBOX) and not os.access(_MAILBOX, os.R_OK)


def _ask(*command: str, though_failed: bool = False) -> object:
    """Return what a program says, or `None` where it is not there, takes too long, or fails and that matters."""
    path = shutil.which(command[0], path=_PATH)
    if path is None:
        return None
    try:
        asked = [path, *command[1:]]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        done = subprocess.run(asked, timeout=_PATIENCE_S, check=False, **streams)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 or though_failed else None
