"""Meters for tests: the far end of a real pty, which pyserial opens as it opens any port."""

import contextlib
import os
import select
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.recorded import recorded

LINE_HZ = 100
BENCH = {
    "name": "bench",
    "port": "/dev/none",
    "columns": ["time", "voltage", "current"],
    "separator": " ",
    "units": {"voltage": "V", "current": "mA"},
    "rate_hz": LINE_HZ,
    "averaging_ms": 10,
    "min_voltage_v": 3,
    "max_voltage_v": 20,
    "max_current_a": 4,
}
# Commands of the PPK2. Source: ppk2-api 0.9.2, `PPK2_Command`.
_START, _STOP, _METADATA, _REGULATOR, _MODE, _RUNNING = 0x06, 0x07, 0x19, 0x0D, 0x11, 0x0C
_ARGUMENTS = {_REGULATOR: 2, _MODE: 1, _RUNNING: 1}
_SAMPLES_HZ = 100_000


def bench_toml(folder: Path, **changes: object) -> str:
    """Write `BENCH` with some keys changed, or left out where they are `None`; return the file's path."""
    lines = []
    for key, value in {**BENCH, **changes}.items():
        if isinstance(value, dict):
            inner = ", ".join(f'{name} = "{unit}"' for name, unit in value.items())
            lines.append(f"{key} = {{ {inner} }}")
        elif value is not None:
            lines.append(f"{key} = '{value}'" if isinstance(value, str) else f"{key} = {value!r}")
    path = folder / "bench.toml"
    path.write_text("\n".join(lines))
    return str(path)


class _Far:
    """The meter's end of a pty."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        os.set_blocking(self._master, False)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._gone = threading.Event()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self._thread.join()
        self.unplug()

    def unplug(self) -> None:
        """Take the meter away."""
        if not self._gone.is_set():
            self._gone.set()
            if self._thread is not threading.current_thread():
                self._thread.join()
            os.close(self._slave)
            os.close(self._master)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # nobody reads: the meter goes on
            os.write(self._master, data)

    def _run(self) -> None:
        raise NotImplementedError


class Printer(_Far):
    """Prints what `line` returns for a time in seconds, a hundred times a second.

    Attributes:
        begun: How often it was told `go`.
    """

    def __init__(self, line: Callable[[float], str]) -> None:
        super().__init__()
        self._line = line
        self.begun = 0

    def _run(self) -> None:
        begin = time.monotonic()
        number = 0
        while not self._ended.is_set() and not self._gone.is_set():
            number += 1
            self._ended.wait(max(0.0, begin + number / LINE_HZ - time.monotonic()))
            if not self._gone.is_set():
                with contextlib.suppress(OSError):
                    self.begun += os.read(self._master, 100).count(b"go")
                self._write(self._line(time.monotonic() - begin).encode())


class Ppk2(_Far):
    """Speaks a PPK2's side: metadata as recorded, then samples of one ADC value in range 4.

    Attributes:
        commands: What it was told, in order.
    """

    def __init__(self, adc: int, lose: int = 0, *, left_on: bool = False) -> None:
        super().__init__()
        self._adc, self._lose = adc, lose
        self._samples = 0
        self._began: float | None = time.monotonic() if left_on else None
        self.commands: list[tuple[int, ...]] = []

    def _run(self) -> None:
        while not self._ended.is_set() and not self._gone.is_set():
            self._send_samples()
            if select.select([self._master], [], [], 0.01)[0]:
                with contextlib.suppress(OSError):
                    self._obey(os.read(self._master, 100))

    def _obey(self, data: bytes) -> None:
        rest = list(data)
        while rest:
            code = rest.pop(0)
            arguments = [rest.pop(0) for _ in range(_ARGUMENTS.get(code, 0))]
            self.commands.append((code, *arguments))
            if code == _METADATA:
                self._write(recorded("ppk2-metadata.txt").encode())
            elif code == _START:
                self._began, self._samples = time.monotonic(), 0
            elif code == _STOP:
                self._began = None

    def _send_samples(self) -> None:
        if self._began is None:
            return
        due = min(900, int((time.monotonic() - self._began) * _SAMPLES_HZ) - self._samples)
        words = [self._adc | 4 << 14 | (self._count(n) & 0x3F) << 18 for n in range(self._samples, self._samples + due)]
        self._samples += due
        self._write(struct.pack(f"<{len(words)}I", *words))

    def _count(self, number: int) -> int:
        """Return the counter of a sample; from the thousandth on `lose` of them are missing."""
        return number if number < 1000 else number + self._lose


@contextlib.contextmanager
def printer(line: Callable[[float], str]) -> Iterator[Printer]:
    """Hold a meter that prints lines."""
    with Printer(line) as meter:
        yield meter
