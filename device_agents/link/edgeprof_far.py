"""The board's end of a serial link: serves one session on the terminal it was started on, and gives that back.

Standard library only, Python 3.7 to 3.13; `edgeprof_link` and its parts came with it through the console.
"""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import termios
import time

import edgeprof_streams as records
from edgeprof_command import Command
from edgeprof_flow import Limits
from edgeprof_frames import GONE, frame
from edgeprof_link import FALLBACK_S, Link

_TRIAL_S = 2.5
_GRACE_S = 3.0
_SETTLE_S = 0.05


class Far:
    """The board's end: a link on a terminal, and the commands that run over it."""

    def __init__(self, terminal: int, session: int, silent_s: float) -> None:
        self._terminal, self._silent_s = terminal, silent_s
        self._base = self._baud = termios.tcgetattr(terminal)[5]
        self._link = Link(session, time.monotonic(), Limits(_number_of(self._base)))
        self._commands, self._out = {}, b""
        self._wanted = self._trial_until = None
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        signal.set_wakeup_fd(self._wake_out)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Serve until the host ends the link or is not heard any more."""
        try:
            while not self._over():
                self._mind_speed()
                self._mind_commands()
                self._out = self._out or self._link.send(time.monotonic())
                self._wait()
        finally:
            self._shut()

    def _over(self) -> bool:
        link = self._link
        return link.quitting or link.gone is not None or time.monotonic() > link.heard_at + self._silent_s

    def _shut(self) -> None:
        if self._link.quitting:
            os.write(self._terminal, frame(GONE, self._link.session, payload=b"ended"))
            if self._baud != self._base:
                time.sleep(_SETTLE_S)  # terminals say that all is out a little too early, and it must go at this speed
        now = time.monotonic()
        for command in self._commands.values():
            command.close(now)
        while time.monotonic() < now + 1 and not all(c.over(time.monotonic()) for c in self._commands.values()):
            time.sleep(0.02)
        for command in self._commands.values():
            command.kill()

    def _wait(self) -> None:
        wants = {self._terminal: (select.POLLIN, self._hear), self._wake_in: (select.POLLIN, self._woken)}
        for command in self._commands.values():
            wants.update(command.wants())
        poll = select.poll()
        for descriptor, (event, _) in wants.items():
            poll.register(descriptor, event)
        if self._out:
            poll.register(self._terminal, select.POLLIN | select.POLLOUT)
        for descriptor, events in poll.poll(self._patience_ms()):
            if descriptor != self._terminal or events & ~select.POLLOUT:
                wants[descriptor][1]()
            if descriptor == self._terminal and events & select.POLLOUT:
                self._write()

    def _patience_ms(self) -> int:
        times = [self._link.wake_at(), self._link.heard_at + self._silent_s, time.monotonic() + 1]
        times += [command.wake_at() for command in self._commands.values()]
        return max(0, int((min(times) - time.monotonic()) * 1000) + 1)

    def _woken(self) -> None:
        os.read(self._wake_in, 512)

    def _write(self) -> None:
        try:
            self._out = self._out[os.write(self._terminal, self._out) :]
        except BlockingIOError:
            pass  # another process writes there at this very moment

    def _hear(self) -> None:
        try:
            data = os.read(self._terminal, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        for kind, channel, payload in self._link.receive(data, time.monotonic()):
            self._obey(kind, channel, payload)

    def _obey(self, kind: int, channel: int, payload: bytes) -> None:
        command = self._commands.get(channel)
        if kind == records.OPEN:
            self._open(channel, [os.fsencode(word) for word in json.loads(payload.decode())])
        elif kind == records.SPEED:
            self._propose(struct.unpack(">I", payload)[0])
        elif kind == records.STAY:
            self._trial_until = None
        elif command is not None:
            if kind == records.BYTES:
                command.take(payload)
            elif kind == records.END:
                command.end_input()
            elif kind == records.CLOSE:
                command.close(time.monotonic())
        if kind == records.CLOSE:
            self._link.streams.forget(channel)

    def _open(self, channel: int, argv: list) -> None:
        streams = self._link.streams
        streams.add(channel)
        try:
            self._commands[channel] = Command(channel, argv, streams)
        except (OSError, ValueError) as exc:
            # A shell would say so with this status.
            why = os.fsencode("{}: {}\n".format(os.fsdecode(argv[0]), getattr(exc, "strerror", None) or exc))
            streams.end(channel)
            streams.tell(records.BROKEN, channel)
            streams.tell(records.EXIT, channel, struct.pack(">i", 127) + why)

    def _mind_commands(self) -> None:
        now = time.monotonic()
        for channel, command in list(self._commands.items()):
            if command.over(now):
                del self._commands[channel]

    def _propose(self, baud: int) -> None:
        self._wanted = getattr(termios, "B{}".format(baud), None)
        self._link.streams.tell(records.REFUSED if self._wanted is None else records.AGREED)

    def _mind_speed(self) -> None:
        """Change to the speed agreed on once the host knows; and back, where nothing sound is heard at it."""
        now = time.monotonic()
        if self._wanted is not None and self._link.idle and not self._out:
            self._speed(self._wanted)
            self._wanted, self._trial_until = None, now + _TRIAL_S
        elif self._baud != self._base:
            late = self._trial_until is not None and now > self._trial_until
            if late or now > self._link.heard_at + FALLBACK_S:
                self._speed(self._base)
                self._trial_until = None
                self._link.confirm()  # a host that came after one that died hears so that a link is here

    def _speed(self, code: int) -> None:
        mode = termios.tcgetattr(self._terminal)
        mode[4] = mode[5] = self._baud = code
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, mode)
        self._link.limit(Limits(_number_of(code)))


def _number_of(code: int) -> int | None:
    """Return the baud of a termios constant."""
    names = [name for name in dir(termios) if name[0] == "B" and name[1:].isdigit() and getattr(termios, name) == code]
    return int(names[0][1:]) or None if names else None


def make_raw(terminal: int) -> None:
    """Let every byte pass as it is."""
    mode = termios.tcgetattr(terminal)
    mode[0] = termios.IGNBRK
    mode[1] = mode[3] = 0
    mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8 | termios.CLOCAL | termios.CREAD
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    termios.tcsetattr(terminal, termios.TCSADRAIN, mode)


def main(session: int, silent_s: float, terminal: int, was: list) -> None:
    """Serve one session on an open terminal, then give it back as it `was`.

    A second process waits beside it. If the first one dies, that one keeps the host's frames from the shell until they
    end, and says why to the host.
    """
    try:
        os.set_blocking(terminal, False)
        make_raw(terminal)
        child = os.fork()
        if child == 0:
            _serve(terminal, session, silent_s)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) or os.WEXITSTATUS(status):
            _divert(terminal, session, status, min(_GRACE_S, silent_s))
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, was)
        os.set_blocking(terminal, True)


def _serve(terminal: int, session: int, silent_s: float) -> None:
    status = 1
    try:
        Far(terminal, session, silent_s).run()
        status = 0
    except (OSError, EOFError):
        pass  # the terminal is gone
    finally:
        os._exit(status)


def _divert(terminal: int, session: int, status: int, grace_s: float) -> None:
    why = "its process on the board died of signal {}".format(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else ""
    quiet_at, told_at = time.monotonic() + grace_s, 0.0
    while select.select([terminal], [], [], max(0.0, quiet_at - time.monotonic()))[0]:
        data = os.read(terminal, 1 << 16)
        if b"\0" in data or not data:  # a frame: the host does not know yet
            quiet_at = time.monotonic() + (grace_s if data else 0.0)
        if time.monotonic() > told_at + 0.2:
            told_at = time.monotonic()
            os.write(terminal, frame(GONE, session, payload=(why or "it failed on the board").encode()))
