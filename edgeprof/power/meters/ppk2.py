"""Nordic's Power Profiler Kit II as an ampere meter between a board and its supply, through `ppk2-api`.

The board stays fed by its own supply: edgeprof never makes the kit a source, and never switches the board off.
"""

import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprof.errors import DeviceError
from edgeprof.power.meters.readings import Recording
from edgeprof.power.meters.spec import MeterSpec
from edgeprof.units import NS_PER_S

_SAMPLE_NS = NS_PER_S // 100_000
_SAMPLE_BYTES = 4
# Each word counts up in six bits. Source: NordicSemiconductor/pc-nrfconnect-ppk, src/device/serialDevice.ts.
_COUNTER_SHIFT, _COUNTER_MASK = 18, 0x3F
_WAIT_S = 0.01
_TRIES = 3


class Ppk2Meter:
    """A kit at a port.

    Args:
        spec: Where it is.
        supply_uv: The voltage that it passes on; it measures none.
    """

    def __init__(self, spec: MeterSpec, supply_uv: int) -> None:
        self._spec = spec
        self._supply_uv = supply_uv
        self._kit: Any = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._chunks: list[tuple[int, bytes]] = []
        self._trouble: str | None = None

    def start(self) -> None:
        """See `Meter`."""
        library = _library()
        hint = "is it plugged in, is no other program using it, and is this the first of its two ports?"
        try:
            self._kit = library.PPK2_API(self._spec.port, timeout=1, write_timeout=1, exclusive=True)
        except (OSError, ValueError) as exc:  # pyserial's own errors are OSError
            raise DeviceError(f"cannot open the PPK2 at `{self._spec.port}`: {exc}", hint) from exc
        self._kit.stop_measuring()
        if not self._calibrated():
            self._close()
            raise DeviceError(f"what is at `{self._spec.port}` does not answer as a PPK2", hint)
        self._kit.use_ampere_meter()
        self._kit.set_source_voltage(self._supply_uv // 1000)
        self._kit.toggle_DUT_power("ON")
        self._kit.start_measuring()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> Recording:
        """See `Meter`."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        if self._trouble is None:
            self._kit.stop_measuring()
        recording = self._recording()
        self._close()
        return recording

    def _calibrated(self) -> bool:
        """Have the kit tell its calibration; samples of an earlier session may still be on their way."""
        for _ in range(_TRIES):
            time.sleep(_WAIT_S)
            self._kit.ser.reset_input_buffer()
            with suppress(UnicodeDecodeError):
                if self._kit.get_modifiers():
                    return True
        return False

    def _close(self) -> None:
        self._kit.ser.close()
        self._kit.ser = None  # its destructor would close it again

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                data = self._kit.get_data()
            except (OSError, TypeError) as exc:
                self._trouble = f"the PPK2 is gone: {exc}"
                return
            if data:
                self._chunks.append((time.monotonic_ns(), data))
            else:
                time.sleep(_WAIT_S)

    def _recording(self) -> Recording:
        """Return the samples as means over the spec's period, decoded by Nordic's formulas in the library."""
        words = np.frombuffer(_whole(b"".join(data for _, data in self._chunks)), dtype="<u4")
        each = self._spec.averaging_ns // _SAMPLE_NS
        count = len(words) // each
        if not count:
            return Recording((), (), (), self._supply_uv, self._trouble or "the PPK2 sent no samples")
        current_ua = np.array(self._kit.get_samples(words.tobytes())[0][: count * each]).reshape(count, each)
        power = current_ua.mean(axis=1) * (self._supply_uv / 1_000_000)
        lost = _lost(words)[: count * each].reshape(count, each).sum(axis=1)
        first_ns = self._first_ns()
        times = (first_ns + (index + 1) * each * _SAMPLE_NS for index in range(count))
        at_the_end = np.flatnonzero(current_ua.max(axis=1) >= self._spec.max_ua)
        return Recording(
            tuple(times),
            tuple(None if lost[place] else round(float(value)) for place, value in enumerate(power)),
            tuple(map(int, at_the_end)),
            self._supply_uv,
            self._trouble,
        )

    def _first_ns(self) -> int:
        """Return when sampling began: samples arrive late, by how much varies, and never early."""
        ends = np.cumsum([len(data) for _, data in self._chunks]) // _SAMPLE_BYTES
        return min(at_ns - int(end) * _SAMPLE_NS for (at_ns, _), end in zip(self._chunks, ends, strict=True))


def _lost(words: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return before which samples others were lost: there the counter does not go on by one."""
    counter = ((words >> _COUNTER_SHIFT) & _COUNTER_MASK).astype(np.int64)
    lost = np.zeros(len(words), dtype=np.bool_)
    lost[1:] = np.mod(np.diff(counter) - 1, _COUNTER_MASK + 1) != 0
    return lost


def _whole(data: bytes) -> bytes:
    return data[: len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES]


def _library() -> Any:  # noqa: ANN401 - a module without types
    try:
        from ppk2_api import ppk2_api  # noqa: PLC0415 - an optional extra
    except ImportError as exc:
        raise DeviceError("the PPK2 needs the library `ppk2-api`", "pip install 'edgeprof[ppk2]'") from exc
    return ppk2_api
