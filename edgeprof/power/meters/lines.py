"""Any meter that prints numbers, one reading a line, over a serial port."""

import re
import threading
import time
from contextlib import suppress

import serial

from edgeprof.errors import DeviceError
from edgeprof.power.meters.readings import Recording
from edgeprof.power.meters.spec import LineFormat, MeterSpec
from edgeprof.units import micro

_WAIT_S = 0.2
_LONGEST_LINE = 4096
# At this share of its highest current a meter is at the end of its range.
_AT_THE_END = 0.999


class LineMeter:
    """A meter behind a serial port, a pty or any address that pyserial knows.

    Args:
        spec: How it prints, and its limits.
        supply_uv: The voltage where it prints none, or `None`.
    """

    def __init__(self, spec: MeterSpec, supply_uv: int | None) -> None:
        self._spec = spec
        self._supply_uv = supply_uv
        self._port: serial.SerialBase | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._lines: list[tuple[int, bytes]] = []
        self._trouble: str | None = None

    def start(self) -> None:
        """See `Meter`."""
        lines = self._spec.lines or LineFormat("", ())
        try:
            self._port = serial.serial_for_url(self._spec.port, baudrate=lines.baud, timeout=_WAIT_S)
            self._port.write(lines.start.encode())
        except (serial.SerialException, OSError, ValueError) as exc:
            self._close()
            hint = "is it plugged in, and may you open it (group `dialout`)?"
            raise DeviceError(f"cannot open the meter {self._spec.name} at `{self._spec.port}`: {exc}", hint) from exc
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> Recording:
        """See `Meter`."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        if self._port and self._spec.lines:
            with suppress(serial.SerialException, OSError):
                self._port.write(self._spec.lines.stop.encode())
        self._close()
        return parse_lines(self._lines, self._spec, self._supply_uv, self._trouble)

    def _close(self) -> None:
        if self._port:
            self._port.close()

    def _read(self) -> None:
        """Keep each line with the time at which its end was here."""
        rest = b""
        while self._port and not self._ended.is_set():
            try:
                data = self._port.read(max(1, self._port.in_waiting))
            except (serial.SerialException, OSError, TypeError) as exc:  # TypeError: a port closed under pyserial
                self._trouble = f"the meter is gone: {exc}"
                return
            now_ns = time.monotonic_ns()
            *whole, rest = (rest + data).split(b"\n")
            self._lines += [(now_ns, line) for line in whole]
            rest = rest[-_LONGEST_LINE:]


def parse_lines(
    lines: list[tuple[int, bytes]], spec: MeterSpec, supply_uv: int | None, trouble: str | None = None
) -> Recording:
    """Return lines, each with the host's time at its end, as readings.

    A line that does not fit is a reading that is missing, not one that was never there; the first may be cut.
    """
    pattern = re.compile((spec.lines or LineFormat("", ())).pattern)
    units = dict(spec.lines.units) if spec.lines else {}
    times: list[int] = []
    power: list[int | None] = []
    clipped: list[int] = []
    voltages: list[int] = []
    for number, (at_ns, line) in enumerate(lines):
        seen = _quantities(pattern.search(line.decode(errors="replace").strip()), units)
        if not seen and number == 0:
            continue
        voltage, current, watts = (seen.get(name) for name in ("voltage", "current", "power"))
        voltage = supply_uv if voltage is None else voltage
        if watts is None and voltage is not None and current is not None:
            watts = voltage * current // 1_000_000
        if current is None and watts is not None and voltage:
            current = watts * 1_000_000 // voltage
        if current is not None and abs(current) >= _AT_THE_END * spec.max_ua:
            clipped.append(len(times))
        voltages += [] if voltage is None else [voltage]
        times.append(max(at_ns, times[-1] + 1) if times else at_ns)
        power.append(watts)
    mean_uv = round(sum(voltages) / len(voltages)) if voltages else None
    return Recording(tuple(times), tuple(power), tuple(clipped), mean_uv, trouble)


def _quantities(match: re.Match[str] | None, units: dict[str, str]) -> dict[str, int]:
    """Return what a line says, in millionths of volts, amperes and watts; nothing where any of it is no number."""
    if match is None:
        return {}
    try:
        return {name: micro(float(match[name]), unit) for name, unit in units.items()}
    except (TypeError, ValueError, OverflowError):
        return {}
