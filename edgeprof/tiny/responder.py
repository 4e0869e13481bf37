"""The device's end: commands in, lines out, as a firmware of MLPerf Tiny gives them. No input, output or clock here."""

from collections.abc import Callable, Iterator
from typing import Protocol

END = b"%"
READY = "m-ready"
PROFILE = "ULPMark for tinyML Firmware V0.0.1"
# Longer commands are cut by firmwares: `EE_CMD_SIZE`.
_COMMAND_CHARS = 80
_USUAL_WARMUPS = 10
_HELP = (
    "help         : Print this information",
    "name         : Print the name of the device",
    "timestamp    : Generate a timestamp",
    "db load N    : Expect N bytes",
    "db HH[HH]*   : Load bytes, as hexadecimal digits",
    "db print     : Print the bytes that were loaded",
    "infer N [W]  : Run N times after W runs that do not count",
    "results      : Print the output of the last run",
)


class Runner(Protocol):
    """Whoever runs the model."""

    def load(self, sample: bytes) -> None:
        """Take a sample, in the form in which it was sent."""

    def run(self, count: int) -> int:
        """Run it so many times, back to back; return how many microseconds that took."""

    def results(self) -> tuple[float, ...]:
        """Return the first output for the sample, as real numbers."""

    def clock_us(self) -> int:
        """Return the device's clock in microseconds."""


class Responder:
    """Takes bytes as they come and returns what is to be said, command by command.

    Attributes:
        doing: What the board does for the command under way that may take long; `None` where nothing does.
    """

    def __init__(self, vendor: str, model: str, input_bytes: int, runner: Runner) -> None:
        self._vendor, self._model, self._input_bytes, self._runner = vendor, model, input_bytes, runner
        self._heard = b""
        self._expected, self._buffer = 0, bytearray()
        self._results: tuple[float, ...] = ()
        self.doing: str | None = None

    def heard(self, data: bytes) -> Iterator[bytes]:
        """Yield the answer to each command that is whole now, line by line as it is known."""
        *commands, self._heard = (self._heard + data).split(END)
        self._heard = self._heard[-_COMMAND_CHARS:]
        for command in commands:
            words = command[:_COMMAND_CHARS].decode(errors="replace").split()
            for line in self._answer(words) if words else ():
                yield line_of(line)
            self.doing = None
            yield line_of(READY)

    def _answer(self, words: list[str]) -> Iterator[str]:
        verbs: dict[str, Callable[[list[str]], Iterator[str]]] = {
            "name": lambda _: iter([f"m-name-dut-[{self._vendor}]"]),
            "profile": lambda _: iter([f"m-profile-[{PROFILE}]", f"m-model-[{self._model}]"]),
            "timestamp": lambda _: iter([f"m-lap-us-{self._runner.clock_us()}"]),
            "help": lambda _: iter([PROFILE, "", *_HELP]),
            "db": self._db,
            "infer": self._infer,
            "results": lambda _: iter([self._said()]),
        }
        if words[0] in verbs:
            yield from verbs[words[0]](words[1:])
        else:
            yield f"e-[Unknown command: {words[0]}]"

    def _db(self, words: list[str]) -> Iterator[str]:
        if not words:
            yield "e-[Command 'db' requires a subcommand]"
        elif words[0] == "load":
            yield self._expect(words[1:])
        elif words[0] == "print":
            for start in range(0, len(self._buffer), 8):
                yield "m-buffer-" + self._buffer[start : start + 8].hex("-")
        elif len(words[0]) % 2:
            yield "e-[Insufficent number of hex digits]"
        else:
            yield from self._take(words[0])

    def _expect(self, words: list[str]) -> str:
        if not words:
            return "e-[Command 'db load' requires the # of bytes]"
        count = int(words[0]) if words[0].isdecimal() else 0
        if not count:
            return "e-[Command 'db load' must be >0 bytes]"
        if count > self._input_bytes:
            return f"Supplied buffer size {count} exceeds maximum of {self._input_bytes}"
        self._expected, self._buffer = count, bytearray()
        return f"m-[Expecting {count} bytes]"

    def _take(self, digits: str) -> Iterator[str]:
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            bad = next(digits[at : at + 2] for at in range(0, len(digits), 2) if not _is_hex(digits[at : at + 2]))
            yield f"e-[Invalid hex digit '{bad}']"
            return
        before = len(self._buffer)
        self._buffer += data[: self._expected - before]
        if before < self._expected == len(self._buffer):
            yield "m-load-done"

    def _infer(self, words: list[str]) -> Iterator[str]:
        count = _number(words[0]) if words else 1
        warmups = _number(words[1]) if len(words) > 1 else _USUAL_WARMUPS
        if count <= 0:
            yield "e-[Inference iterations must be >0]"
        elif warmups < 0:
            yield "e-[Inference warmup must be >=0]"
        elif len(self._buffer) != self._input_bytes:
            yield f"e-[Input has {len(self._buffer)} bytes, expected {self._input_bytes}]"
        else:
            yield from self._run(count, warmups)

    def _run(self, count: int, warmups: int) -> Iterator[str]:
        self.doing = f"Loading {len(self._buffer)} bytes"
        self._runner.load(bytes(self._buffer))
        yield f"m-warmup-start-{warmups}"
        self.doing = "Warming up"
        self._runner.run(warmups)
        yield from ("m-warmup-done", f"m-infer-start-{count}")
        start_us = self._runner.clock_us()
        yield f"m-lap-us-{start_us}"  # at once: who listens may hold it against a clock of its own
        self.doing = "Running"
        took_us = self._runner.run(count)
        yield from (f"m-lap-us-{start_us + took_us}", "m-infer-done")
        self.doing = "Reading the results"
        self._results = self._runner.results()
        yield self._said()

    def _said(self) -> str:
        return "m-results-[" + ",".join(f"{value:.3f}" for value in self._results) + "]"


def _is_hex(pair: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in pair)


def _number(word: str) -> int:
    """Return what C's `atoi` makes of a word that is no number: 0."""
    return int(word) if word.lstrip("-").isdecimal() else 0


def line_of(text: str) -> bytes:
    """Return a line as firmwares send it."""
    return f"{text}\r\n".encode()
