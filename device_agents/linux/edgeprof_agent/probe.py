"""What the board says of itself; what it does not say is null."""

from __future__ import annotations

import glob
import hashlib
import os
import platform
import struct
import sys

from edgeprof_agent import firmware, power


def probe(home: str) -> dict:
    """Return the protocol's `probe`."""
    libc, libc_version = _libc()
    room = os.statvfs(home)
    return {
        "machine": platform.machine() or None,
        "kernel": platform.release() or None,
        "pointer_bits": struct.calcsize("P") * 8,
        "os": _os_release(),
        "libc": libc,
        "libc_version": libc_version,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "model": _text("/proc/device-tree/model") or _text("/sys/class/dmi/id/product_name"),
        "compatible": _compatible(),
        "board_id": _board_id(),
        "cpus": _cpus(),
        "policies": _policies(),
        "memory_total_bytes": _memory("MemTotal"),
        "memory_available_bytes": _memory("MemAvailable"),
        "disk_free_bytes": room.f_bavail * room.f_frsize,
        "thermal_zones": _thermal_zones(),
        "power_sensors": power.sensors(),
        "throttled": firmware.throttled(),
        "power_mode": firmware.power_mode(),
        "uptime_s": _first_number("/proc/uptime"),
        "load_1min": _first_number("/proc/loadavg"),
        "virtualization": _virtualization(),
        "cpu_features": _cpu_features(),
        "lab": _lab(),
    }


def _compatible() -> list | None:
    text = (_text("/proc/device-tree/compatible", keep_nul=True) or "").strip("\0")
    return text.split("\0") if text else None


def _text(path: str, keep_nul: bool = False) -> str | None:
    try:
        with open(path, "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    text = text if keep_nul else text.replace("\0", "")
    return text.strip() or None


def _whole(path: str) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None


def _first_number(path: str) -> float | None:
    try:
        return float((_text(path) or "").split()[0])
    except (IndexError, ValueError):
        return None


def _os_release() -> dict | None:
    text = _text("/etc/os-release")
    if text is None:
        return None
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: pairs[name].strip("\"'") for name in ("PRETTY_NAME", "ID", "VERSION_ID") if name in pairs}


def _libc() -> tuple:
    try:
        name, _, version = os.confstr("CS_GNU_LIBC_VERSION").partition(" ")
        return name, version
    except (AttributeError, OSError, ValueError):
        pass
    if os.path.exists("/system/bin/linker64") or os.path.exists("/system/bin/linker"):
        return "bionic", None
    if glob.glob("/lib/ld-musl-*"):
        return "musl", None
    return "unknown", None


def _board_id() -> str | None:
    serial = _text("/proc/device-tree/serial-number") or _text("/etc/machine-id")
    return hashlib.sha256(serial.encode()).hexdigest()[:16] if serial else None


def _cpus() -> list:
    listed = _cpuinfo()
    found = []
    for path in sorted(glob.glob("/sys/devices/system/cpu/cpu[0-9]*"), key=lambda path: int(path.rpartition("cpu")[2])):
        index = int(path.rpartition("cpu")[2])
        about = listed.get(index, {})
        online = _whole(path + "/online")
        found.append({
            "index": index,
            "part": about.get("CPU part"),
            "implementer": about.get("CPU implementer"),
            "model_name": about.get("model name"),
            "max_khz": _whole(path + "/cpufreq/cpuinfo_max_freq"),
            "capacity": _whole(path + "/cpu_capacity"),
            "governor": _text(path + "/cpufreq/scaling_governor"),
            "online": True if online is None else bool(online),
            "caches": _caches(path),
        })  # fmt: skip
    if any(cpu["caches"] for cpu in found):
        return found
    own = _own_caches(found)
    return [dict(cpu, caches=own) for cpu in found]


def _caches(path: str) -> dict:
    """Return the sizes of a core's caches in bytes by name, as the kernel says them; without those of instructions."""
    found = {}
    for folder in sorted(glob.glob(path + "/cache/index[0-9]*")):
        level, kind, size = (_text(folder + "/" + name) for name in ("level", "type", "size"))
        if kind in ("Data", "Unified") and level and size and size[:-1].isdigit() and size[-1] in "KM":
            found["L" + level + ("d" if kind == "Data" else "")] = int(size[:-1]) << (20 if size[-1] == "M" else 10)
    return found


def _own_caches(cpus: list) -> dict:
    """Return what the C library says of this core's caches, which holds for all where all are of one kind.

    Source: glibc's <bits/confname.h>; of most ARM cores it says 0, which is "not known".
    """
    kinds = {(cpu["implementer"], cpu["part"], cpu["model_name"]) for cpu in cpus}
    if _libc()[0] != "glibc" or len(kinds) > 1:
        return {}
    sizes = {}
    for name, number in (("L1d", 188), ("L2", 191), ("L3", 194)):
        try:
            sizes[name] = os.sysconf(number)
        except (OSError, ValueError):
            continue
    return {name: size for name, size in sizes.items() if size > 0}


def _policies() -> list:
    folders = glob.glob("/sys/devices/system/cpu/cpufreq/policy[0-9]*")
    return [_policy(path) for path in sorted(folders, key=lambda path: int(path.rpartition("policy")[2]))]


def _policy(path: str) -> dict:
    return {
        "name": os.path.basename(path),
        "cpus": _wholes(path + "/related_cpus"),
        "governor": _text(path + "/scaling_governor"),
        "governors": (_text(path + "/scaling_available_governors") or "").split(),
        "min_khz": _whole(path + "/scaling_min_freq"),
        "max_khz": _whole(path + "/scaling_max_freq"),
        "lowest_khz": _whole(path + "/cpuinfo_min_freq"),
        "highest_khz": _whole(path + "/cpuinfo_max_freq"),
        "steps_khz": _wholes(path + "/scaling_available_frequencies"),
    }


def _wholes(path: str) -> list:
    return [int(word) for word in (_text(path) or "").split() if word.isdigit()]


def _cpuinfo() -> dict:
    cores, current = {}, {}
    for line in (_text("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "processor" and value.strip().isdigit():
            current = cores.setdefault(int(value), {})
        current[name.strip()] = value.strip()
    return cores


def _cpu_features() -> list | None:
    about = next(iter(_cpuinfo().values()), {})
    words = about.get("Features") or about.get("flags")
    return words.split() if words else None


def _lab() -> dict | None:
    """Return what a virtual board of `edgeprof lab` says of itself on its kernel's command line."""
    words = (_text("/proc/cmdline") or "").split()
    said = dict(word[len("edgeprof.") :].partition("=")[::2] for word in words if word.startswith("edgeprof."))
    if "board" not in said:
        return None
    per_instruction = said.get("ns_per_instruction", "")
    return {
        "board": said["board"],
        "ns_per_instruction": int(per_instruction) if per_instruction.isdigit() else None,
        "invented": [name for name in said.get("invented", "").split(",") if name],
    }


def _memory(name: str) -> int | None:
    for line in (_text("/proc/meminfo") or "").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return None


def _thermal_zones() -> list:
    folders = sorted(glob.glob("/sys/class/thermal/thermal_zone*"), key=lambda path: int(path.rpartition("zone")[2]))
    return [{"type": _text(folder + "/type"), "temp_mc": _whole(folder + "/temp")} for folder in folders]


def _virtualization() -> str | None:
    if "PROOT_L2S_DIR" in os.environ or "proot" in (_text("/proc/self/maps") or ""):
        return "proot"
    if os.path.exists("/.dockerenv") or "docker" in (_text("/proc/1/cgroup") or ""):
        return "container"
    if _lab() or "linux,dummy-virt" in (_text("/proc/device-tree/compatible", keep_nul=True) or ""):
        return "qemu"  # QEMU's `virt` machine: emulated on another processor, or at best a guest on the same
    hypervisor = _text("/sys/hypervisor/type")
    if hypervisor:
        return hypervisor
    flags = next((about.get("flags", "") for about in _cpuinfo().values()), "")
    return "hypervisor" if "hypervisor" in flags.split() else None
