"""This machine as a board: commands are subprocesses, through the same agent, bootstrap and protocol as any other."""

import os
import select
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from edgeprof.errors import LinkLost
from edgeprof.transport import Channel

KEPT_BYTES = 64 << 10
_GRACE_S = 3.0


class LocalTransport:
    """See `Transport`."""

    url = "local:"
    bytes_per_s: int | None = None

    def __init__(self, stall_s: float = 60.0) -> None:
        """Take how long a command may leave its input untaken."""
        self._stall_s = stall_s
        self._channels: list[LocalChannel] = []

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`."""
        self._channels = [channel for channel in self._channels if not channel.closed]
        channel = LocalChannel(argv, self._stall_s)
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        """See `Transport`."""
        while self._channels:
            self._channels.pop().close()


class LocalChannel:
    """See `Channel`."""

    def __init__(self, argv: Sequence[str], stall_s: float, kept_bytes: int = KEPT_BYTES) -> None:
        self._stall_s = stall_s
        self._kept_bytes = kept_bytes
        self._process = _started(argv)
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101, PT018 - all are pipes
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        os.set_blocking(self._stdin.fileno(), False)
        self.closed = False
        self._noise = bytearray()
        self._drain = threading.Thread(target=self._drain_stderr, name="edgeprof-stderr", daemon=True)
        self._drain.start()

    def write(self, data: bytes) -> None:
        """See `Channel`; a command that takes nothing for a minute is `LinkLost` too."""
        view = memoryview(data)
        while view:
            if self._stdin.closed:
                raise BrokenPipeError
            if not _ready(self._stdin.fileno(), select.POLLOUT, self._stall_s):
                raise LinkLost(
                    f"the command took nothing for {self._stall_s:g} s", "what finished is stored; run it again"
                )
            with suppress(BlockingIOError):
                view = view[os.write(self._stdin.fileno(), view) :]

    def close_stdin(self) -> None:
        """See `Channel`."""
        with suppress(OSError, ValueError):
            self._stdin.close()

    def read(self, timeout_s: float) -> bytes:
        """See `Channel`."""
        if self.closed:
            return b""
        if not _ready(self._stdout.fileno(), select.POLLIN, timeout_s):
            raise TimeoutError
        return os.read(self._stdout.fileno(), 1 << 16)

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        """See `Channel`."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise TimeoutError from exc
        self._drain.join(_GRACE_S)
        return status, bytes(self._noise)

    def close(self) -> None:
        """See `Channel`; a command that does not end by itself is ended with its whole group."""
        if self.closed:
            return
        self.closed = True
        self.close_stdin()
        self._stdout.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._kill()
        self._drain.join(_GRACE_S)
        if self._drain.is_alive():  # a child of the command holds its standard error
            self._kill()
            self._drain.join(_GRACE_S)
        self._stderr.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _drain_stderr(self) -> None:
        with suppress(OSError, ValueError):
            while chunk := os.read(self._stderr.fileno(), 1 << 16):
                self._noise += chunk
                del self._noise[: -self._kept_bytes]


def _started(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return _popen(list(argv))
    except OSError as exc:
        # A shell would say so with this status; a remote one does.
        return _popen(["sh", "-c", 'echo "$1" >&2; exit 127', "sh", f"{argv[0]}: {exc.strerror}"])


def _popen(argv: list[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)


def _ready(descriptor: int, event: int, timeout_s: float) -> bool:
    poll = select.poll()  # not `select.select`, which knows only the first 1024 descriptors
    poll.register(descriptor, event)
    return bool(poll.poll(timeout_s * 1000))
