"""The agent of boards without Python: a native program speaks the protocol, a shell script says what the board is."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from edgeprof.errors import DeviceError
from edgeprof.remote.agent import LinuxAgent
from edgeprof.remote.killed import Said, WitnessedWire
from edgeprof.remote.wire import Wire
from edgeprof.transport import Transport
from edgeprof.transport.files import run

_TIMEOUT_S = 60.0
_KIB = 1024
_METERS = ("sensor", "counter", "battery")
_NUMBERED = re.compile(r"(\w+)\.(\d+)\.(.+)")


class OneShotAgent(LinuxAgent):
    """See `Agent`; `probe` is a run of `agent.sh`."""

    def __init__(self, wire: Wire, owner: str, transport: Transport, script: str, home: str) -> None:
        super().__init__(WitnessedWire(wire, lambda: self.ask("killed")), owner)
        self._transport = transport
        self._script = script
        self._home = home
        self._is_phone = False

    def ask(self, method: str, timeout_s: float = _TIMEOUT_S, **options: object) -> Said:
        """Return what a method of `agent.sh` says, as pairs in its order.

        Raises:
            DeviceError: The script did not run.
            LinkLost: The way is gone.
        """
        return ask_script(self._transport, self._script, method, timeout_s, **options)

    def probe(self) -> dict[str, Any]:
        """See `Agent`."""
        found = shell_probe(self._transport, self._script, self._home)
        self._is_phone = "android" in found
        return found

    def thermal_status(self) -> int | None:
        """See `Agent`; a phone that does not answer has none."""
        return thermal_status(self._transport, self._script) if self._is_phone else None


def shell_probe(transport: Transport, script: str, home: str) -> dict[str, Any]:
    """Ask a board what it is by `agent.sh` alone.

    Args:
        transport: The way to it.
        script: Where `agent.sh` lies there.
        home: Our folder there.

    Returns:
        What docs/agent-protocol.md, "Probe", lists.

    Raises:
        DeviceError: The script did not run.
        LinkLost: The way is gone.
    """
    return parse_probe(_answer(transport, script, "probe", _TIMEOUT_S, home=home))


def ask_script(
    transport: Transport, script: str, method: str, timeout_s: float = _TIMEOUT_S, **options: object
) -> Said:
    """Return what `agent.sh METHOD key=value…` says on a board, as pairs in its order.

    Raises:
        DeviceError: The script did not run, or not in time.
        LinkLost: The way is gone.
    """
    return parse_pairs(_answer(transport, script, method, timeout_s, **options))


def thermal_status(transport: Transport, script: str) -> int | None:
    """Return Android's thermal status, 0 (none) to 6 (shutdown); `None` where it does not say.

    Raises:
        LinkLost: The way is gone.
    """
    try:
        return _whole(dict(ask_script(transport, script, "heat")), "android.thermal_status")
    except DeviceError:
        return None


def parse_pairs(text: str) -> Said:
    """Return the pairs of `key=value` lines; what is no such line is left out."""
    return [(key, value) for key, equals, value in (line.partition("=") for line in text.splitlines()) if equals]


def _answer(transport: Transport, script: str, method: str, timeout_s: float, **options: object) -> str:
    words = (f"{name}={value}" for name, value in options.items())
    try:
        done = run(transport, ("sh", script, method, *words), timeout_s)
    except TimeoutError as exc:
        raise DeviceError(f"the board did not answer `{method}` in time", "is it busy? `uptime` there tells") from exc
    if done.returncode != 0:
        noise = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise DeviceError(f"the board could not be asked for `{method}`: {noise}", "does `sh` work there?")
    return done.stdout.decode(errors="replace")


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
        "uptime_s": _real(one, "uptime_s"),
        "load_1min": _real(one, "load_1min"),
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
            "sdk": _whole(said, "ro.build.version.sdk"),
            "thermal_status": _whole(said, "thermal_status"),
            "battery_percent": _percent(said),
            "battery_temp_mc": _tenths(said, "battery.temperature"),
            "on_charger": "battery.plugged" in said if "battery.level" in said else None,
        },
    }


def _percent(said: Mapping[str, str]) -> int | None:
    level, scale = _whole(said, "battery.level"), _whole(said, "battery.scale")
    return None if level is None or not scale else round(100 * level / scale)


def _tenths(said: Mapping[str, str], key: str) -> int | None:
    """Return thousandths of what is said in tenths. Source: Android's BatteryManager, `EXTRA_TEMPERATURE`."""
    tenths = _whole(said, key)
    return None if tenths is None else 100 * tenths


def _numbered(said: Said, what: str) -> list[dict[str, str]]:
    """Return the entries `what.N.key=value`, each as its keys and values, by their numbers."""
    found: dict[int, dict[str, str]] = {}
    for key, value in said:
        match = _NUMBERED.fullmatch(key)
        if match and match[1] == what:
            found.setdefault(int(match[2]), {})[match[3]] = value
    return [found[number] for number in sorted(found)]


def _whole(entry: Mapping[str, str], key: str) -> int | None:
    try:
        return int(entry[key])
    except (KeyError, ValueError):
        return None


def _real(entry: Mapping[str, str], key: str) -> float | None:
    try:
        return float(entry[key])
    except (KeyError, ValueError):
        return None


def _bytes(entry: Mapping[str, str], key: str) -> int | None:
    kib = _whole(entry, key)
    return None if kib is None else kib * _KIB


def _cpus(said: Said) -> list[dict[str, Any]]:
    """Return the cores; where all are of one kind, what the C library says of one core's caches holds for all."""
    found = [_cpu(entry) for entry in _numbered(said, "cpu") if "index" in entry]
    kinds = {(cpu["implementer"], cpu["part"], cpu["model_name"]) for cpu in found}
    if len(kinds) == 1 and not any(cpu["caches"] for cpu in found):
        own = [(key.removeprefix("own_cache."), value) for key, value in said if key.startswith("own_cache.")]
        return [{**cpu, "caches": {name: int(value) for name, value in own if value.isdigit()}} for cpu in found]
    return found


def _cpu(entry: Mapping[str, str]) -> dict[str, Any]:
    online = _whole(entry, "online")
    return {
        "index": int(entry["index"]),
        "part": entry.get("part"),
        "implementer": entry.get("implementer"),
        "model_name": entry.get("model_name"),
        "max_khz": _whole(entry, "max_khz"),
        "capacity": _whole(entry, "capacity"),
        "governor": entry.get("governor"),
        "online": True if online is None else bool(online),
        "caches": {key.removeprefix("cache."): _cache_bytes(entry[key]) for key in entry if key.startswith("cache.")},
    }


def _cache_bytes(text: str) -> int | None:
    """Return bytes of `512K`, as Linux writes them."""
    count, unit = text[:-1], text[-1:]
    return int(count) * {"K": _KIB, "M": _KIB * _KIB}[unit] if count.isdigit() and unit in ("K", "M") else None


def _policy(entry: Mapping[str, str]) -> dict[str, Any]:
    clocks = ("min_khz", "max_khz", "lowest_khz", "highest_khz")
    return {
        "name": entry["name"],
        "cpus": _wholes(entry, "cpus"),
        "governor": entry.get("governor"),
        "governors": entry.get("governors", "").split(),
        **{key: _whole(entry, key) for key in clocks},
        "steps_khz": _wholes(entry, "steps_khz"),
    }


def _wholes(entry: Mapping[str, str], key: str) -> list[int]:
    return [int(word) for word in entry.get(key, "").split() if word.isdigit()]


def _zone(entry: Mapping[str, str]) -> dict[str, Any]:
    return {"type": entry.get("type"), "temp_mc": _whole(entry, "temp_mc")}


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
        "update_interval_ms": _whole(one, "update_interval_ms"),
    }


def _rail(said: Said, prefix: str) -> dict[str, Any]:
    one = dict(said)
    return {
        "label": one.get(f"{prefix}label"),
        "kind": one.get(f"{prefix}kind"),
        "files": [value for key, value in said if key == f"{prefix}file"],
        "wraps_at": _whole(one, f"{prefix}wraps_at"),
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
        "ns_per_instruction": _whole(one, "lab.edgeprof.ns_per_instruction"),
        "invented": [name for name in one.get("lab.edgeprof.invented", "").split(",") if name],
    }
