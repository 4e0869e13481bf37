"""A Joulescope between a board and its supply: its own statistics, fifty a second, through `joulescope`."""

import time
from dataclasses import replace
from typing import Any

from edgeprof.errors import DeviceError
from edgeprof.power.meters.readings import Recording
from edgeprof.power.meters.spec import MeterSpec
from edgeprof.units import NS_PER_S, micro


class JoulescopeMeter:
    """The one Joulescope that is plugged in.

    Args:
        spec: Its limits.
    """

    def __init__(self, spec: MeterSpec) -> None:
        self._spec = spec
        self._scope: Any = None
        self._statistics: list[tuple[int, dict[str, Any]]] = []

    def start(self) -> None:
        """See `Meter`."""
        try:
            import joulescope  # noqa: PLC0415 - an optional extra
        except ImportError as exc:
            text = "a Joulescope needs the library `joulescope`"
            raise DeviceError(text, "pip install 'edgeprof[joulescope]'") from exc
        try:
            self._scope = joulescope.scan_require_one(config="auto")
            self._scope.open()
            self._scope.parameter_set("i_range", "auto")
            self._scope.parameter_set("v_range", "15V")
            self._scope.parameter_set("reduction_frequency", f"{NS_PER_S // self._spec.period_ns} Hz")
            self._scope.statistics_callback_register(self._take)
        except (RuntimeError, OSError, ValueError, KeyError, TimeoutError) as exc:
            hint = "is exactly one plugged in, and is no other program using it?"
            raise DeviceError(f"cannot use a Joulescope: {exc}", hint) from exc

    def stop(self) -> Recording:
        """See `Meter`."""
        trouble = None
        try:
            self._scope.statistics_callback_unregister(self._take)
            self._scope.close()
        except (RuntimeError, OSError, TimeoutError) as exc:
            trouble = f"the Joulescope is gone: {exc}"
        return replace(parse_statistics(self._statistics, self._spec), trouble=trouble)

    def _take(self, statistics: dict[str, Any]) -> None:
        self._statistics.append((time.monotonic_ns(), statistics))


def parse_statistics(taken: list[tuple[int, dict[str, Any]]], spec: MeterSpec) -> Recording:
    """Return the instrument's statistics, each with the host's time at which it came, as readings.

    Source: joulescope 1.5.0, `Device.statistics_callback_register`: `signals` of `current`, `voltage` and `power`, each
    with `avg` and `max` in V, A and W.
    """
    times: list[int] = []
    power: list[int | None] = []
    clipped: list[int] = []
    voltages: list[int] = []
    for at_ns, statistics in taken:
        signals = statistics["signals"]
        highest_ua = micro(float(signals["current"]["max"]["value"]), "A")
        if highest_ua >= spec.max_ua:
            clipped.append(len(times))
        times.append(max(at_ns, times[-1] + 1) if times else at_ns)
        power.append(micro(float(signals["power"]["avg"]["value"]), "W"))
        voltages.append(micro(float(signals["voltage"]["avg"]["value"]), "V"))
    mean_uv = round(sum(voltages) / len(voltages)) if voltages else None
    return Recording(tuple(times), tuple(power), tuple(clipped), mean_uv)
