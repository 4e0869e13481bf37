"""Kinds of board, the user's boards, and what a board says of itself, for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgeprof import units
from edgeprof.boards import (
    BoardFacts,
    Difference,
    advice,
    clocks_text,
    no_runtime,
    runtime_advice,
    throttling_text,
)
from edgeprof.devices import Device
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write
from edgeprof.targets import Target

# Of a board whose target names none, shown as unknown: what decides speed, room and energy there.
_FACTS = ("soc", "architecture", "cpu", "memory_mib", "supply_uv", "supply_most_uw", "idle_uw", "aes_instructions")

if TYPE_CHECKING:
    from edgeprof.remote import Restored
    from edgeprof.remote.selftest import SelfTest
    from edgeprof.tiny import Firmware


def print_targets(targets: Sequence[Target], *, as_json: bool) -> None:
    """Print `target list`."""
    if as_json:
        write(document("targets", [asdict(target) for target in targets]))
        return
    found = table("target", "board", "SoC", "cores", "architecture", whole=("target",))
    for target in targets:
        texts = (target.name, target.title, target.soc or "", _cores(target), target.architecture or "")
        found.add_row(*(plain(text) for text in texts))
    console().print(found)


def print_target(target: Target, *, as_json: bool) -> None:
    """Print `target show`: each fact with its sources."""
    if as_json:
        write(document("targets", [asdict(target)]))
        return
    sources = {source.fact: source.urls for source in target.sources}
    found = table("fact", "value", "read in")
    for name, value in asdict(target).items():
        if name not in ("sources", "cpu") and value not in (None, ()):
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            found.add_row(plain(name), plain(shown), plain("\n".join(sources.get(name, ())).replace("\n", " ")))
    if target.cpu:
        found.add_row("cpu", plain(_cores(target)), plain(" ".join(sources.get("cpu", ()))))
    for name in () if target.is_generic else _FACTS:
        if getattr(target, name) in (None, ()):
            found.add_row(name, "unknown", "no source found")
    missing = no_runtime(target.architecture) if target.architecture else ""
    if missing:
        found.add_row("runtime", plain(missing), "")
    console().print(found)


def print_devices(devices: Sequence[Device], *, as_json: bool) -> None:
    """Print `device list`."""
    if as_json:
        write(document("devices", [asdict(device) for device in devices]))
        return
    folders = ("folder",) if any(device.home for device in devices) else ()
    found = table("device", "url", "target", "runtime", *folders, "notes", whole=("device",))
    for device in devices:
        texts = (
            device.name,
            device.url,
            device.target or "",
            device.runtime or "whichever fits",
            *((device.home or "",) if folders else ()),
            device.notes or "",
        )
        found.add_row(*(plain(text) for text in texts))
    console().print(found)


def print_board(
    device: Device,
    facts: BoardFacts,
    found: Sequence[Difference],
    raw: dict[str, Any],
    target: Target | None,
    *,
    as_json: bool,
) -> None:
    """Print `device probe`: what the board says, and where that is not what `target` says, given or looked like."""
    like = target.name if target and not device.target and not target.is_generic else None
    if as_json:
        parts = [asdict(difference) for difference in found]
        said = {"device": device.name, "target": device.target, "looks_like": like, "probe": raw, "differences": parts}
        write(document("board", [said]))
        return
    rows = table("fact", device.name)
    for name, value in _facts(facts):
        rows.add_row(plain(name), plain("unknown" if value in (None, "") else value))
    console().print(rows)
    if like:
        console().print(plain(f"looks like {like}: say so with `--target {like}` at `device add`"))
    held_against = device.target or like
    for difference in found:
        text = f"{difference.field}: expected {difference.expected}, found {difference.found}"
        note = f"; {difference.note}" if difference.note else ""
        console().print(plain(f"differs from {held_against}: {text}{note}"))
    if held_against and not found:
        console().print(plain(f"agrees with {held_against}, as far as both say"))


def print_firmware(device: Device, firmware: "Firmware", clock_us: int | None, *, as_json: bool) -> None:
    """Print `device probe` of a device of MLPerf Tiny's protocol."""
    if as_json:
        probe = {**asdict(firmware), "clock_us": clock_us}
        write(document("board", [{"device": device.name, "target": device.target, "probe": probe, "differences": []}]))
        return
    rows = table("fact", device.name)
    marked = "none: its times are marked on a pin, and latency cannot be measured over this line"
    facts = {"vendor": firmware.vendor, "firmware": firmware.profile, "model": firmware.model}
    for name, value in {**facts, "clock": marked if clock_us is None else f"{clock_us} µs"}.items():
        rows.add_row(name, plain(value or "unknown"))
    console().print(rows)


def print_setup(device: Device, result: "SelfTest", *, as_json: bool) -> None:
    """Print `device setup`."""
    if as_json:
        write(document("setup", [{"device": device.name, **asdict(result)}]))
        return
    pushed = units.size(result.pushed_bytes) if result.pushed_bytes else "nothing: all was there"
    found = table("device", device.name)
    found.add_row("pushed", pushed)
    found.add_row("folder", plain(result.home))
    found.add_row("agent's Python", plain(result.python or "none: the native agent"))
    found.add_row(
        "runtime",
        plain(f"{result.runtime.name} {result.runtime.version}, delegate {result.runtime.delegate}"),
    )
    counted = result.empty_call_instructions is not None
    empty = units.instructions(result.empty_call_instructions) if counted else units.duration(result.empty_call_ns)
    found.add_row("timing an empty call", f"{empty} instructions" if counted else empty)
    console().print(found)
    console().print(plain(f"ready: edgeprof profile MODEL -d {device.name}"))


def print_restored(device: str, found: "Restored", *, as_json: bool) -> None:
    """Print `device restore`: what was set back now, what the board had set back itself, or that there is nothing."""
    if as_json:
        write(document("restored", [{"device": device, **asdict(found)}]))
        return
    lines = [f"{device}: clocks that {found.by or 'somebody'} had changed:"]
    if not found.now:
        lines = [f"{device}: nothing is to be set back{_EARLIER.get(found.why, '')}"]
    if found.rebooted:
        lines.append("  the board has started anew since, with clocks of its own")
    lines += [f"  {'set back' if found.now else 'it had set back'}: {text}" for text in found.done]
    lines += [f"  could not be set back: {text}" for text in found.failed]
    if found.now and not (found.done or found.failed):
        lines.append("  all was as it had been before")
    for line in lines:
        console().print(plain(line))


# Why a hold ended that is over, as `clocks.sh` left it.
_EARLIER = {
    "never": "; edgeprof has not changed its clocks",
    "end": ": the last run did so at its end",
    "silence": ": the board did so itself when its host fell silent",
    "limit": ": the board did so itself, after the longest that a run may last",
    "signal": ": the board did so itself when it was told to stop",
    "takeover": ": the run after did so",
    "hand": ": `device restore` did so",
}


def _facts(facts: BoardFacts) -> list[tuple[str, object]]:
    return [
        ("model", facts.model),
        ("system", facts.os),
        ("kernel", facts.kernel),
        ("machine", facts.machine),
        ("C library", facts.libc_text()),
        ("Python", facts.python or "none"),
        ("cores", facts.core_summary()),
        ("caches", ", ".join(cache.text() for cache in facts.caches())),
        ("governor", ", ".join(facts.governors())),
        *_clocks(facts),
        ("memory", None if facts.memory_total_bytes is None else units.size(facts.memory_total_bytes)),
        (
            "memory available",
            None if facts.memory_available_bytes is None else units.size(facts.memory_available_bytes),
        ),
        ("room for files", None if facts.disk_free_bytes is None else units.size(facts.disk_free_bytes)),
        ("instruction set", " ".join(facts.isa) or None),
        ("thermal zones", ", ".join(zone.text() for zone in facts.thermal_zones) + _invented(facts, "temperature")),
        (
            "power sensors",
            (", ".join(sensor.text() for sensor in facts.power_sensors) or "none") + _invented(facts, "power"),
        ),
        *_firmware(facts),
        *_phone(facts),
        ("virtualization", facts.virtualization or "none seen"),
        *_virtual(facts),
        ("runtime", runtime_advice(facts)),
    ]


def _clocks(facts: BoardFacts) -> list[tuple[str, object]]:
    """Return what each group's clock is set to, and how to hold those that may move."""
    if not facts.policies:
        return []
    how = None if facts.libc == "bionic" else advice(facts.policies)
    rows: list[tuple[str, object]] = [("clocks", (clocks_text(facts.policies) or "") + _invented(facts, "clocks"))]
    return [*rows, ("to hold them", how)] if how else rows


def _invented(facts: BoardFacts, what: str) -> str:
    return " (INVENTED: a virtual board)" if what in facts.invented else ""


def _firmware(facts: BoardFacts) -> list[tuple[str, object]]:
    """Return what only a Raspberry Pi or a Jetson says."""
    said = None if facts.throttled is None else throttling_text(facts.throttled)
    return [row for row in (("throttled", said), ("power mode", facts.power_mode)) if row[1] is not None]


def _phone(facts: BoardFacts) -> list[tuple[str, object]]:
    """Return what only an Android says."""
    percent = None if facts.battery_percent is None else f"{facts.battery_percent} %"
    rows = (
        ("chip", facts.soc),
        ("ABI", facts.abi),
        ("thermal status", None if facts.thermal_status is None else f"{facts.thermal_status} of 6"),
        ("battery", f"{percent}, {'on' if facts.on_charger else 'off'} the charger" if percent else None),
    )
    return [row for row in rows if row[1] is not None]


def _virtual(facts: BoardFacts) -> list[tuple[str, object]]:
    if facts.virtual_board is None:
        return []
    clock = "time" if facts.ns_per_instruction is None else "instructions, not time"
    return [("virtual board", facts.virtual_board), ("its clock counts", clock)]


def _cores(target: Target) -> str:
    groups = []
    for group in target.cpu:
        clock = "" if group.max_mhz is None else f" at {group.max_mhz} MHz"
        groups.append(f"{group.count} × {group.core}{clock}")
    return ", ".join(groups)
