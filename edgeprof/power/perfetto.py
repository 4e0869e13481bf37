"""Power rails of a phone by Perfetto: which there are, and the energy that each counted, on the board's clock.

The counters are the phone's own (ODPM of Pixels and the like), read by Android's power service and written into a
trace. Nothing of Perfetto is needed on the host. Source: google/perfetto at 515cd212c44d, protos/perfetto/trace/power/
power_rails.proto (`timestamp_ms` on CLOCK_BOOTTIME, `energy` in µWs); protos/perfetto/trace/trace.proto,
trace_packet.proto and clock_snapshot.proto (packets are field 1; clock_snapshot 6, power_rails 40; builtin clocks:
monotonic 3, boottime 6).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from edgeprof.protowire import Message, parse
from edgeprof.units import NS_PER_MS

_PACKET, _CLOCKS, _RAILS = 1, 6, 40
_MONOTONIC, _BOOTTIME = 3, 6
# The two clocks move apart while a phone sleeps, and for no other reason.
_ASLEEP_NS = 5 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class PowerRail:
    """A rail that a phone counts energy of.

    Attributes:
        name: The phone's own name for it, such as `S4M_VDD_CPUCL0`.
        subsystem: What it feeds, as the phone says it.
        time_ns: When each count was taken, by the monotonic clock.
        energy_uj: What it had counted by then.
    """

    name: str
    subsystem: str
    time_ns: tuple[int, ...]
    energy_uj: tuple[int, ...]


def read_rails(trace: bytes) -> tuple[PowerRail, ...]:
    """Return every rail of a trace with its counts, each count once, in the phone's order.

    Raises:
        ValueError: It is no trace, says no clock, or the phone slept meanwhile; the message says which.
    """
    packets = parse(trace).messages(_PACKET)
    if not packets:
        raise ValueError("it holds no packet")
    parts = [packet.message(_RAILS) for packet in packets if _RAILS in packet.numbers()]
    named = {rail.whole(1): rail for part in parts for rail in part.messages(1)}
    counts = [count for part in parts for count in part.messages(2)]
    if not counts:
        return ()
    ahead_ns = _ahead_ns(packets)
    return tuple(_rail(index or 0, rail, counts, ahead_ns) for index, rail in named.items())


def _rail(index: int, rail: Message, counts: Iterable[Message], ahead_ns: int) -> PowerRail:
    seen: dict[int, int] = {}
    for count in counts:
        at_ms, energy_uj = count.whole(2), count.whole(3)
        if (count.whole(1) or 0) == index and at_ms is not None and energy_uj is not None:
            seen[at_ms * NS_PER_MS - ahead_ns] = energy_uj
    times = sorted(seen)
    name = rail.text(2) or f"rail {index}"
    return PowerRail(name, rail.text(3) or "", tuple(times), tuple(seen[at] for at in times))


def _ahead_ns(packets: Iterable[Message]) -> int:
    """Return how far the clock of the counts is ahead of the monotonic one."""
    snapshots = [packet.message(_CLOCKS) for packet in packets if _CLOCKS in packet.numbers()]
    clocks = [{clock.whole(1): clock.whole(2) for clock in snapshot.messages(1)} for snapshot in snapshots]
    ahead = [
        (found[_BOOTTIME] or 0) - (found[_MONOTONIC] or 0) for found in clocks if {_BOOTTIME, _MONOTONIC} <= set(found)
    ]
    if not ahead:
        raise ValueError("it says nothing of its clocks")
    if max(ahead) - min(ahead) > _ASLEEP_NS:
        raise ValueError("the phone slept meanwhile: its clocks moved apart")
    return ahead[0]
