"""What a console says: its text without escapes and kernel messages, its prompts, frames of a link left behind."""

import re
import time
from dataclasses import dataclass

from edgeprof.transport.seriallink import frames
from edgeprof.transport.serialport import Line

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
# Printed at any moment, also behind a prompt, which is whole again without it.
KERNEL = re.compile(r"\[ *\d+\.\d{6}\] [^\n]*\n")
LOGIN = re.compile(r"(?:login|username|user name|anmelden)\s*:\s*$", re.IGNORECASE)
PASSWORD = re.compile(r"(?:password|passwort|passphrase|mot de passe|contraseña)[^\n]*:", re.IGNORECASE)
SHELL = re.compile(r"[$#%>]\s?$")

_KEPT_CHARS = 8192
# A line of text, which frames hold next to never: eight printable bytes in a row between two ends of line are chance
# once in some 10^8 bytes of compressed data.
_LINE = re.compile(r"(?:^|[\r\n])[ -~\t]{8,}[\r\n]")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait at a console, which never says that it is done.

    Attributes:
        prompt_rest_s: A board that stands at a prompt, or that a link still holds, and says nothing for so long has
            said all.
        rest_s: So has any other; it doubles where nothing comes of it, up to `longest_rest_s`.
        longest_rest_s: See `rest_s`.
        listen_s: One that goes on speaking for so long is busy, as while it boots.
        countdown_s: A boot loader's countdown rests for less than that.
        verdict_s: How long it takes to check a password, at most.
        prompt_stays_s: A command after which a prompt stays for so long has not run.
    """

    prompt_rest_s: float = 0.15
    rest_s: float = 0.6
    longest_rest_s: float = 3.0
    listen_s: float = 2.0
    countdown_s: float = 4.0
    verdict_s: float = 4.0
    prompt_stays_s: float = 5.0


USUAL = Patience()


class Restart:
    """Tells a board that starts anew under a link, by text that comes where frames should.

    Its boot loader stops at any key, and a frame is many: nothing must be sent then, until text has rested for longer
    than a countdown does. Messages of the kernel count for nothing: they come amid frames too, and after a boot loader.
    """

    def __init__(self, rest_s: float) -> None:
        self._rest_s, self._text, self._heard_at = rest_s, "", float("-inf")

    def heard(self, data: bytes, now: float, *, framed: bool) -> None:
        """Take note of what came, and whether a sound frame was in it."""
        if framed:
            self._text = ""
        elif data:
            self._text = (self._text + data.decode("latin-1"))[-_KEPT_CHARS:]
            self._heard_at = now

    def quiet_until(self) -> float:
        """Return until when nothing is to be sent; a time that is over where nothing speaks against it."""
        spoken = KERNEL.sub("", self._text.replace("\r\n", "\n"))
        return self._heard_at + self._rest_s if _LINE.search(spoken) else float("-inf")

    def is_over(self, now: float) -> bool:
        """Return whether the board has booted: it stands where it asks who logs in."""
        asks = LOGIN.search(_ESCAPES.sub("", self._text).replace("\0", ""))
        return bool(asks) and now > self.quiet_until() > float("-inf")


class Console:
    """Text to and from a board.

    Attributes:
        patience: How long to wait for it.
    """

    def __init__(self, line: Line, patience: Patience) -> None:
        self._line, self.patience = line, patience
        self._raw = b""
        self.noise_bytes = 0
        self.busy = False

    @property
    def text(self) -> str:
        """Return what was heard since something was typed, without escape sequences and the kernel's messages."""
        return KERNEL.sub("", self.everything)

    @property
    def everything(self) -> str:
        """Return what was heard since something was typed, without escape sequences."""
        text = _ESCAPES.sub("", self._raw.decode(errors="replace"))
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")

    @property
    def tail(self) -> str:
        """Return the line that the cursor is on."""
        return self.text.rpartition("\n")[2]

    def type(self, text: str) -> None:
        """Type at the console; what was heard before is forgotten."""
        self._raw = b""
        self._line.write(text.encode())

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._line.write(data)

    def listen(self, rest_s: float | None = None, most_s: float | None = None) -> None:
        """Listen until the board has been quiet for a while, or for a time; `busy` says which."""
        rest_s = self.patience.rest_s if rest_s is None else rest_s
        end = time.monotonic() + (self.patience.listen_s if most_s is None else most_s)
        self.busy = True
        while self.busy and time.monotonic() < end:
            said_all = self._at_prompt() or self.stray_session() is not None
            self.busy = self.hear(self.patience.prompt_rest_s if said_all else rest_s)

    def await_text(
        self, pattern: re.Pattern[str], timeout_s: float, prompt_s: float = float("inf")
    ) -> re.Match[str] | None:
        """Return the first match in what is heard.

        It is `None` when the time is over, when a prompt stays for `prompt_s`, or when frames of a link come instead.
        """
        end, heard_at = time.monotonic() + timeout_s, time.monotonic()
        while (match := pattern.search(self.text)) is None and time.monotonic() < end:
            heard_at = time.monotonic() if self.hear(0.05) else heard_at
            if self.frames() or (time.monotonic() > heard_at + prompt_s and self._at_prompt()):
                return pattern.search(self.text)
        return match

    def await_frame(self, kind: int, session: int, timeout_s: float) -> bool:
        """Wait for a frame of a session, or for a time; return which."""
        end = time.monotonic() + timeout_s
        while (kind, session) not in self.frames() and time.monotonic() < end:
            self.hear(0.05)
        return (kind, session) in self.frames()

    def hear(self, timeout_s: float) -> bool:
        """Take in what comes next; return whether anything did."""
        data = self._line.read(timeout_s)
        self._raw = (self._raw + data)[-_KEPT_CHARS:]
        self.noise_bytes = (self.noise_bytes + len(data)) if self._is_noise() else 0
        return bool(data)

    def frames(self) -> list[tuple[int, int]]:
        """Return kind and session of every frame of a link that was heard since something was typed."""
        pieces = (frames.opened(piece) for piece in self._raw.split(b"\0") if piece)
        return [(int(found[0]), int(found[1])) for found in pieces if found]

    def stray_session(self) -> int | None:
        """Return the session of a link that a program left behind, if its frames are heard and none says good-bye."""
        heard = self.frames()
        return heard[-1][1] if heard and heard[-1][0] != frames.GONE else None

    def _at_prompt(self) -> bool:
        tail = self.tail
        return bool(LOGIN.search(tail) or SHELL.search(tail) or PASSWORD.search(tail))

    def _is_noise(self) -> bool:
        odd = sum(byte >= 0x80 or (byte < 0x20 and byte not in b"\r\n\t\x1b\x07\x08\0") for byte in self._raw)
        return odd * 4 > len(self._raw)
