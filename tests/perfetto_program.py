"""What stands in for Android's `perfetto`: a program of the tests' own that takes the same arguments and writes a trace.

The trace is made by Google's protobuf from the published definitions (google/perfetto at 515cd212c44d, protos/perfetto/
trace/power/power_rails.proto and what holds it), not by our reader. Its rails take what `RAILS` says, made up.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

# Name, subsystem, mW.
RAILS = (("VDD_MADE_UP_CPU", "cpu", 512), ("VDD_MADE_UP_GPU", "gpu", 64))
# Field numbers of the messages: name -> (number, type or message, repeated). Types: 4 uint64, 9 string, 13 uint32.
MESSAGES = {
    "RailDescriptor": {"index": (1, 13, False), "rail_name": (2, 9, False), "subsys_name": (3, 9, False), "sampling_rate": (4, 13, False)},
    "EnergyData": {"index": (1, 13, False), "timestamp_ms": (2, 4, False), "energy": (3, 4, False)},
    "PowerRails": {"rail_descriptor": (1, "RailDescriptor", True), "energy_data": (2, "EnergyData", True)},
    "Clock": {"clock_id": (1, 13, False), "timestamp": (2, 4, False)},
    "ClockSnapshot": {"clocks": (1, "Clock", True)},
    "TracePacket": {"clock_snapshot": (6, "ClockSnapshot", False), "timestamp": (8, 4, False), "power_rails": (40, "PowerRails", False)},
    "Trace": {"packet": (1, "TracePacket", True)},
}  # fmt: skip


def trace_message():
    """Return the class of `Trace`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="trace.proto", package="perfetto.protos")
    for kind, fields in MESSAGES.items():
        made = file.message_type.add(name=kind)
        for name, (number, type_, repeated) in fields.items():
            field = made.field.add(name=name, number=number, label=3 if repeated else 1)
            if isinstance(type_, str):
                field.type, field.type_name = 11, f".perfetto.protos.{type_}"
            else:
                field.type = type_
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("perfetto.protos.Trace"))


def add_clocks(trace, monotonic_ns: int, boot_ns: int) -> None:
    snapshot = trace.packet.add().clock_snapshot
    for clock, now in ((1, 1_700_000_000_000_000_000), (3, monotonic_ns), (6, boot_ns)):
        snapshot.clocks.add(clock_id=clock, timestamp=now)


def add_counts(trace, boot_ms: int) -> None:
    """Add what every rail has counted by then."""
    rails = trace.packet.add(timestamp=boot_ms * 1_000_000).power_rails
    for index, (_, _, mw) in enumerate(RAILS):
        rails.energy_data.add(index=index, timestamp_ms=boot_ms, energy=mw * boot_ms + boot_ms % 7)


def add_rails(trace) -> None:
    rails = trace.packet.add().power_rails
    for index, (name, subsystem, _) in enumerate(RAILS):
        rails.rail_descriptor.add(index=index, rail_name=name, subsys_name=subsystem, sampling_rate=1000)


def record(path: str, poll_s: float, duration_s: float) -> None:
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    trace = trace_message()()
    add_clocks(trace, time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    add_rails(trace)
    end = time.monotonic() + duration_s
    while not ended and time.monotonic() < end:
        add_counts(trace, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)
        time.sleep(poll_s)
    Path(path).write_bytes(trace.SerializeToString())


def main(words: list[str]) -> None:
    assert words[:4] == ["--txt", "-c", "-", "--background"], words
    config = sys.stdin.read()
    poll_ms, duration_ms = (int(re.search(rf"{name}: (\d+)", config)[1]) for name in ("battery_poll_ms", "duration_ms"))
    assert "collect_power_rails: true" in config
    child = os.fork()
    if child:
        print(child, flush=True)  # noqa: T201 - as perfetto says it
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    record(words[words.index("-o") + 1], poll_ms / 1000, duration_ms / 1000)


if __name__ == "__main__":
    main(sys.argv[1:])
