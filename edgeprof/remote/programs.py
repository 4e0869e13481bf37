"""An agent's files on a board: pushed under their hashes, and the commands that start them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from edgeprof import resources
from edgeprof.errors import DeviceError
from edgeprof.remote.android import phone_agent
from edgeprof.remote.native import native_agent
from edgeprof.remote.pyz import agent_archive
from edgeprof.remote.survey import Survey
from edgeprof.transport import Transport
from edgeprof.transport.files import push_bytes, run

_TIMEOUT_S = 30.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AgentFiles:
    """An agent on a board.

    Attributes:
        command: What starts it there.
        home: Our folder there.
        script: The shell script that answers `probe` there; `None`: the agent does.
        pushed_bytes: What had to be sent.
    """

    command: tuple[str, ...]
    home: str
    script: str | None
    pushed_bytes: int


def push_linux_agent(transport: Transport, found: Survey, python: str, say: Say) -> AgentFiles:
    """Put the agent in Python on a board; docs/agent-protocol.md has the command.

    Raises:
        DeviceError: No room, or not allowed to write there.
        LinkLost: The way is gone.
    """
    data, sha256 = agent_archive()
    path, sent = _put(transport, found, data, f"{sha256}.pyz", say)
    return AgentFiles((python, "-I", "-S", "-B", path, "serve", found.home), found.home, None, sent)


def push_native_agent(transport: Transport, found: Survey, say: Say) -> AgentFiles:
    """Put the agent in C on a board that has no Python.

    Raises:
        DeviceError: No such program for the board, no room, or nothing may be run where it lies.
        UsageError: It must be compiled, and the compiler is not there.
        LinkLost: The way is gone.
    """
    script, script_bytes = push_script(transport, found, say)
    program = phone_agent(found.machine) if found.libc == "bionic" else native_agent(found.machine, say)
    data = program.read_bytes()
    name = f"{hashlib.sha256(data).hexdigest()}.native"
    path, program_bytes = _put(transport, found, data, name, say)
    if program_bytes:
        _make_runnable(transport, path)
    return AgentFiles((path, "serve", found.home), found.home, script, script_bytes + program_bytes)


def push_script(transport: Transport, found: Survey, say: Say) -> tuple[str, int]:
    """Put `agent.sh` on a board; return its path there and the bytes sent.

    Raises:
        DeviceError: No room, or not allowed to write there.
        LinkLost: The way is gone.
    """
    data = (resources.folder("device_agents") / "oneshot" / "agent.sh").read_bytes()
    return _put(transport, found, data, f"{hashlib.sha256(data).hexdigest()}.sh", say)


def push_clocks(transport: Transport, found: Survey, say: Say) -> tuple[str, int]:
    """Put `clocks.sh` on a board; return its path there and the bytes sent.

    Raises:
        DeviceError: No room, or not allowed to write there.
        LinkLost: The way is gone.
    """
    data = (resources.folder("device_agents") / "clocks" / "clocks.sh").read_bytes()
    return _put(transport, found, data, f"{hashlib.sha256(data).hexdigest()}.clocks.sh", say)


def _put(transport: Transport, found: Survey, data: bytes, name: str, say: Say) -> tuple[str, int]:
    path = f"{found.home}/agents/{name}"
    if f"agents/{name}" in found.has:
        return path, 0
    say("pushing the agent")
    return path, push_bytes(transport, data, path).bytes_sent


def _make_runnable(transport: Transport, path: str) -> None:
    try:
        done = run(transport, ("sh", "-c", 'chmod 755 "$1" && exec "$1" about', "sh", path), _TIMEOUT_S)
    except TimeoutError as exc:
        raise DeviceError("the native agent did not start in time", "is the board busy? `uptime` there tells") from exc
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        hint = "is that folder mounted `noexec`? give another with `edgeprof device add … --home FOLDER`"
        raise DeviceError(f"the native agent does not start on the board: {words[-1]}", hint)
