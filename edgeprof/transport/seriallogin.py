"""From a console as it is found, a getty, a shell or a board that boots, to a link under way."""

import base64
import getpass
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeprof.errors import DeviceError, TransportError
from edgeprof.transport.serialconsole import KERNEL, LOGIN, PASSWORD, SHELL, USUAL, Console, Patience
from edgeprof.transport.seriallink import frames, packed_program, start_command
from edgeprof.transport.serialport import Line
from edgeprof.transport.serialurl import SerialAddress

PASSWORD_VARIABLE = "EDGEPROF_SERIAL_PASSWORD"  # noqa: S105 - its name

Say = Callable[[str], None]

_REFUSED = re.compile(r"incorrect|login failed|authentication failure|access denied", re.IGNORECASE)
_BOOT_LOADER = re.compile(r"^(?:=>|u-boot\S*>|barebox\S*>|grub>|CFE>|marvell>>)\s*$", re.IGNORECASE)
_COUNTDOWN = re.compile(r"(?:autoboot|stop boot)", re.IGNORECASE)

_INTERRUPT, _XON = "\x03", "\x11"

_PROBE_S = 10.0
_GOODBYE_S = 4.0
_START_TRIES = 3
# Python takes seconds to start on a slow board; a start that failed shows by its prompt.
_LOADER_S = 90.0


@dataclass(frozen=True, slots=True)
class Login:
    """What the board asks for on the way in, and how long to wait for it."""

    address: SerialAddress
    silent_s: float
    say: Say
    patience: Patience = USUAL


def start_link(line: Line, login: Login) -> int:
    """Get in, upload the far end's program and start it; return the session's number.

    Raises:
        TransportError: Nothing answers, we are not let in, or the upload does not get through.
        DeviceError: The board has no Python 3.
        OSError: The line is gone.
    """
    console = Console(line, login.patience)
    for _ in range(_START_TRIES):
        logged_in = _reach_shell(console, login)
        session = _started(console, login, "exec " if logged_in else "")
        if session is not None:
            return session
        console.type(_INTERRUPT + "\r")
    raise TransportError(
        f"the link's program did not start on {login.address.url}",
        "is the line very noisy, or is another program reading this console?",
    )


def _reach_shell(console: Console, login: Login) -> bool:
    """Come to a shell, whatever the console shows; return whether we logged in ourselves."""
    visit = _Visit(console, login)
    end = time.monotonic() + login.address.wait_s
    console.listen(most_s=login.patience.rest_s)
    while not visit.step():
        if time.monotonic() > end:
            raise visit.nothing_came_of_it()
        console.listen(login.patience.countdown_s if _COUNTDOWN.search(console.everything[-200:]) else visit.rest_s)
    return visit.logged_in


class _Visit:
    """One way in, step by step."""

    def __init__(self, console: Console, login: Login) -> None:
        self._console, self._login = console, login
        self._typed = ""
        self._said = ""
        self._nudged, self._nudges = False, 0
        self._ever_heard = self._echoes = False
        self.logged_in = False
        self.rest_s = login.patience.rest_s

    def step(self) -> bool:
        """Answer what the console shows; return whether it is a shell."""
        console = self._console
        text, tail = console.text, console.tail
        self._ever_heard = self._ever_heard or bool(console.everything.strip())
        self._echoes = self._echoes or bool(console.everything)
        session = console.stray_session()
        if session is not None:
            self._end_stray(session)
        elif self._typed == "password" and _REFUSED.search(text):
            raise self._refused()
        elif LOGIN.search(tail):
            self._type_user()
        elif PASSWORD.search(text if self._typed == "user" else tail):
            self._type_password()
        elif _BOOT_LOADER.search(tail):
            raise TransportError(f"{self._login.address.url} stands in its boot loader (`{tail.strip()}`)", "boot it")
        elif text.strip() and (SHELL.search(tail) or self._nudged):
            self._nudged = False
            return self._is_shell()
        else:
            self._wait()
        return False

    def nothing_came_of_it(self) -> TransportError:
        """Return the error of a console that never showed a shell."""
        address, waited = self._login.address, f"in {self._login.address.wait_s:g} s"
        longer = "a board that boots slowly gets more time with `?wait=180`"
        if self._echoes and not self._ever_heard:
            hint = "a program may be running there: end it with Ctrl-C at the console"
            return TransportError(f"{address.url} echoes and says nothing {waited}", hint)
        if not self._ever_heard and not self._console.noise_bytes:
            hint = f"is the board on, and are TX and RX crossed? {longer}"
            return TransportError(f"nothing is heard on {address.url} {waited}", hint)
        if self._console.noise_bytes > 2:
            hint = f"the console may have another speed than {address.baud}: `?baud=`; or ground is not connected"
            return TransportError(f"what comes on {address.url} is no text", hint)
        last = next((line for line in reversed(self._console.everything.split("\n")) if line.strip()), None)
        heard = "then nothing any more" if last is None else f"last was: {last.strip()[:80]}"
        return TransportError(f"no login and no shell on {address.url} {waited}; {heard}", longer)

    def _end_stray(self, session: int) -> None:
        self._say("ending a link that an earlier program left there")
        self._console.type("")
        self._console.send(frames.frame(frames.QUIT, session))
        # Once: to the shell that comes after it a frame is keys, and some keys run commands out of its history.
        if not self._console.await_frame(frames.GONE, session, _GOODBYE_S):
            self._console.type("")  # frames from before do not count: if the link is still there, it answers again

    def _type_user(self) -> None:
        user = self._login.address.user
        if user is None:
            kind = self._login.address.kind
            hint = f"write the user's name into the URL: {kind}://USER@{self._login.address.place}"
            raise TransportError(f"{self._login.address.url} asks who logs in", hint)
        self._typed, self._nudged = "user", False
        self._console.type(user + "\r")
        self.logged_in = True

    def _type_password(self) -> None:
        if self._typed != "user":  # somebody else's: it belongs to a name that we do not know
            self._console.type("\r")
            return
        self._typed = "password"
        self._console.type(password_of(self._login.address) + "\r")
        self._console.listen(self._console.patience.listen_s, self._console.patience.verdict_s)

    def _refused(self) -> TransportError:
        forget_password(self._login.address)
        user, url = self._login.address.user, self._login.address.url
        hint = f"the password is asked for at the terminal, or taken from {PASSWORD_VARIABLE}"
        return TransportError(f"{url} does not let `{user}` in: wrong name or password", hint)

    def _is_shell(self) -> bool:
        console = self._console
        console.type(" sh -c 'echo edgeprof-$((40+2))'\r")
        if console.await_text(re.compile(r"edgeprof-42\s"), _PROBE_S, console.patience.prompt_stays_s) is None:
            if console.frames():
                return False  # it is no shell
            console.type(_INTERRUPT)  # it may stand in the middle of what an earlier visit, or noise, began
            return False
        console.listen()  # until its prompt is back
        return True

    def _wait(self) -> None:
        console, kernel = self._console, KERNEL.search(self._console.everything)
        lines = [line.strip() for line in console.everything.split("\n") if line.strip()]
        if _COUNTDOWN.search(console.everything[-200:]):
            self._say("the board is about to boot")
        elif console.busy:
            self._say(f"the board is booting: {lines[-1][:60]}" if lines else "the board is booting")
        else:
            self._say("waiting for the board's console")
        # A boot loader stops at any key. Where a kernel speaks there is none any more, and its login may be waiting.
        if not _COUNTDOWN.search(console.everything[-200:]) and (kernel or not console.busy):
            self._nudged = bool(console.text.strip())
            self.rest_s = min(2 * self.rest_s, console.patience.longest_rest_s)  # a slow board is not to be flooded
            self._nudges += 1
            stopped = self._nudges % 2 == 0 and not console.everything
            console.type(_XON + "\r" if stopped else "\r")

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._login.say(text)


def _started(console: Console, login: Login, how: str) -> int | None:
    """Type the loader, upload the program; return the session, or `None` where that did not work."""
    session, mark = secrets.randbits(32), 10_000_000 + secrets.randbelow(90_000_000)
    program = packed_program()
    console.type(f" {how}{start_command(mark, session, login.silent_s)}\r")
    answer = re.compile(rf"edgeprof-(raw|base64|ok|failed|nopython)-{mark}\s")
    patience_s = _LOADER_S + len(program) * 14 / login.address.baud
    while match := console.await_text(answer, patience_s, console.patience.prompt_stays_s):
        if match[1] == "nopython":
            text = "the board has no Python 3, which the serial link needs"
            raise DeviceError(text, "install it there: `sudo apt install python3`")
        if match[1] == "failed":
            return None
        if match[1] == "ok":
            return session if _speaks(console, session) else None
        console.type("")
        console.send(program if match[1] == "raw" else base64.b64encode(program))
    return None


def _speaks(console: Console, session: int) -> bool:
    end = time.monotonic() + _LOADER_S
    while not (heard := any(of == session for _, of in console.frames())) and time.monotonic() < end:
        console.hear(0.05)
    return heard


_passwords: dict[str, str] = {}
_asking = threading.Lock()


def password_of(address: SerialAddress) -> str:
    """Return the password for a console: from the environment, or asked for once; it is kept nowhere but in memory.

    Raises:
        TransportError: Nobody is there to ask.
    """
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    with _asking:
        if address.url not in _passwords:
            if not sys.stdin.isatty():
                hint = f"set {PASSWORD_VARIABLE}, or run this at a terminal"
                raise TransportError(f"{address.url} asks for the password of `{address.user}`", hint)
            _passwords[address.url] = getpass.getpass(f"password of {address.user} on {address.url}: ")
        return _passwords[address.url]


def forget_password(address: SerialAddress) -> None:
    """Ask again next time."""
    _passwords.pop(address.url, None)
