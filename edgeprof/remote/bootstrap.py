"""Getting a bare board ready: agent and runtime pushed under their hashes. Done again, it pushes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeprof.boards import choose_runtime
from edgeprof.errors import DeviceError
from edgeprof.remote.pyz import agent_archive
from edgeprof.remote.survey import EVERY_PYTHON, OLDEST_PYTHON, USUAL_PYTHONS, Survey, survey
from edgeprof.remote.wheels import LITERT, RuntimePackage, find_package, packed
from edgeprof.transport import Transport
from edgeprof.transport.files import push, push_bytes, run

DEFAULT_HOME = "~/.edgeprof"
_UNPACK_TIMEOUT_S = 300.0

Say = Callable[[str], None]
Bytes = Callable[[int, int], None]

# $1 home, $2 the runtime's folder, $3 the archive, $4 a Python: unpacked beside its place, then moved into it at once.
# Python unpacks: it is there, and stripped boards have no gzip. One import leaves byte code, which no launch writes:
# without it each would compile all of numpy anew. Whether the runtime works is the self-test's matter.
_UNPACK = r"""
unpack='import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])'
compile='import sys; sys.path.insert(0, sys.argv[1]); import tflite_runtime.interpreter'
cd "$1/runtimes" && rm -rf "$2.part" && mkdir "$2.part" && "$4" -I -S -W ignore -c "$unpack" "$3" "$2.part" &&
[ -f "$2.part/runtime.json" ] || exit 1
[ ! -d "$2.part/tflite_runtime" ] || "$4" -I -c "$compile" "$2.part" 2>/dev/null
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
    """

    home: str = DEFAULT_HOME
    runtime: str | None = None
    wheels: tuple[Path, ...] = ()
    pythons: tuple[str, ...] = USUAL_PYTHONS


@dataclass(frozen=True, slots=True)
class Prepared:
    """A board that has all it needs.

    Attributes:
        survey: What it is.
        python: The Python that runs the agent there.
        agent_path: The agent's file there.
        package: The runtime.
        pushed_bytes: What had to be sent; 0 when all was there.
    """

    survey: Survey
    python: str
    agent_path: str
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
    found = survey(transport, options.home, options.pythons)
    try:
        python, package = _choose(found, options.runtime)
    except DeviceError:  # another Python of the board may do
        found = survey(transport, options.home, (*options.pythons, *EVERY_PYTHON))
        python, package = _choose(found, options.runtime)
    agent_path, agent_bytes = _push_agent(transport, found, say)
    archive = _packed_if_missing(found, package, options, say)
    runtime_bytes = _push_runtime(transport, found, python, archive, package, sent)
    return Prepared(found, python, agent_path, package, agent_bytes + runtime_bytes)


def agent_command(transport: Transport, options: SetupOptions, say: Say) -> tuple[str, ...]:
    """Push the agent alone, for boards that are only asked what they are; return the command that starts it.

    Raises:
        DeviceError: The board has no usable Python, or no room.
        LinkLost: The way is gone.
    """
    found = survey(transport, options.home, (*options.pythons, *EVERY_PYTHON))
    _, python = _usable(found)[0]
    agent_path, _ = _push_agent(transport, found, say)
    return serve_command(python, agent_path, found.home)


def serve_command(python: str, agent_path: str, home: str) -> tuple[str, ...]:
    """Return the command that starts an agent, as docs/agent-protocol.md has it."""
    return (python, "-I", "-S", "-B", agent_path, "serve", home)


def _packed_if_missing(found: Survey, package: RuntimePackage, options: SetupOptions, say: Say) -> Path | None:
    """Return the runtime's archive on the host, or `None` where the board has it."""
    if f"runtimes/{package.folder}/runtime.json" in found.has:
        return None
    archive = packed(package, options.wheels, say)
    say(f"pushing {package.name} {package.version} ({archive.stat().st_size / 1e6:.1f} MB)")
    return archive


def _choose(found: Survey, wanted: str | None) -> tuple[str, RuntimePackage]:
    usable = _usable(found)
    choice = choose_runtime(found.machine, found.libc, found.libc_version, [version for version, _ in usable], wanted)
    version, path = next(item for item in usable if choice.name == LITERT or item[0] == choice.python)
    return path, find_package(choice.name, found.machine, version)


def _usable(found: Survey) -> list[tuple[tuple[int, int], str]]:
    usable = [(version, path) for version, path in found.pythons if version >= OLDEST_PYTHON]
    if not usable:
        raise _no_python(found.pythons)
    return usable


def _no_python(pythons: Sequence[tuple[tuple[int, int], str]]) -> DeviceError:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    hint = f"the agent needs Python {oldest} or newer there: `sudo apt install python3`"
    if not pythons:
        return DeviceError("the board has no Python 3", hint)
    had = ", ".join(f"{major}.{minor}" for (major, minor), _ in pythons)
    return DeviceError(f"the board's Python is too old: {had}", hint)


def _push_agent(transport: Transport, found: Survey, say: Say) -> tuple[str, int]:
    data, sha256 = agent_archive()
    name = f"agents/{sha256}.pyz"
    path = f"{found.home}/{name}"
    if name in found.has:
        return path, 0
    say("pushing the agent")
    return path, push_bytes(transport, data, path).bytes_sent


def _push_runtime(
    transport: Transport,
    found: Survey,
    python: str,
    archive: Path | None,
    package: RuntimePackage,
    sent: Bytes | None,
) -> int:
    if archive is None:
        return 0
    there = f"{found.home}/runtimes/{package.folder}.tar.gz"
    pushed = push(transport, archive, there, sent)
    done = run(transport, ("sh", "-c", _UNPACK, "sh", found.home, package.folder, there, python), _UNPACK_TIMEOUT_S)
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise DeviceError(
            f"{package.name} could not be unpacked on the board: {words[-1] if words else 'no reason given'}",
            "is there room? `df -h` there; or give another folder with `--home`",
        )
    return pushed.bytes_sent
