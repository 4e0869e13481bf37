"""Getting a bare board ready: agent and runtime pushed under their hashes. Done again, it pushes nothing."""

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeprof.boards import choose_runtime
from edgeprof.errors import DeviceError, UsageError
from edgeprof.remote.android import phone_runtime
from edgeprof.remote.given import GivenLibrary, link_library
from edgeprof.remote.programs import AgentFiles, push_linux_agent, push_native_agent
from edgeprof.remote.slow import Agree, announced, never, repacked
from edgeprof.remote.survey import EVERY_PYTHON, USUAL_PYTHONS, Survey, survey, usable_pythons
from edgeprof.remote.wheels import LITERT, RuntimePackage, find_package, packed
from edgeprof.transport import Transport
from edgeprof.transport.files import answered, push, push_bytes

DEFAULT_HOME = "~/.edgeprof"
_UNPACK_TIMEOUT_S = 300.0

Say = Callable[[str], None]
Bytes = Callable[[int, int], None]

# What is there by its name alone, agents and runtimes, must not be there in part after a power cut.
_SETTLE = '{ sync -f "$1" || sync; } 2>/dev/null; exit 0'

# $1 home, $2 the runtime's folder, $3 the archive, $4 a Python: unpacked beside its place, then moved into it at once.
# Python unpacks: it is there, and stripped boards have no gzip. One import leaves byte code, which no launch writes:
# without it each would compile all of numpy anew. Whether the runtime works is the self-test's matter.
# `sync`: the runtime's name must not outlive a power cut that what is in it did not.
_UNPACK = r"""
unpack='import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])'
compile='import sys; sys.path.insert(0, sys.argv[1]); import tflite_runtime.interpreter'
cd "$1/runtimes" && rm -rf "$2.part" && mkdir "$2.part" && "$4" -I -S -W ignore -c "$unpack" "$3" "$2.part" &&
[ -f "$2.part/runtime.json" ] || exit 1
[ ! -d "$2.part/tflite_runtime" ] || "$4" -I -c "$compile" "$2.part" 2>/dev/null
{ sync -f "$2.part" || sync; } 2>/dev/null
rm -rf "$2" && mv "$2.part" "$2" && rm -f "$3"
"""


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """How to get a board ready.

    Attributes:
        home: Our folder on the board.
        runtime: `litert`, `tflite-runtime`, or `None` for whichever fits.
        wheels: Wheels given by hand, for hosts without a network.
        pythons: Pythons on the board to look at first.
        native: Use the native agent though there is a Python.
        library: A LiteRT library on the board, instead of one that is pushed.
        agree: Asked before a push that takes long.
        benchmark_model: A vendor's program, for boards on which no agent of ours has a runtime; or `None`.
    """

    home: str = DEFAULT_HOME
    runtime: str | None = None
    wheels: tuple[Path, ...] = ()
    pythons: tuple[str, ...] = USUAL_PYTHONS
    native: bool = False
    library: GivenLibrary | None = None
    agree: Agree = never
    benchmark_model: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A board that has all it needs.

    Attributes:
        survey: What it is.
        agent: The agent's files there.
        package: The runtime.
        pushed_bytes: What had to be sent; 0 when all was there.
    """

    survey: Survey
    agent: AgentFiles
    package: RuntimePackage
    pushed_bytes: int


def prepare(transport: Transport, options: SetupOptions, say: Say, sent: Bytes | None = None) -> Prepared:
    """Look at the board and push what is missing.

    Args:
        transport: The way to it.
        options: See `SetupOptions`.
        say: Told each step that takes a while.
        sent: Told bytes sent and in all, during a push.

    Raises:
        DeviceError: The board cannot run any runtime, or has no room.
        LinkLost: The way is gone.
    """
    found, python, package = _choose(transport, options)
    agent = push_linux_agent(transport, found, python, say) if python else push_native_agent(transport, found, say)
    archive = _packed_if_missing(found, package, options, say)
    if archive is not None:
        archive = repacked(transport, archive, python)
        what = announced(transport, f"{package.name} {package.version}", archive.stat().st_size, options.agree)
        say(f"pushing {what}")
    if archive is None:
        runtime_bytes = 0
        if agent.pushed_bytes:
            _settle(transport, found)
    elif python:
        runtime_bytes = _push_runtime(transport, found, python, archive, package, sent)
    else:
        runtime_bytes = _push_members(transport, found, archive, package, sent)
    return Prepared(found, agent, package, agent.pushed_bytes + runtime_bytes)


def _packed_if_missing(found: Survey, package: RuntimePackage, options: SetupOptions, say: Say) -> Path | None:
    """Return the runtime's archive on the host, or `None` where the board has it."""
    if options.library or f"runtimes/{package.folder}/runtime.json" in found.has:
        return None
    return packed(package, options.wheels, say)


def _choose(transport: Transport, options: SetupOptions) -> tuple[Survey, str | None, RuntimePackage]:
    """Look at the board; return what it is, the Python to use or `None`, and the runtime.

    Its other Pythons are looked at only where the usual one does not do: each costs up to 0.1 s.
    """
    if options.library:
        if options.runtime not in (None, LITERT):
            raise UsageError(
                f"`{options.library.path}` is LiteRT's, and `{options.runtime}` is asked for", "choose one"
            )
        found = survey(transport, options.home, () if options.native else (*options.pythons, *EVERY_PYTHON))
        usable = usable_pythons(found)
        return found, usable[0][1] if usable else None, link_library(transport, found, options.library)
    if options.native:
        found = survey(transport, options.home, ())
        return (found, *_fitting(found, options))
    found = survey(transport, options.home, options.pythons)
    try:
        python, package = _fitting(found, options)
    except DeviceError:
        python = None
    if python is None:
        found = survey(transport, options.home, (*options.pythons, *EVERY_PYTHON))
        python, package = _fitting(found, options)
    return found, python, package


def _fitting(found: Survey, options: SetupOptions) -> tuple[str | None, RuntimePackage]:
    usable = usable_pythons(found)
    versions = [version for version, _ in usable or found.pythons]
    choice = choose_runtime(found.machine, found.libc, found.libc_version, versions, options.runtime)
    if found.libc == "bionic":
        return None, phone_runtime(found.machine, options.wheels, found.has)
    if choice.python is None:
        return None, find_package(choice.name, found.machine, (0, 0))
    version, path = next(item for item in usable if choice.name == LITERT or item[0] == choice.python)
    return path, find_package(choice.name, found.machine, version)


def _push_members(
    transport: Transport, found: Survey, archive: Path, package: RuntimePackage, sent: Bytes | None
) -> int:
    """Push a runtime file by file: a board without Python may have no `tar` or `gzip` either.

    Its description, by which it is known to be there, comes last, when all else is on the disk.
    """
    total = 0
    with tarfile.open(archive) as packed_:
        members = sorted(packed_.getmembers(), key=lambda member: member.name == "runtime.json")
        for member in members:
            if member is members[-1]:
                _settle(transport, found)
            file = packed_.extractfile(member)
            data = file.read() if file else b""
            there = f"{found.home}/runtimes/{package.folder}/{member.name}"
            total += push_bytes(transport, data, there, sent).bytes_sent
    return total


def _settle(transport: Transport, found: Survey) -> None:
    """Wait until what was pushed is on the board's disk."""
    answered(transport, ("sh", "-c", _SETTLE, "sh", found.home), _UNPACK_TIMEOUT_S, "writing to its disk")


def _push_runtime(
    transport: Transport,
    found: Survey,
    python: str,
    archive: Path,
    package: RuntimePackage,
    sent: Bytes | None,
) -> int:
    there = f"{found.home}/runtimes/{archive.name}"
    pushed = push(transport, archive, there, sent)
    script = ("sh", "-c", _UNPACK, "sh", found.home, package.folder, there, python)
    done = answered(transport, script, _UNPACK_TIMEOUT_S, f"unpacking {package.name}")
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise DeviceError(
            f"{package.name} could not be unpacked on the board: {words[-1] if words else 'no reason given'}",
            "is there room? `df -h` there; or give another folder with `--home`",
        )
    return pushed.bytes_sent
