"""This machine as a board: commands are subprocesses, through the same agent, bootstrap and protocol as any other."""

import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from edgeprof.transport import Channel

_KEPT_BYTES = 64 << 10
_GRACE_S = 3.0


class LocalTransport:
    """See `Transport`."""

    url = "local:"

    def __init__(self) -> None:
        self._channels: list[LocalChannel] = []

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`."""
        channel = LocalChannel(argv)
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        """See `Transport`."""
        for channel in self._channels:
            channel.close()


class LocalChannel:
    """See `Channel`."""

    def __init__(self, argv: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as exc:
            # A shell would say so with this status; a remote one does.
            self._process = subprocess.Popen(
                ["sh", "-c", 'echo "$1" >&2; exit 127', "sh", f"{argv[0]}: {exc.strerror}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101, PT018 - all are pipes
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self._noise = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._drain = threading.Thread(target=self._drain_stderr, daemon=True)
        self._drain.start()

    def write(self, data: bytes) -> None:
        """See `Channel`."""
        self._stdin.write(data)
        self._stdin.flush()

    def close_stdin(self) -> None:
        """See `Channel`."""
        with suppress(OSError, ValueError):
            self._stdin.close()

    def read(self, timeout_s: float) -> bytes:
        """See `Channel`."""
        if not self._selector.select(timeout_s):
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
        self.close_stdin()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._drain.join(_GRACE_S)
        self._selector.close()
        self._stdout.close()
        self._stderr.close()

    def _drain_stderr(self) -> None:
        with suppress(OSError, ValueError):
            while chunk := os.read(self._stderr.fileno(), 1 << 16):
                self._noise += chunk
                del self._noise[:-_KEPT_BYTES]
