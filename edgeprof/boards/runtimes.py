"""Which runtime fits a board, or why none does and what to do about it.

The table of operating systems and its sources: docs/boards.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.boards.facts import BoardFacts
from edgeprof.errors import DeviceError, UsageError
from edgeprof.targets import architecture_of

LITERT = "litert"
TFLITE_RUNTIME = "tflite-runtime"

Version = tuple[int, int]

# Those that either runtime has a wheel for; neither has one for RISC-V.
RUNTIME_ARCHITECTURES = ("aarch64", "x86_64", "armv7l")

# Read from the ELF files of the wheels, whatever their tags say: ai-edge-litert 2.3.0, tflite-runtime 2.14.0.
LITERT_GLIBC: Version = (2, 34)
TFLITE_GLIBC: Version = (2, 27)
# tflite-runtime 2.14.0 on PyPI: cp38 to cp311.
TFLITE_PYTHONS: tuple[Version, ...] = ((3, 8), (3, 9), (3, 10), (3, 11))
# Its wheels ask for numpy >= 1.23.2 and test for numpy's C API 0x10 (1.23) at import; 2.0 changed the ABI.
TFLITE_NUMPY: Version = (1, 23)
_TFLITE_SPAN = "3.8 to 3.11"
AGENT_PYTHON: Version = (3, 7)

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
class RuntimeChoice:
    """A runtime that fits.

    Attributes:
        name: `litert` or `tflite-runtime`.
        python: The board's Python to run it with: the first that fits. `None`: it has none, and the native agent runs.
        reasons: Why this one, and what else it needs, for people.
    """

    name: str
    python: Version | None
    reasons: tuple[str, ...]


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
    if libc == "bionic":
        return _on_android(machine, wanted)
    _refuse_system(machine, libc, libc_version)
    if not usable:
        return _without_python(machine, libc_version or (0, 0), pythons, wanted)
    fitting = {LITERT: usable, TFLITE_RUNTIME: [python for python in usable if python in TFLITE_PYTHONS]}
    against = {
        LITERT: _against_litert(machine, libc_version or (0, 0)),
        TFLITE_RUNTIME: _against_tflite(fitting[TFLITE_RUNTIME]),
    }
    for name, reason in against.items():
        if wanted in {None, name} and not reason:
            return RuntimeChoice(name, fitting[name][0], _reasons(name, machine, against[LITERT]))
    raise _nothing_fits(machine, against, wanted)


def runtime_for(facts: BoardFacts) -> RuntimeChoice:
    """Return the runtime that fits a board.

    What the board does not say of its Python and C library comes from its system's release, where known.

    Raises:
        DeviceError: None does.
    """
    _, python, glibc, _ = _release(facts)
    python = parse_version(facts.python) or python
    libc = facts.libc or ("glibc" if glibc else "unknown")
    libc_version = parse_version(facts.libc_version) or (glibc if libc == "glibc" else None)
    machine = facts.userland() or facts.machine or "unknown machine"
    return choose_runtime(machine, libc, libc_version, [python] if python else [])


def _release(facts: BoardFacts) -> tuple[str, Version | None, Version | None, Version | None]:
    known = RELEASES.get((facts.os_id or "", facts.os_version or ""))
    return known or (facts.os or "this board", None, None, None)


def runtime_advice(facts: BoardFacts) -> str:
    """Return one line for people: the runtime for this board and why, or why there is none and what to do."""
    title, _, _, numpy = _release(facts)
    try:
        choice = runtime_for(facts)
    except DeviceError as exc:
        return f"{title}: {exc.message}; {exc.hint}"
    too_old = (facts.userland() or facts.machine) == "armv7l" and numpy is not None and numpy < TFLITE_NUMPY
    warning = ("its own `python3-numpy` is too old",) if too_old else ()
    return f"{title}: `{choice.name}`: {'; '.join((*choice.reasons, *warning))}"


def no_runtime(machine: str) -> str:
    """Return why nothing can be measured on an architecture, whatever the system, or nothing."""
    architecture = architecture_of(machine)
    if architecture in RUNTIME_ARCHITECTURES:
        return ""
    return f"no runtime for `{machine}`" if architecture is None else f"no runtime yet for `{machine}`"


def parse_version(text: str | None) -> Version | None:
    """Return major and minor of `3.11.2`, or `None` where it does not begin so."""
    major, _, rest = (text or "").partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _refuse_system(machine: str, libc: str, version: Version | None) -> None:
    """Refuse a board on which no runtime can load, whatever is installed."""
    missing = no_runtime(machine)
    if missing:
        raise DeviceError(missing, "edgeprof has runtimes for aarch64, x86_64 and armv7l")
    if libc == "musl":
        hint = "use a Debian, Ubuntu or Raspberry Pi OS image, or a Debian container on the board"
        raise DeviceError("the board has musl, and both runtimes need glibc", hint)
    if libc != "glibc" or version is None:
        hint = f"`getconf GNU_LIBC_VERSION` there must say glibc {_dotted(TFLITE_GLIBC)} or newer"
        raise DeviceError("the board's C library is not known", hint)
    if version < TFLITE_GLIBC:
        hint = f"use a system with glibc {_dotted(LITERT_GLIBC)} or newer: Debian 12, Ubuntu 22.04"
        raise DeviceError(f"the board's glibc {_dotted(version)} is too old for any runtime", hint)


def _on_android(machine: str, wanted: str | None) -> RuntimeChoice:
    if architecture_of(machine) not in {"aarch64", "x86_64"}:
        raise DeviceError(f"LiteRT has no library for Android on `{machine}`", "it has 64-bit Arm and x86")
    if wanted == TFLITE_RUNTIME:
        raise DeviceError("`tflite-runtime` does not exist for Android", "`litert` does")
    return RuntimeChoice(LITERT, None, ("Android: by the native agent, with the library out of LiteRT's AAR",))


def _without_python(machine: str, glibc: Version, pythons: Sequence[Version], wanted: str | None) -> RuntimeChoice:
    """Return `litert`, which the native agent runs, or say why a board without a usable Python can run nothing."""
    had = f"only Python {', '.join(map(_dotted, pythons))}" if pythons else "no Python 3"
    against = _against_litert(machine, glibc) or ("`tflite-runtime` needs Python" if wanted == TFLITE_RUNTIME else "")
    if not against:
        return RuntimeChoice(LITERT, None, (*_reasons(LITERT, machine, ""), f"{had}: the native agent runs it"))
    why = f"the board has {had}, and without one it would run `litert`; but {against}"
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
