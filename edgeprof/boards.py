"""What a board says of itself, against what its target says; and which runtime fits it.

The table of operating systems and its sources: docs/boards.md.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeprof.errors import DeviceError, UsageError
from edgeprof.targets import Target, architecture_of, has_model

LITERT = "litert"
TFLITE_RUNTIME = "tflite-runtime"

Version = tuple[int, int]

# Read from the ELF files of the wheels, whatever their tags say: ai-edge-litert 2.3.0, tflite-runtime 2.14.0.
LITERT_GLIBC: Version = (2, 34)
TFLITE_GLIBC: Version = (2, 27)
# tflite-runtime 2.14.0 on PyPI: cp38 to cp311.
TFLITE_PYTHONS: tuple[Version, ...] = ((3, 8), (3, 9), (3, 10), (3, 11))
# Its wheels ask for numpy >= 1.23.2 and test for numpy's C API 0x10 (1.23) at import; 2.0 changed the ABI.
TFLITE_NUMPY: Version = (1, 23)
_TFLITE_SPAN = "3.8 to 3.11"
AGENT_PYTHON: Version = (3, 7)

# Implementer and part. Source: Linux at cb9f145f638d, arch/arm64/include/asm/cputype.h.
CORES = {
    (0x41, 0xD03): "cortex-a53",
    (0x41, 0xD05): "cortex-a55",
    (0x41, 0xD07): "cortex-a57",
    (0x41, 0xD08): "cortex-a72",
    (0x41, 0xD09): "cortex-a73",
    (0x41, 0xD0B): "cortex-a76",
    (0x41, 0xD41): "cortex-a78",
    (0x41, 0xD42): "cortex-a78ae",
    (0x4E, 0x004): "carmel",
}


# `ID` and `VERSION_ID` of /etc/os-release → title, Python, glibc, `python3-numpy`. Sources: docs/boards.md.
# 32-bit Raspberry Pi OS calls itself `raspbian`, 64-bit calls itself `debian`.
RELEASES: dict[tuple[str, str], tuple[str, Version, Version, Version | None]] = {
    ("debian", "10"): ("Debian 10", (3, 7), (2, 28), (1, 16)),
    ("debian", "11"): ("Debian 11", (3, 9), (2, 31), (1, 19)),
    ("debian", "12"): ("Debian 12", (3, 11), (2, 36), (1, 24)),
    ("debian", "13"): ("Debian 13", (3, 13), (2, 41), (2, 2)),
    ("raspbian", "10"): ("Raspberry Pi OS 10 (32-bit)", (3, 7), (2, 28), (1, 16)),
    ("raspbian", "11"): ("Raspberry Pi OS 11 (32-bit)", (3, 9), (2, 31), (1, 19)),
    ("raspbian", "12"): ("Raspberry Pi OS 12 (32-bit)", (3, 11), (2, 36), (1, 24)),
    ("raspbian", "13"): ("Raspberry Pi OS 13 (32-bit)", (3, 13), (2, 41), (2, 2)),
    ("ubuntu", "18.04"): ("Ubuntu 18.04 (JetPack 4)", (3, 6), (2, 27), None),
    ("ubuntu", "20.04"): ("Ubuntu 20.04 (JetPack 5)", (3, 8), (2, 31), None),
    ("ubuntu", "22.04"): ("Ubuntu 22.04 (JetPack 6)", (3, 10), (2, 35), None),
    ("ubuntu", "24.04"): ("Ubuntu 24.04", (3, 12), (2, 39), None),
}


@dataclass(frozen=True, slots=True)
class Cpu:
    """One core as the board lists it; `None` is what it does not say.

    `core` is its kind as the targets name it, such as `cortex-a72`; `capacity` its size against the biggest
    core's 1024; `model_name` what `/proc/cpuinfo` says on x86.
    """

    index: int
    core: str | None = None
    model_name: str | None = None
    max_khz: int | None = None
    capacity: int | None = None
    governor: str | None = None
    online: bool | None = None


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What a board says of itself: docs/agent-protocol.md, "Probe"; `None` is what it does not say.

    Attributes:
        os: Its system's pretty name.
        os_id: Such as `debian`.
        os_version: Such as `12`.
        libc: `glibc`, `musl`, `bionic` or `unknown`.
        compatible: The device tree's strings, the most special first.
        memory_total_bytes: What the kernel has: less than what was soldered in.
    """

    machine: str | None = None
    kernel: str | None = None
    os: str | None = None
    os_id: str | None = None
    os_version: str | None = None
    libc: str | None = None
    libc_version: Version | None = None
    python: Version | None = None
    model: str | None = None
    compatible: tuple[str, ...] = ()
    board_id: str | None = None
    cpus: tuple[Cpu, ...] = ()
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    disk_free_bytes: int | None = None
    virtualization: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the target says and the board does not bear out.

    Attributes:
        field: `model`, `architecture`, `core_count`, `core`, `memory` or `max_frequency`.
        expected: What the target says, for people.
        found: What the board says.
        note: What it may come from.
    """

    field: str
    expected: str
    found: str
    note: str


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """A runtime that fits.

    Attributes:
        name: `litert` or `tflite-runtime`.
        python: The board's Python to run it with: the first that fits.
        reasons: Why this one, and what else it needs, for people.
    """

    name: str
    python: Version
    reasons: tuple[str, ...]


def parse_facts(probe: dict[str, Any]) -> BoardFacts:
    """Return the agent's answer to `probe` as a value; what is null, missing or not understood is `None`."""
    system = probe.get("os")
    names = {key.upper(): value for key, value in system.items()} if isinstance(system, dict) else {}
    return BoardFacts(
        machine=_text(probe.get("machine")),
        kernel=_text(probe.get("kernel")),
        os=_text(names.get("PRETTY_NAME")) or _text(system),
        os_id=_text(names.get("ID")),
        os_version=_text(names.get("VERSION_ID")),
        libc=_text(probe.get("libc")),
        libc_version=parse_version(probe.get("libc_version")),
        python=parse_version(probe.get("python")),
        model=_text(probe.get("model")),
        compatible=tuple(word for word in _list(probe.get("compatible")) if isinstance(word, str)),
        board_id=_text(probe.get("board_id")),
        cpus=tuple(_cpu(i, cpu) for i, cpu in enumerate(_list(probe.get("cpus"))) if isinstance(cpu, dict)),
        memory_total_bytes=_whole(probe.get("memory_total_bytes")),
        memory_available_bytes=_whole(probe.get("memory_available_bytes")),
        disk_free_bytes=_whole(probe.get("disk_free_bytes")),
        virtualization=_text(probe.get("virtualization")),
    )


def parse_version(value: object) -> Version | None:
    """Return major and minor of `3.11.2`, or `None` where it does not begin so."""
    major, _, rest = str(value or "").partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _cpu(index: int, cpu: dict[str, Any]) -> Cpu:
    online, said = cpu.get("online"), _whole(cpu.get("index"))
    return Cpu(
        index=index if said is None else said,
        core=CORES.get((_number(cpu.get("implementer")), _number(cpu.get("part")))),
        model_name=_text(cpu.get("model_name")),
        max_khz=_whole(cpu.get("max_khz")),
        capacity=_whole(cpu.get("capacity")),
        governor=_text(cpu.get("governor")),
        online=online if isinstance(online, bool) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _number(value: object) -> int:
    """Return `0xd08`, or 0xd08, as a number; -1, which no core has, for anything else."""
    try:
        return value if isinstance(value, int) else int(str(value), 16)
    except ValueError:
        return -1


def differences(facts: BoardFacts, target: Target) -> tuple[Difference, ...]:
    """Return what the target says and the board does not bear out.

    What either of them does not say is no difference.
    """
    found = (
        _model(facts, target),
        _architecture(facts, target),
        _core_count(facts, target),
        _core(facts, target),
        _memory(facts, target),
        _max_frequency(facts, target),
    )
    return tuple(difference for difference in found if difference is not None)


def _model(facts: BoardFacts, target: Target) -> Difference | None:
    said = facts.model or next(iter(facts.compatible), None)
    is_it = bool(set(facts.compatible) & set(target.compatible)) or has_model(target, facts.model)
    if target.is_generic or said is None or is_it:
        return None
    return Difference(
        "model", target.title, said, "is it another kind of board? `edgeprof target list` shows all"
    )


def _architecture(facts: BoardFacts, target: Target) -> Difference | None:
    if facts.machine is None or target.architecture in {None, userland(facts)}:
        return None
    note = "a 32-bit system on 64-bit cores is slower, and `litert` does not run on it"
    narrow = (target.architecture, userland(facts)) == ("aarch64", "armv7l")
    return Difference(
        "architecture", str(target.architecture), userland(facts) or facts.machine, note if narrow else ""
    )


def _core_count(facts: BoardFacts, target: Target) -> Difference | None:
    running = sum(cpu.online is not False for cpu in facts.cpus)
    if not facts.cpus or target.core_count in {None, running}:
        return None
    return Difference(
        "core_count", str(target.core_count), str(running), "a power mode or `maxcpus=` may hold cores back"
    )


def _core(facts: BoardFacts, target: Target) -> Difference | None:
    kinds = {cpu.core for cpu in facts.cpus}
    expected = {group.core for group in target.cpu}
    if not kinds or None in kinds or not expected or kinds <= expected:
        return None
    counts = Counter(cpu.core for cpu in facts.cpus)
    words = ", ".join(f"{count} x {core}" for core, count in sorted(counts.items(), key=str))
    wanted = ", ".join(f"{group.count} x {group.core}" for group in target.cpu)
    return Difference("core", wanted, words, "the board is not what its target says, or it is emulated")


def _memory(facts: BoardFacts, target: Target) -> Difference | None:
    """Compare memory; the kernel, firmware and GPU keep up to a quarter for themselves."""
    if facts.memory_total_bytes is None or not target.memory_mib:
        return None
    mib = facts.memory_total_bytes // 2**20
    if any(size * 3 / 4 <= mib <= size for size in target.memory_mib):
        return None
    sizes = ", ".join(map(str, target.memory_mib))
    return Difference(
        "memory", f"{sizes} MiB", f"{mib} MiB", "`gpu_mem=`, `mem=` or a container may limit it"
    )


def _max_frequency(facts: BoardFacts, target: Target) -> Difference | None:
    """Compare clocks; the operating points lie up to a percent beside the round figure."""
    clocks = [cpu.max_khz for cpu in facts.cpus if cpu.max_khz is not None]
    if (
        not clocks
        or target.max_mhz is None
        or abs(max(clocks) / 1000 - target.max_mhz) <= target.max_mhz / 100
    ):
        return None
    note = "a power mode, an older revision of the board or overclocking"
    return Difference("max_frequency", f"{target.max_mhz} MHz", f"{max(clocks) // 1000} MHz", note)


def userland(facts: BoardFacts) -> str | None:
    """Return the architecture of the board's programs, which may be narrower than its kernel's.

    Source: RPi-Distro/repo issues 293 and 360: `ID=raspbian` is 32-bit, also on a kernel that says `aarch64`.
    """
    machine = architecture_of(facts.machine)
    return "armv7l" if machine == "aarch64" and facts.os_id == "raspbian" else machine


def choose_runtime(
    machine: str,
    libc: str,
    libc_version: Version | None,
    pythons: Sequence[Version],
    wanted: str | None = None,
) -> RuntimeChoice:
    """Return the runtime that fits a board, `litert` where both do.

    Args:
        machine: The architecture of its programs, as `uname -m` would say it.
        libc: `glibc`, `musl`, `bionic` or `unknown`.
        libc_version: Such as `(2, 36)`, or `None`.
        pythons: Its Pythons, the preferred first.
        wanted: The runtime to use, or `None` for whichever fits.

    Raises:
        UsageError: `wanted` is not a runtime.
        DeviceError: Nothing fits, or `wanted` does not.
    """
    if wanted not in {None, LITERT, TFLITE_RUNTIME}:
        raise UsageError(f"unknown runtime: `{wanted}`", f"known runtimes: {LITERT}, {TFLITE_RUNTIME}")
    usable = [python for python in pythons if python >= AGENT_PYTHON]
    _refuse_system(machine, libc, libc_version, pythons)
    fitting = {LITERT: usable, TFLITE_RUNTIME: [python for python in usable if python in TFLITE_PYTHONS]}
    against = {
        LITERT: _against_litert(machine, libc_version or (0, 0)),
        TFLITE_RUNTIME: _against_tflite(fitting[TFLITE_RUNTIME]),
    }
    for name, reason in against.items():
        if wanted in {None, name} and not reason:
            return RuntimeChoice(name, fitting[name][0], _reasons(name, machine, against[LITERT]))
    raise _nothing_fits(machine, against, wanted)


def runtime_advice(facts: BoardFacts) -> str:
    """Return one line for people: the runtime for this board and why, or why there is none and what to do.

    What the board does not say of its Python and C library comes from its system's release, where known.
    """
    release = RELEASES.get((facts.os_id or "", facts.os_version or ""))
    title, python, glibc, numpy = release or (facts.os or "this board", None, None, None)
    python = facts.python or python
    libc = facts.libc or ("glibc" if release else "unknown")
    libc_version = facts.libc_version or (glibc if libc == "glibc" else None)
    machine = userland(facts) or facts.machine or "unknown machine"
    try:
        choice = choose_runtime(machine, libc, libc_version, [python] if python else [])
    except DeviceError as exc:
        return f"{title}: {exc.message}; {exc.hint}"
    too_old = machine == "armv7l" and numpy is not None and numpy < TFLITE_NUMPY
    warning = ("its own `python3-numpy` is too old",) if too_old else ()
    return f"{title}: `{choice.name}`: {'; '.join((*choice.reasons, *warning))}"


def _refuse_system(machine: str, libc: str, version: Version | None, pythons: Sequence[Version]) -> None:
    """Refuse a board on which no runtime can load, whatever is installed."""
    if architecture_of(machine) is None:
        raise DeviceError(
            f"no runtime for `{machine}`", "edgeprof has runtimes for aarch64, x86_64 and armv7l"
        )
    if libc == "musl":
        hint = "use a Debian, Ubuntu or Raspberry Pi OS image, or a Debian container on the board"
        raise DeviceError("the board has musl, and both runtimes need glibc", hint)
    if libc == "bionic":
        hint = "in Termux, `proot-distro install debian`, start an SSH server in it and give its address"
        raise DeviceError("the board has bionic (Android), and both runtimes need glibc", hint)
    if libc != "glibc" or version is None:
        hint = f"`getconf GNU_LIBC_VERSION` there must say glibc {_dotted(TFLITE_GLIBC)} or newer"
        raise DeviceError("the board's C library is not known", hint)
    if version < TFLITE_GLIBC:
        hint = f"use a system with glibc {_dotted(LITERT_GLIBC)} or newer: Debian 12, Ubuntu 22.04"
        raise DeviceError(f"the board's glibc {_dotted(version)} is too old for any runtime", hint)
    if not any(python >= AGENT_PYTHON for python in pythons):
        had = f"only Python {', '.join(map(_dotted, pythons))}" if pythons else "no Python 3"
        why = f"the board has {had}, and the agent needs {_dotted(AGENT_PYTHON)} or newer"
        raise DeviceError(why, f"install one of Python {_TFLITE_SPAN} there")


def _against_litert(machine: str, glibc: Version) -> str:
    """Return why `litert` does not fit, or nothing."""
    if architecture_of(machine) == "armv7l":
        return "`litert` does not exist for 32-bit Arm"
    if glibc < LITERT_GLIBC:
        return f"`litert` needs glibc {_dotted(LITERT_GLIBC)}, the board has {_dotted(glibc)}"
    return ""


def _against_tflite(fitting: Sequence[Version]) -> str:
    return "" if fitting else f"`tflite-runtime` needs Python {_TFLITE_SPAN}, the board has none of them"


def _reasons(name: str, machine: str, against_litert: str) -> tuple[str, ...]:
    if name == LITERT:
        return (f"glibc is {_dotted(LITERT_GLIBC)} or newer",)
    why = (against_litert,) if against_litert else ("asked for",)
    # No armv7l wheel of numpy is on PyPI, so the board brings its own.
    numpy = f"the board itself must have numpy {_dotted(TFLITE_NUMPY)} or newer, below 2 (Debian 12 has)"
    return (*why, numpy) if architecture_of(machine) == "armv7l" else why


def _nothing_fits(machine: str, against: dict[str, str], wanted: str | None) -> DeviceError:
    other = next((name for name, reason in against.items() if not reason), None)
    if wanted and other:
        return DeviceError(against[wanted], f"`{other}` fits this board")
    if architecture_of(machine) == "armv7l":
        step = "use Raspberry Pi OS 12 (bookworm), or a 64-bit image if its cores are 64-bit"
    else:
        step = f"install one of Python {_TFLITE_SPAN} there, or use Debian 12, Ubuntu 22.04 or newer"
    return DeviceError(f"no runtime fits this board: {'; '.join(against.values())}", step)


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
