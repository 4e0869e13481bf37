"""A command that a link runs on the board, on a channel of its own."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess

from edgeprof_streams import BROKEN, EXIT, Streams

_KEPT_BYTES = 64 << 10
_CHUNK_BYTES = 4096
_GRACE_S = 3.0
_AFTERMATH_S = 0.5


class Command:
    """A command that runs on the board, on its channel."""

    def __init__(self, channel: int, argv: list, streams: Streams) -> None:
        self.channel, self._streams = channel, streams
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self._in, self._out, self._err = self._process.stdin, self._process.stdout, self._process.stderr
        for stream in (self._in, self._out, self._err):
            os.set_blocking(stream.fileno(), False)
        self._input, self._input_ends = bytearray(), False
        self._noise, self._status, self._ended_at, self._kill_at = b"", None, None, None

    def wants(self) -> dict:
        """Return what it waits for, by descriptor: a method to call, which does nothing once it was let go of."""
        found = {}
        if self._input and not self._in.closed:
            found[self._in.fileno()] = (select.POLLOUT, self._feed)
        if not self._out.closed and self._streams.queued(self.channel) < _CHUNK_BYTES:
            found[self._out.fileno()] = (select.POLLIN, self._hear)
        if not self._err.closed:
            found[self._err.fileno()] = (select.POLLIN, self._drain)
        return found

    def take(self, data: bytes) -> None:
        """Give it input."""
        if not self._in.closed:
            self._input += data
            self._feed()

    def end_input(self) -> None:
        """End its input, once it has taken what it was given."""
        self._input_ends = True
        if not self._input and not self._in.closed:
            self._in.close()

    def close(self, now: float) -> None:
        """Let go of it: it has a moment to end by itself."""
        self._input.clear()
        for stream in (self._in, self._out, self._err):
            stream.close()
        self._kill_at = now + _GRACE_S

    def over(self, now: float) -> bool:
        """Take note of its end; return whether nothing of it is left."""
        if self._ended_at is None and self._process.poll() is not None:
            self._ended_at = now
        if self._kill_at is not None:
            if self._ended_at is None and now >= self._kill_at:
                self.kill()
            return self._ended_at is not None
        late = self._ended_at is not None and now >= self._ended_at + _AFTERMATH_S
        if self._status is None and self._ended_at is not None and (self._err.closed or late):
            self._status = self._process.returncode
            self._streams.tell(EXIT, self.channel, struct.pack(">i", self._status) + self._noise)
        return self._status is not None and self._out.closed

    def wake_at(self) -> float:
        """Return when `over` has something to do though nothing came."""
        if self._kill_at is not None:
            return self._kill_at
        waits = self._ended_at is not None and self._status is None
        return self._ended_at + _AFTERMATH_S if waits else float("inf")

    def kill(self) -> None:
        """End it with everything it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._process.wait()
        self._ended_at = self._ended_at or 0.0

    def _feed(self) -> None:
        if self._in.closed:
            return
        try:
            count = os.write(self._in.fileno(), self._input)
        except BlockingIOError:
            return
        except OSError:
            self._input.clear()
            self._in.close()
            self._streams.tell(BROKEN, self.channel)
            return
        del self._input[:count]
        self._streams.taken(self.channel, count)
        if self._input_ends:
            self.end_input()

    def _hear(self) -> None:
        if self._out.closed:
            return
        data = os.read(self._out.fileno(), _CHUNK_BYTES)
        if data:
            self._streams.write(self.channel, data)
        else:
            self._out.close()
            self._streams.end(self.channel)

    def _drain(self) -> None:
        if self._err.closed:
            return
        data = os.read(self._err.fileno(), 1 << 16)
        self._noise = (self._noise + data)[-_KEPT_BYTES:]
        if not data:
            self._err.close()
