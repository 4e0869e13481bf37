"""The host's end: commands out, lines in, each command until the device is ready for the next one."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeprof.errors import DeviceError, LinkLost, TransportError
from edgeprof.tiny.address import TinyAddress, parse_tiny
from edgeprof.transport.serialport import Line, open_line
from edgeprof.units import NS_PER_US, seconds_to_ns

Say = Callable[[str], None]
# Told at every wait; raises what ends it.
Look = Callable[[], None]

# A command may have 80 characters (`EE_CMD_SIZE`), so that a `db` holds 38 bytes; the runner sends 31.
_CHUNK_BYTES = 31
_ANSWER_S = 5.0
_KNOCK_S = 2.0
_QUIET_S = 0.25
_SLICE_S = 0.5
_LOAD_TRIES = 3
_LONGEST_LINE = 1 << 20
_WRAP_US = 1 << 32
_LAP = re.compile(r"m-lap-us-(\d+)")
_RESULTS = re.compile(r"m-results-\[([^\]]*)\]")
_SAYS = re.compile(r"m-(profile|model)-\[([^\]]*)\]|m-(name)-\w+-\[([^\]]*)\]")
_REFUSED = re.compile(r"e-\[(.*)\]|(Supplied buffer size .*)")


@dataclass(frozen=True, slots=True)
class Firmware:
    """What a device says of itself; `None` where it does not.

    Attributes:
        vendor: Whose firmware it is.
        profile: The version of the protocol's program.
        model: Such as `ic01`.
    """

    vendor: str | None
    profile: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """Runs between two timestamps.

    Attributes:
        runs: How many.
        laps_us: Both timestamps, by the device's clock.
        host_ns: Time between their lines' arrival, by the host's clock.
        results: The output of the last run.
    """

    runs: int
    laps_us: tuple[int, int]
    host_ns: int
    results: tuple[float, ...]

    @property
    def elapsed_ns(self) -> int:
        """Return the time between the timestamps; a counter of 32 bits may have begun anew."""
        return NS_PER_US * ((self.laps_us[1] - self.laps_us[0]) % _WRAP_US)


class TinyDevice:
    """An open line to a device. Every wait has a deadline; a line that is gone raises `LinkLost`."""

    def __init__(self, address: TinyAddress, say: Say, look: Look = lambda: None) -> None:
        """Open the line and wait until the device answers.

        Raises:
            TransportError: The port cannot be opened, or no device that speaks the protocol answers.
        """
        self._address, self._look = address, look
        self._line: Line = open_line(address.line)
        self._heard = b""
        self._reads_back = True
        try:
            self.firmware = self._introduced(say)
        except BaseException:
            self._line.close()
            raise

    @property
    def reads_back(self) -> bool:
        """Return whether every load so far was read back and compared."""
        return self._reads_back

    def close(self) -> None:
        """Let go of the line. Never raises."""
        self._line.close()

    def timestamp_us(self) -> int | None:
        """Return the device's clock; `None` where its firmware marks times on a pin instead."""
        laps = [match for line, _ in self._ask("timestamp", _ANSWER_S) if (match := _LAP.fullmatch(line))]
        return int(laps[0][1]) if laps else None

    def load(self, sample: bytes) -> None:
        """Put a sample into the device's buffer, and read it back where the firmware can.

        Raises:
            DeviceError: It refuses the sample, or holds something else after three tries.
        """
        for _ in range(_LOAD_TRIES):
            if self._sent(sample) and self._holds(sample):
                return
        text = f"`{self._address.url}` holds other bytes than were loaded, {_LOAD_TRIES} times"
        raise DeviceError(text, "is the line noisy, or its speed wrong? `?baud=`")

    def infer(self, runs: int, warmups: int, timeout_s: float) -> Window:
        """Run what is loaded.

        Raises:
            DeviceError: The device refuses, or gives no two timestamps or no results.
        """
        lines = self._ask(f"infer {runs} {warmups}", timeout_s)
        laps = [(int(match[1]), at) for line, at in lines if (match := _LAP.fullmatch(line))]
        results = [match[1] for line, _ in lines if (match := _RESULTS.fullmatch(line))]
        if len(laps) != 2:
            hint = "is the firmware built for energy (`EE_CFG_ENERGY_MODE`)? times are then marked on a pin"
            raise DeviceError(f"`infer` on `{self._address.url}` gave {len(laps)} timestamps instead of 2", hint)
        if len(results) != 1:
            raise DeviceError(
                f"`infer` on `{self._address.url}` gave no results", "the firmware prints `m-results-[…]`"
            )
        (start, start_at), (end, end_at) = laps
        return Window(runs, (start, end), seconds_to_ns(end_at - start_at), self._numbers(results[0]))

    def _numbers(self, text: str) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in text.split(",") if part.strip())
        except ValueError as exc:
            raise DeviceError(f"`{self._address.url}` printed results that are no numbers: {text[:80]}") from exc

    def _introduced(self, say: Say) -> Firmware:
        """Knock until the device answers; it may be starting, or stand in the middle of a command."""
        end = time.monotonic() + self._address.line.wait_s
        told = False
        while time.monotonic() < end:
            try:
                said = self._ask("name", _KNOCK_S)
            except DeviceError:
                said = []
            if any(line.startswith("m-name-") for line, _ in said):
                self._settle()
                lines = [line for line, _ in (*said, *self._ask("profile", _ANSWER_S))]
                return _firmware(lines)
            if not told:
                say("waiting for a device that speaks MLPerf Tiny's protocol")
                told = True
        raise TransportError(
            f"nothing that speaks MLPerf Tiny's protocol answers on {self._address.url}",
            "does a firmware of it run there, is the speed right (`?baud=`), and does no other program use the port?",
        )

    def _settle(self) -> None:
        """Let pass what earlier knocks are answered with."""
        end = time.monotonic() + _KNOCK_S
        while self._read(_QUIET_S) and time.monotonic() < end:
            pass

    def _sent(self, sample: bytes) -> bool:
        self._ask(f"db load {len(sample)}", _ANSWER_S)
        done = False
        for start in range(0, len(sample), _CHUNK_BYTES):
            chunk = sample[start : start + _CHUNK_BYTES]
            try:
                done = any(line == "m-load-done" for line, _ in self._ask(f"db {chunk.hex()}", _ANSWER_S))
            except DeviceError:  # digits were lost on the way
                return False
        return done

    def _holds(self, sample: bytes) -> bool:
        if not self._reads_back:
            return True
        try:
            lines = [line for line, _ in self._ask("db print", _ANSWER_S + len(sample) * 3 / 900)]
            held = b"".join(bytes.fromhex(line[9:].replace("-", "")) for line in lines if line.startswith("m-buffer-"))
        except (DeviceError, ValueError):
            held = b""
        if len(held) < len(sample):  # older firmwares print only the first bytes, some none
            self._reads_back = False
            return sample.startswith(held)
        return held == sample

    def _ask(self, command: str, timeout_s: float) -> list[tuple[str, float]]:
        """Send a command; return the lines of its answer, each with the host's clock at its arrival.

        Raises:
            DeviceError: It refuses the command, or is not ready again in time.
            LinkLost: The line is gone.
        """
        self._heard = b""
        self._write(f"{command}%".encode())
        lines: list[tuple[str, float]] = []
        end = time.monotonic() + timeout_s
        while not any(line == "m-ready" for line, _ in lines):
            if time.monotonic() > end:
                text = f"`{self._address.url}` is not ready {timeout_s:.0f} s after `{command[:20]}`"
                raise DeviceError(text, "was it reset, or unplugged? what finished is stored")
            data, at = self._read(min(_SLICE_S, timeout_s)), time.monotonic()
            *whole, self._heard = (self._heard + data)[-_LONGEST_LINE:].split(b"\n")
            lines += [(line.decode(errors="replace").strip("\r\0 "), at) for line in whole]
        for line, _ in lines:
            if match := _REFUSED.fullmatch(line):
                raise DeviceError(f"`{self._address.url}` refuses `{command[:20]}`: {match[1] or match[2]}")
        return lines

    def _read(self, timeout_s: float) -> bytes:
        self._look()
        try:
            return self._line.read(timeout_s)
        except OSError as exc:
            raise self._lost(exc) from exc

    def _write(self, data: bytes) -> None:
        self._look()
        try:
            self._line.write(data)
        except OSError as exc:
            raise self._lost(exc) from exc

    def _lost(self, exc: OSError) -> LinkLost:
        text = f"the line to {self._address.url} is gone: {exc.strerror or exc}"
        return LinkLost(text, "what finished is stored; is the cable firmly in?")


def probe_tiny(url: str, say: Say) -> tuple[Firmware, int | None]:
    """Return what a device says of itself, and its clock in microseconds, or `None` where that is marked on a pin.

    Raises:
        UsageError: The URL cannot be read.
        TransportError: Nothing that speaks the protocol answers.
    """
    device = TinyDevice(parse_tiny(url), say)
    try:
        return device.firmware, device.timestamp_us()
    finally:
        device.close()


def _firmware(lines: list[str]) -> Firmware:
    said = {match[1] or match[3]: match[2] or match[4] for line in lines if (match := _SAYS.fullmatch(line))}
    return Firmware(said.get("name"), said.get("profile"), said.get("model"))
