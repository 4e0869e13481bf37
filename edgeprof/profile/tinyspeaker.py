"""What a device says while a command takes long."""

import threading
from collections.abc import Callable
from contextlib import suppress

from edgeprof.errors import TransportError
from edgeprof.tiny import line_of

# The public runner gives a device up that says no line for five seconds, and reads on after every line but `m-ready`;
# of what it does not know it takes no notice.
# Source: github.com/mlcommons/tiny, benchmark/runner/serial_device.py, `read_line` and `send_command`, commit 20d7b7b.
EVERY_S = 1.5


class Speaker:
    """Writes answers, and between them what is being done, such as `m-[Loading 3072 bytes]`, where they take long."""

    def __init__(
        self, write: Callable[[bytes], None], doing: Callable[[], str | None], every_s: float = EVERY_S
    ) -> None:
        """Begin to watch.

        Args:
            write: Sends a line.
            doing: Asked what is being done; `None` while nobody waits for an answer.
            every_s: How long nothing is said at most, while somebody waits.
        """
        self._write, self._doing, self._every_s = write, doing, every_s
        self._turn = threading.Condition()
        self._spoke = self._ended = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def say(self, answer: bytes) -> None:
        """Write an answer. What is being done never comes after the last line of a command's answer."""
        with self._turn:
            self._write(answer)
            self._spoke = True
            self._turn.notify()

    def close(self) -> None:
        """Say no more."""
        with self._turn:
            self._ended = True
            self._turn.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._turn:
            while not self._ended:
                self._spoke = False
                heard_of = self._turn.wait_for(lambda: self._spoke or self._ended, self._every_s)
                if not heard_of and (doing := self._doing()):
                    with suppress(TransportError):  # whoever reads the line finds out
                        self._write(line_of(f"m-[{doing}]"))
