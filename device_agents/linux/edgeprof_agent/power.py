"""Rails: what the kernel's power sensors measure, found once and read often; raw, in the kernel's own units.

Source: Linux v6.1, Documentation/hwmon/sysfs-interface.rst (mV, mA, µW, update_interval in ms) and ina3221.rst
(channels 1 to 3 are voltage and current, 4 to 6 are shunts); Documentation/power/powercap/powercap.rst (µJ and
max_energy_range_uj).
"""

from __future__ import annotations

import glob
import os
import re
import time

from edgeprof_agent import firmware

_HWMON = re.compile(r"ina2\d\d$|ina3221$")
_CHANNELS = (1, 2, 3)


def sensors() -> list:
    """Return the sensors with their rails, as in the protocol's section "Probe"."""
    found = []
    for folder in sorted(glob.glob("/sys/class/hwmon/hwmon*"), key=_number):
        driver = text(folder + "/name") or ""
        rails = _hwmon_rails(folder) if _HWMON.match(driver) else []
        if rails:
            found.append(_sensor(driver, folder, rails, whole(folder + "/update_interval")))
    for folder in sorted(glob.glob("/sys/class/powercap/intel-rapl:*")):
        if folder.count(":") == 1:  # a package or the platform; their parts are theirs already
            rail = {
                "label": text(folder + "/name"),
                "kind": "energy",
                "files": [folder + "/energy_uj"],
                "wraps_at": whole(folder + "/max_energy_range_uj"),
            }
            found.append(_sensor("rapl", folder, [rail], None))
    return found + _pmic()


def rails() -> list:
    """Return every rail of every sensor, in `sensors`' order."""
    return [rail for sensor in sensors() for rail in sensor["rails"]]


def read(rail: dict) -> dict:
    """Return a reading: when, by the monotonic clock, and each file's number, `None` for one that cannot be read."""
    at_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    if rail["kind"] == "pmic":
        return {"monotonic_ns": at_ns, "values": firmware.read_pmic(rail["files"])}
    return {"monotonic_ns": at_ns, "values": [whole(path) for path in rail["files"]]}


def _pmic() -> list:
    """Return a Raspberry Pi 5's PMIC as one rail of all that it tells: a program answers for all of them at once."""
    names = firmware.pmic_rails()
    if names is None:
        return []
    rail = {"label": None, "kind": "pmic", "files": names, "wraps_at": None}
    return [{"driver": "pmic", "path": None, "rails": [rail], "readable": bool(names), "update_interval_ms": None}]


def _hwmon_rails(folder: str) -> list:
    rails = []
    for channel in _CHANNELS:
        volts, amperes = ("{}/{}{}_input".format(folder, name, channel) for name in ("in", "curr"))
        if text("{}/in{}_enable".format(folder, channel)) == "0":
            continue
        if os.path.exists(volts) and os.path.exists(amperes):
            label = text("{}/in{}_label".format(folder, channel))
            rails.append({"label": label, "kind": "product", "files": [volts, amperes], "wraps_at": None})
    alone = folder + "/power1_input"
    if not rails and os.path.exists(alone):
        rails.append({"label": text(folder + "/power1_label"), "kind": "power", "files": [alone], "wraps_at": None})
    return rails


def _sensor(driver: str, path: str, rails: list, interval_ms: object) -> dict:
    readable = all(os.access(file, os.R_OK) for rail in rails for file in rail["files"])
    return {"driver": driver, "path": path, "rails": rails, "readable": readable, "update_interval_ms": interval_ms}


def _number(path: str) -> int:
    return int("".join(c for c in os.path.basename(path) if c.isdigit()) or 0)


def text(path: str) -> object:
    """Return a file's text, or `None` where there is none or it says nothing."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace").strip() or None
    except OSError:
        return None


def whole(path: str) -> object:
    """Return the whole number in a file, or `None`."""
    try:
        return int(text(path) or "")
    except ValueError:
        return None
