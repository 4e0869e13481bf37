"""Run, push and pull, built once on `Transport.open`; `pushing` has what a push says and hears."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from edgeprof.errors import DeviceError, LinkLost
from edgeprof.transport import Channel, Transport
from edgeprof.transport.patience import left_s
from edgeprof.transport.pushing import Pushed, Sent, push_file

_ANSWER_S = 60.0
_PIPE_BYTES = 64 << 10  # what a pipe takes though nobody reads it


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended; `stderr` is at most its last 64 KiB."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run(transport: Transport, argv: Sequence[str], timeout_s: float, stdin: bytes | None = b"") -> Completed:
    """Run a command to its end.

    Its standard input is `stdin`; with `None` it stays open, and its end tells the command that nobody waits any more.

    Raises:
        TimeoutError: It takes longer than `timeout_s`.
        LinkLost: The way is gone.
    """
    deadline = time.monotonic() + timeout_s
    with closing(transport.open(argv)) as channel, _feeding(channel, stdin):
        out = b"".join(_chunks(channel, deadline))
        status, err = channel.wait(left_s(deadline))
        return Completed(status, out, err)


def answered(transport: Transport, argv: Sequence[str], timeout_s: float, what: str) -> Completed:
    """Run a command of our own to its end, as `run`; a board that is too slow for it is `LinkLost`."""
    try:
        return run(transport, argv, timeout_s)
    except TimeoutError as exc:
        text = f"the board did not end {what} within {timeout_s:g} s"
        raise LinkLost(text, "is it busy with something else? run it again") from exc


def push(transport: Transport, source: Path, dest: str, sent: Sent | None = None, sha256: str | None = None) -> Pushed:
    """Put a file on the board, unless it is there; go on where an earlier try was cut.

    Args:
        transport: The way to it.
        source: The file here.
        dest: Its path there; may begin with `~/`. Folders are made.
        sent: Told bytes done and in all.
        sha256: The file's hash, where it is known already.

    Raises:
        OSError: The file here cannot be read.
        DeviceError: No room, or not allowed to write there.
        TransportError: What arrived is damaged.
        LinkLost: The way is gone; what arrived stays for the next try.
    """
    with source.open("rb") as file:
        return push_file(transport, file, dest, sent, sha256)


def push_bytes(transport: Transport, data: bytes, dest: str, sent: Sent | None = None) -> Pushed:
    """Put bytes on the board as a file; otherwise as `push`."""
    return push_file(transport, BytesIO(data), dest, sent, hashlib.sha256(data).hexdigest())


def pull_bytes(transport: Transport, source: str) -> bytes:
    """Return a file of the board.

    Raises:
        DeviceError: It is not there or may not be read.
        LinkLost: The way is gone, or nothing came for a minute.
    """
    with closing(transport.open(("cat", "--", source))) as channel:
        channel.close_stdin()
        try:
            data = b"".join(_chunks(channel, None))
            status, err = channel.wait(_ANSWER_S)
        except TimeoutError as exc:
            raise LinkLost(f"`{source}` did not come from the board in time", "run it again; look at the link") from exc
    if status != 0:
        why = err.decode(errors="replace").strip()
        raise DeviceError(f"cannot read `{source}` on the board: {why}", "is it there, and may you read it?")
    return data


@contextmanager
def _feeding(channel: Channel, stdin: bytes | None) -> Iterator[None]:
    """Write a command's input beside reading its output: else both sides of `cat` wait for ever."""
    if stdin is None:
        yield
        return

    def feed() -> None:
        # It may end without reading; and a link that is lost is found by who reads.
        with suppress(BrokenPipeError, LinkLost, ValueError):
            channel.write(stdin)
        channel.close_stdin()

    feeder = threading.Thread(target=feed, name="edgeprof-stdin", daemon=True)
    if len(stdin) <= _PIPE_BYTES:
        feed()
        yield
        return
    feeder.start()
    try:
        yield
    finally:
        channel.close()
        feeder.join()


def _chunks(channel: Channel, deadline: float | None) -> Iterator[bytes]:
    while chunk := channel.read(_ANSWER_S if deadline is None else left_s(deadline)):
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError  # it prints without end
        yield chunk
