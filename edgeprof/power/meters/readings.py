"""What every meter gives, whatever it is."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings of a meter, in time.

    Attributes:
        time_ns: When the stretch ended of which a reading is the mean, by the host's monotonic clock.
        power_uw: What the board took; `None` where a reading could not be understood.
        clipped: Places of readings in which the meter was at the end of its range.
        voltage_uv: Mean voltage, measured or as set; `None` where the meter does not say.
        trouble: What ended it early, for people; `None` where it was stopped.
    """

    time_ns: tuple[int, ...]
    power_uw: tuple[int | None, ...]
    clipped: tuple[int, ...]
    voltage_uv: int | None
    trouble: str | None = None


class Meter(Protocol):
    """A meter that is connected. Both calls raise `DeviceError` where it is not, or does not answer."""

    def start(self) -> None:
        """Begin to record."""

    def stop(self) -> Recording:
        """End, let go of the meter, and return what was recorded."""
