"""A link under way: two threads carry its frames, and whoever waits for something is told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from edgeprof.errors import LinkLost, TransportError
from edgeprof.transport.serialconsole import USUAL, Patience, Restart
from edgeprof.transport.seriallink import Link, Record, flow, frames, protocol, streams
from edgeprof.transport.serialport import Line, open_line
from edgeprof.transport.serialurl import SerialAddress

_READ_S = 0.1
_IDLE_S = 1.0
_AGAIN_S = 0.5
_GOODBYE_S = 1.0
_GOODBYES = 3
_CHANNELS = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait for a link.

    Attributes:
        silent_s: A board of which no sound frame comes for so long is gone.
        far_silent_s: A board that hears none of ours for so long gives its console back.
        stall_s: A command that takes none of its input for so long is given up.
        ping_s: A board that says nothing is asked for a sign of life so often.
        first_frame_s: A link whose program has started and of which no frame gets through for so long is no link.
        console: How long to wait at the console before, while there is no link.
    """

    silent_s: float = 20.0
    far_silent_s: float = 25.0
    stall_s: float = 60.0
    ping_s: float = 2.0
    first_frame_s: float = 20.0
    console: Patience = USUAL


class Pump:
    """Carries a link over a line that may come and go.

    Attributes:
        link: The link; touch it only while holding `changed`.
        changed: Notified whenever anything came, went or was lost.
        baud: The line's speed now.
    """

    def __init__(self, address: SerialAddress, line: Line, link: Link, baud: int, deadlines: Deadlines) -> None:
        self.link, self.changed = link, threading.Condition()
        self._address, self._line, self._deadlines, self.baud = address, line, deadlines, baud
        self._restart = Restart(deadlines.console.countdown_s)
        self._takers: dict[int, Callable[[int, bytes], None]] = {}
        self._newest = 0
        self._writing = threading.Lock()
        self._lost = ""
        self._closing = False
        self._threads = [
            threading.Thread(target=each, name="edgeprof-serial", daemon=True) for each in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, taker: Callable[[int, bytes], None]) -> int:
        """Give a new channel to whoever takes its records; return its number. Called while holding `changed`."""
        # Not a number that was free a moment ago: the board may still speak on it.
        number = next(n for n in _numbers(self._newest) if n not in self._takers)
        self._newest = number
        self._takers[number] = taker
        self.link.streams.add(number)
        return number

    def remove(self, number: int) -> None:
        """Let go of a channel. Called while holding `changed`."""
        self.link.streams.end(number, streams.CLOSE)
        self._takers.pop(number, None)
        self.changed.notify_all()

    def await_(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `done`, or for a time; return which. Called while holding `changed`.

        Raises:
            LinkLost: The link is gone, and it is not done.
        """
        self.changed.wait_for(lambda: done() or self._lost or self._closing, timeout_s)
        if done():
            return True
        if self._lost:
            raise self.lost(self._lost)
        return False

    def lost(self, why: str) -> LinkLost:
        """Return the error of a link that is gone."""
        return LinkLost(f"the link to {self._address.url} is gone: {why}", "what finished is stored; run it again")

    def close(self) -> None:
        """End the link, so that the board's console is as it was. Never raises."""
        with self.changed:
            for _ in range(0 if self._lost else _GOODBYES):
                self.link.say(frames.QUIT)
                self.changed.notify_all()
                if self.changed.wait_for(lambda: self.link.gone is not None or self._lost, _GOODBYE_S):
                    break
            self._closing = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._line.close()

    def _read(self) -> None:
        while not self._closing:
            try:
                data = self._line.read(_READ_S)
                with self.changed:
                    self._take(data)
            except OSError as exc:
                self._reopen(exc)

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        for kind, channel, payload in self.link.receive(data, now) if data else list[Record]():
            if channel in self._takers:
                self._takers[channel](kind, payload)
        silence_s = now - self.link.heard_at
        self._restart.heard(data, now, framed=silence_s == 0)
        if self.link.gone is not None:
            self._lost = self._lost or self.link.gone
        elif silence_s > self._deadlines.silent_s:
            self._lost = self._lost or f"nothing sound was heard for {silence_s:.0f} s"
        elif self.baud != self._address.baud and silence_s > protocol.FALLBACK_S:
            self._fall_back()
        if data or self._lost:
            self.changed.notify_all()

    def _fall_back(self) -> None:
        """Return to the console's own speed, as the board does when it hears nothing either."""
        self.baud = self._address.baud
        self._line.set_baud(self.baud)
        self.link.limit(flow.Limits(self.baud))

    def _reopen(self, cause: OSError) -> None:
        """Take a line again that went away, as an adapter does that is plugged out and in; the session goes on."""
        if time.monotonic() - self.link.heard_at > self._deadlines.silent_s:
            with self.changed:
                self._lost = self._lost or str(cause.strerror or cause)
                self.changed.notify_all()
        with self._writing:
            self._line.close()
        time.sleep(_READ_S if self._lost or self._closing else _AGAIN_S)
        with suppress(TransportError, OSError):
            fresh = open_line(self._address)
            with self.changed:
                self._line = fresh
                self.baud = self._address.baud
                self.link.limit(flow.Limits(self._address.baud if self._address.bytes_per_s else None))

    def _write(self) -> None:
        while not self._closing:
            with self.changed:
                now = time.monotonic()
                quiet_until = self._restart.quiet_until()
                if self._restart.is_over(now) and not self._lost:
                    self._lost = "the board has started anew"
                    self.changed.notify_all()
                data = b"" if self._lost or now < quiet_until else self.link.send(now)
                if not data:
                    wake_at = max(self.link.wake_at(), quiet_until)
                    self.changed.wait(max(0.0, min(wake_at - now, _IDLE_S)) if not self._lost else _IDLE_S)
                    continue
            with self._writing, suppress(OSError):  # the reading side finds out, and what was lost is sent again
                self._line.write(data)


def _numbers(after: int) -> Iterator[int]:
    """Yield every channel's number, from the one after `after` round."""
    return (1 + (after + step) % _CHANNELS for step in range(_CHANNELS))
