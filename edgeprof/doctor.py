"""What of this machine, its ways to boards and its files is ready, and what to do about the rest."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from platform import machine, python_version

from edgeprof import units, version
from edgeprof.boards import advice, differences, parse_facts, runtime_for
from edgeprof.compress import require_extra
from edgeprof.devices import LOCAL, Device, all_devices, devices_file
from edgeprof.errors import DeviceError, EdgeprofError, UsageError
from edgeprof.inventory import labgrid_client
from edgeprof.lab import TO_BOOT, TO_BUILD, boards, missing
from edgeprof.remote import probe_board
from edgeprof.resources import cache_dir
from edgeprof.store import open_store
from edgeprof.targets import load_target
from edgeprof.tiny import is_tiny, probe_tiny
from edgeprof.transport import phones, serial_ports, ssh_keys

OK, ABSENT, WRONG = STATES = ("ok", "absent", "wrong")

_COMPRESSING = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert")
# Less room than this, and a virtual board's image or a runtime's wheel does not fit.
_LEAST_FREE_BYTES = 2_000_000_000

Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        area: What it belongs to: `this machine`, `compression`, `ways to boards`, `files` or `devices`.
        name: What was looked at.
        state: `ok`; `absent`: something is not here that only some need; `wrong`: it is here, and does not work.
        text: What was found.
        hint: What to do about it, or `None`.
    """

    area: str
    name: str
    state: str
    text: str
    hint: str | None = None


def examine(devices: Sequence[Device], store: str | None, say: Say) -> Iterator[Finding]:
    """Look at everything in turn; what is wrong with one thing keeps no other from being looked at.

    Args:
        devices: Those to connect to; this machine is measured in any case.
        store: The results' URL, or `None` for the user's own.
        say: Told what a device is doing: its name, and a text.
    """
    yield _look("this machine", "edgeprof", lambda: f"{version()}, Python {python_version()}, {machine()}")
    yield _connected(LOCAL, "this machine", "measuring here", say)
    yield _look("compression", "Keras models", _compression, absent=UsageError)
    yield from _ways()
    yield _look("files", "devices", _own_devices)
    yield _look("files", "results", lambda: _results(store))
    yield _look("files", "cache", _cache)
    for device in devices:
        yield _connected(device, "devices", device.name, say)


def _look(area: str, name: str, look: Callable[[], str], absent: type[EdgeprofError] | None = None) -> Finding:
    try:
        return Finding(area, name, OK, look())
    except EdgeprofError as exc:
        state = ABSENT if absent is not None and isinstance(exc, absent) else WRONG
        return Finding(area, name, state, exc.message, exc.hint)
    except OSError as exc:  # a folder of ours that is somebody else's
        return Finding(area, name, WRONG, f"cannot use {exc.filename}: {exc.strerror}", "see to its permissions")


def _compression() -> str:
    require_extra()
    return ", ".join(f"{name} {found}" for name in _COMPRESSING if (found := _installed(name)))


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _ways() -> Iterator[Finding]:
    area = "ways to boards"
    yield _look(area, "SSH", _ssh, absent=DeviceError)
    yield from _serial(area)
    yield _look(area, "adb", _phones, absent=UsageError)
    yield _look(area, "labgrid", labgrid_client, absent=UsageError)
    yield _look(area, "virtual boards", _virtual_boards, absent=DeviceError)


def _ssh() -> str:
    keys, agent = ssh_keys()
    if not keys and not agent:
        raise DeviceError("no key in ~/.ssh and no agent", "`ssh-keygen -t ed25519`, then `ssh-copy-id USER@BOARD`")
    return ", ".join([*keys, *(["an agent"] if agent else [])])


def _serial(area: str) -> Iterator[Finding]:
    found = serial_ports()
    if not found:
        yield Finding(area, "serial", ABSENT, "this machine has no serial ports", "plug in the adapter of a console")
    for place, title in found:
        if os.access(place, os.R_OK | os.W_OK):
            yield Finding(area, "serial", OK, f"{place} ({title})")
        else:
            hint = "`sudo usermod -aG dialout $USER`, then log in again"
            yield Finding(area, "serial", WRONG, f"you may not use {place} ({title})", hint)


def _phones() -> str:
    found = phones()
    return ", ".join(f"{serial} ({state})" for serial, state in found.items()) or "it knows no phone"


def _virtual_boards() -> str:
    packages = missing((*TO_BOOT, *TO_BUILD))
    if packages:
        hint = f"on Debian or Ubuntu: sudo apt-get install --no-install-recommends {' '.join(packages)}"
        raise DeviceError(f"not installed: {', '.join(packages)}", hint)
    up = [board.name for board in boards() if board.alive]
    return f"up: {', '.join(up)}" if up else "QEMU and all it needs; none is up"


def _own_devices() -> str:
    names = [device.name for device in all_devices() if device != LOCAL]
    return f"{', '.join(names) or 'none yet'} in {devices_file()}"


def _results(url: str | None) -> str:
    with open_store(url, make=False) as store:
        newest = store.list_runs(1)
        if not newest:
            return f"none yet in {store.url}"
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(newest[0].created_unix_s))
        return f"{store.url}; newest run {newest[0].run_id} of {when}, on {newest[0].device}"


def _cache() -> str:
    folder = cache_dir()
    sizes = {path.name: _taken(path) for path in sorted(folder.iterdir())} if folder.is_dir() else {}
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    parts = ", ".join(f"{name} {units.size(sizes[name])}" for name in largest if sizes[name])
    text = f"{folder}: {units.size(sum(sizes.values()))}{f' ({parts})' if parts else ''}; {units.size(free)} free"
    if free < _LEAST_FREE_BYTES:
        hint = "all of it can be made again: `edgeprof lab clean` frees virtual boards, removing the folder all of it"
        raise DeviceError(text, hint)
    return text


def _taken(path: Path) -> int:
    """Return the bytes that a file or a folder takes; what goes away meanwhile takes none."""
    total = 0
    for root, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_blocks * 512  # noqa: PTH118 - many files
            except OSError:
                continue
    return total


def _connected(device: Device, area: str, name: str, say: Say) -> Finding:
    """Connect to a device, and say what it is and which runtime it gets."""
    started = time.monotonic()
    try:
        if is_tiny(device.url):
            firmware, _ = probe_tiny(device.url, lambda text: say(name, text))
            return Finding(area, name, OK, f"{firmware.profile}: MLPerf Tiny's protocol, model {firmware.model}")
        facts = parse_facts(probe_board(device, lambda text: say(name, text)))
        choice = runtime_for(facts)
        target = load_target(device.target) if device.target else None
    except EdgeprofError as exc:
        return Finding(area, name, WRONG, exc.message, exc.hint)
    took = units.duration(units.seconds_to_ns(time.monotonic() - started))
    what = ", ".join(word for word in (facts.model, facts.os, facts.core_summary()) if word)
    others = differences(facts, target) if target else ()
    hint = f"it differs from `{device.target}`: `edgeprof device probe {device.name}`" if others else None
    loose = advice(facts.policies)
    return Finding(area, name, OK, f"{what}; `{choice.name}`; answered in {took}", hint or loose)
