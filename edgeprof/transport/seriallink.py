"""The serial protocol's own files, which also go to the board: loaded here, packed there."""

import base64
import hashlib
import importlib.util
import sys
import time
import zlib
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from edgeprof import resources
from edgeprof.transport.serialport import Line

# In the order that each needs those before it; the first four are the host's too.
_SHARED = ("edgeprof_frames", "edgeprof_flow", "edgeprof_streams", "edgeprof_link")
_PARTS = (*_SHARED, "edgeprof_command", "edgeprof_far")
# Each part becomes a module of the board's Python; nothing is written to its disk.
_PROGRAM = """
import sys, types
for name, source in {parts!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(int(session), float(silent_s), t, was)
"""
# `sh -c` because whatever shell the user has there only starts it, and no quote within, for the same reason.
_COMMAND = (
    "sh -c 'command -v python3 >/dev/null || {{ echo edgeprof-nopython-$((0+{mark})); exit 1; }}; "
    'exec python3 -I -S -c "import base64,sys,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1]),-15))" '
    "{loader} {mark} {session} {silent_s:g} {size} {digest}'"
)


def _loaded(name: str) -> ModuleType:
    path = resources.folder("device_agents") / "link" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # noqa: S101, PT018 - a path to a file of ours has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


frames, flow, streams, protocol = (_loaded(name) for name in _SHARED)
Link = Any  # the protocol's files are loaded by their paths, which no type checker follows
Record = tuple[int, int, bytes]


@cache
def packed_program() -> bytes:
    """Return the far end's program as it is uploaded."""
    folder = resources.folder("device_agents") / "link"
    parts = [(name, (folder / f"{name}.py").read_text()) for name in _PARTS]
    return zlib.compress(_PROGRAM.format(parts=parts).encode(), 9)


def start_command(mark: int, session: int, silent_s: float) -> str:
    """Return what is typed at the board's shell: it takes `packed_program` from the line and runs it.

    Args:
        mark: A number that its answers end with, so that no echo and no earlier answer is taken for one.
        session: The session's number.
        silent_s: After so long without a frame the far end gives the console back.
    """
    lines = (resources.folder("device_agents") / "link" / "loader.py").read_text().splitlines()
    text = "\n".join(line for line in lines if line and not line.startswith("#")).replace("    ", " ")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    loader = base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()
    program = packed_program()
    digest = hashlib.sha256(program).hexdigest()
    return _COMMAND.format(
        loader=loader, mark=mark, session=session, silent_s=silent_s, size=len(program), digest=digest
    )


def drive(line: Line, link: Link, done: Callable[[list[Record]], bool], timeout_s: float) -> bool:
    """Let a link talk until `done`, which is given every record so far, or until the time is over; return which.

    Raises:
        OSError: The line is gone.
    """
    end, records = time.monotonic() + timeout_s, list[Record]()
    while not done(records):
        if time.monotonic() > end:
            return False
        while data := link.send(time.monotonic()):
            line.write(data)
        if heard := line.read(0.02):
            records += link.receive(heard, time.monotonic())
    return True
