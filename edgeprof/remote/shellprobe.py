"""What `agent.sh probe` printed, as the agent in Python would have said it."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from edgeprof.remote.said import Said, parse_pairs, real, whole
from edgeprof.units import BYTES_PER_KIB

_METERS = ("sensor", "counter", "battery")
_CACHE_UNITS = {"K": BYTES_PER_KIB, "M": BYTES_PER_KIB**2}
_NUMBERED = re.compile(r"(\w+)\.(\d+)\.(.+)")


def parse_probe(text: str) -> dict[str, Any]:
    """Return what `agent.sh probe` printed as docs/agent-protocol.md, "Probe", has it; what was not said is null."""
    said = parse_pairs(text)
    one = dict(said)
    features = one.get("cpu_features")
    phone = _android({key.removeprefix("android."): value for key, value in said if key.startswith("android.")})
    return {
        "machine": one.get("machine"),
        "kernel": one.get("kernel"),
        "pointer_bits": None,
        "os": {key[3:]: value for key, value in said if key.startswith("os.")} or None,
        "libc": one.get("libc", "unknown"),
        "libc_version": one.get("libc_version"),
        "python": None,
        "model": one.get("model"),
        "compatible": [value for key, value in said if key == "compatible"] or None,
        "board_id": hashlib.sha256(one["serial"].encode()).hexdigest()[:16] if "serial" in one else None,
        "cpus": _cpus(said),
        "policies": [_policy(entry) for entry in _numbered(said, "policy") if "name" in entry],
        "memory_total_bytes": _bytes(one, "memory_total_kib"),
        "memory_available_bytes": _bytes(one, "memory_available_kib"),
        "disk_free_bytes": _bytes(one, "disk_free_kib"),
        "thermal_zones": [_zone(entry) for entry in _numbered(said, "zone")],
        "power_sensors": [_sensor(said, *sensor) for sensor in _sensors(said)],
        "throttled": None,
        "power_mode": None,
        "uptime_s": real(one, "uptime_s"),
        "load_1min": real(one, "load_1min"),
        "virtualization": _virtualization(said, one),
        "cpu_features": features.split() if features else None,
        "lab": _lab(one),
        **phone,
    }


def _android(said: Mapping[str, str]) -> dict[str, Any]:
    """Return what an Android says of itself, in place of what a Linux would; nothing where it is none."""
    if not said:
        return {}
    version, serial = said.get("ro.build.version.release"), said.get("ro.serialno")
    names = (said.get("ro.product.manufacturer"), said.get("ro.product.model"))
    soc = (said.get("ro.soc.manufacturer"), said.get("ro.soc.model") or said.get("ro.board.platform"))
    return {
        "os": {"PRETTY_NAME": f"Android {version}", "ID": "android", "VERSION_ID": version} if version else None,
        "model": " ".join(name for name in names if name) or None,
        "board_id": hashlib.sha256(serial.encode()).hexdigest()[:16] if serial else None,
        "android": {
            "soc": " ".join(name for name in soc if name) or None,
            "abi": said.get("ro.product.cpu.abi"),
            "sdk": whole(said, "ro.build.version.sdk"),
            "thermal_status": whole(said, "thermal_status"),
            "battery_percent": _percent(said),
            "battery_temp_mc": _tenths(said, "battery.temperature"),
            "on_charger": "battery.plugged" in said if "battery.level" in said else None,
        },
    }


def _percent(said: Mapping[str, str]) -> int | None:
    level, scale = whole(said, "battery.level"), whole(said, "battery.scale")
    return None if level is None or not scale else round(100 * level / scale)


def _tenths(said: Mapping[str, str], key: str) -> int | None:
    """Return thousandths of what is said in tenths. Source: Android's BatteryManager, `EXTRA_TEMPERATURE`."""
    tenths = whole(said, key)
    return None if tenths is None else 100 * tenths


def _numbered(said: Said, what: str) -> list[dict[str, str]]:
    """Return the entries `what.N.key=value`, each as its keys and values, by their numbers."""
    found: dict[int, dict[str, str]] = {}
    for key, value in said:
        match = _NUMBERED.fullmatch(key)
        if match and match[1] == what:
            found.setdefault(int(match[2]), {})[match[3]] = value
    return [found[number] for number in sorted(found)]


def _bytes(entry: Mapping[str, str], key: str) -> int | None:
    kib = whole(entry, key)
    return None if kib is None else kib * BYTES_PER_KIB


def _cpus(said: Said) -> list[dict[str, Any]]:
    """Return the cores; where all are of one kind, what the C library says of one core's caches holds for all."""
    found = [_cpu(entry) for entry in _numbered(said, "cpu") if "index" in entry]
    kinds = {(cpu["implementer"], cpu["part"], cpu["model_name"]) for cpu in found}
    if len(kinds) == 1 and not any(cpu["caches"] for cpu in found):
        own = [(key.removeprefix("own_cache."), value) for key, value in said if key.startswith("own_cache.")]
        return [{**cpu, "caches": {name: int(value) for name, value in own if value.isdigit()}} for cpu in found]
    return found


def _cpu(entry: Mapping[str, str]) -> dict[str, Any]:
    online = whole(entry, "online")
    return {
        "index": int(entry["index"]),
        "part": entry.get("part"),
        "implementer": entry.get("implementer"),
        "model_name": entry.get("model_name"),
        "max_khz": whole(entry, "max_khz"),
        "capacity": whole(entry, "capacity"),
        "governor": entry.get("governor"),
        "online": True if online is None else bool(online),
        "caches": {key.removeprefix("cache."): _cache_bytes(entry[key]) for key in entry if key.startswith("cache.")},
    }


def _cache_bytes(text: str) -> int | None:
    """Return bytes of `512K`, as Linux writes them."""
    count, unit = text[:-1], text[-1:]
    return int(count) * _CACHE_UNITS[unit] if count.isdigit() and unit in _CACHE_UNITS else None


def _policy(entry: Mapping[str, str]) -> dict[str, Any]:
    clocks = ("min_khz", "max_khz", "lowest_khz", "highest_khz")
    return {
        "name": entry["name"],
        "cpus": _wholes(entry, "cpus"),
        "governor": entry.get("governor"),
        "governors": entry.get("governors", "").split(),
        **{key: whole(entry, key) for key in clocks},
        "steps_khz": _wholes(entry, "steps_khz"),
    }


def _wholes(entry: Mapping[str, str], key: str) -> list[int]:
    return [int(word) for word in entry.get(key, "").split() if word.isdigit()]


def _zone(entry: Mapping[str, str]) -> dict[str, Any]:
    return {"type": entry.get("type"), "temp_mc": whole(entry, "temp_mc")}


def _sensors(said: Said) -> list[tuple[str, int]]:
    """Return chips, counters and batteries, each by number: the order in which the native agent's sampler counts."""
    matches = [_NUMBERED.fullmatch(key) for key, _ in said]
    found = {(match[1], int(match[2])) for match in matches if match and match[1] in _METERS}
    return sorted(found, key=lambda place: (_METERS.index(place[0]), place[1]))


def _sensor(said: Said, what: str, number: int) -> dict[str, Any]:
    prefix = f"{what}.{number}."
    mine = [(key.removeprefix(prefix), value) for key, value in said if key.startswith(prefix)]
    one = dict(mine)
    numbers = sorted({int(match[2]) for match in (_NUMBERED.fullmatch(key) for key, _ in mine) if match})
    return {
        "driver": one.get("driver"),
        "path": one.get("path"),
        "rails": [_rail(mine, f"rail.{index}.") for index in numbers],
        "readable": "unreadable" not in one,
        "update_interval_ms": whole(one, "update_interval_ms"),
    }


def _rail(said: Said, prefix: str) -> dict[str, Any]:
    one = dict(said)
    return {
        "label": one.get(f"{prefix}label"),
        "kind": one.get(f"{prefix}kind"),
        "files": [value for key, value in said if key == f"{prefix}file"],
        "wraps_at": whole(one, f"{prefix}wraps_at"),
    }


def _virtualization(said: Said, one: Mapping[str, str]) -> str | None:
    signs = [value for key, value in said if key == "sign"]
    if signs:
        return "proot" if "proot" in signs else "container"
    if "lab.edgeprof.board" in one or ("compatible", "linux,dummy-virt") in said:
        return "qemu"
    if "hypervisor" in one:
        return one["hypervisor"]
    return "hypervisor" if "hypervisor" in one.get("cpu_features", "").split() else None


def _lab(one: Mapping[str, str]) -> dict[str, Any] | None:
    if "lab.edgeprof.board" not in one:
        return None
    return {
        "board": one["lab.edgeprof.board"],
        "ns_per_instruction": whole(one, "lab.edgeprof.ns_per_instruction"),
        "invented": [name for name in one.get("lab.edgeprof.invented", "").split(",") if name],
    }
