"""What a sensor or a meter saw."""

from dataclasses import dataclass

# Of a counter in `readings` that is summed on the host, or by the phone: it never begins anew.
NEVER_WRAPS = 1 << 62


@dataclass(frozen=True, slots=True)
class PowerTrace:
    """What one rail took while a process waited, ran and waited again, on the board's monotonic clock.

    Attributes:
        rail: Its name, such as `POM_5V_IN (ina3221)`.
        covers: `board`: all that the board takes; `part`: nobody said that it is all.
        wraps_at: Where `readings` begin anew if they are a counter in µJ; `None` where they are power in µW.
        period_ns: One reading was taken at a random instant of each so long.
        time_ns: When each reading was taken.
        readings: Power in µW or a counter in µJ; `None` where the sensor gave none.
        idle_before_ns: Begin and end of the wait with the model loaded.
        run_ns: Begin and end of the timed runs.
        idle_after_ns: Begin and end of the wait after them.
        runs: Inferences in `run_ns`.
        sampler_ratio: Share of one core that reading the sensor took, in all three; nothing of a meter on the host.
        averaging_ns: Of a meter: each reading is the mean over so long before its time; `None`: it is of an instant.
        offset_bound_ns: Of a meter: times may be off by so much against the board's clock.
        supply_uv: At which voltage the board was fed: measured, or as its meter or target says; `None` if nobody does.
        clipped: Of a meter: places of readings in which it was at the end of its range.
        throttled: Bits of now that a Raspberry Pi's firmware showed from the first wait to the last, or `None`.
        most_uw: The most that the board's supply gives, as its target says, or `None`.
        usual_idle_uw: What such a board takes with nothing to do, as its target says, or `None`.
    """

    rail: str
    covers: str
    wraps_at: int | None
    period_ns: int
    time_ns: tuple[int, ...]
    readings: tuple[int | None, ...]
    idle_before_ns: tuple[int, int]
    run_ns: tuple[int, int]
    idle_after_ns: tuple[int, int]
    runs: int
    sampler_ratio: float
    averaging_ns: int | None = None
    offset_bound_ns: int = 0
    supply_uv: int | None = None
    clipped: tuple[int, ...] = ()
    throttled: int | None = None
    most_uw: int | None = None
    usual_idle_uw: int | None = None
