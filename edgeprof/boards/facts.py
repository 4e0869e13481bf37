"""What a board says of itself, as a value."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeprof.boards.caches import common_caches, parse_caches
from edgeprof.boards.cores import CORES, ISA, Cpu
from edgeprof.boards.policies import ClockPolicy, parse_policies
from edgeprof.records import Cache
from edgeprof.targets import architecture_of
from edgeprof.units import celsius, megahertz


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """A temperature sensor of the kernel's: its kind, such as `cpu-thermal`, and what it says now."""

    type: str
    temp_mc: int | None = None

    def text(self) -> str:
        """Return it for people."""
        return self.type if self.temp_mc is None else f"{self.type} {celsius(self.temp_mc)}"


@dataclass(frozen=True, slots=True)
class Rail:
    """What one channel of a power sensor measures.

    Attributes:
        label: The board's own name for it, such as `VDD_IN`, or `None`.
        kind: `product` (mV and mA), `power` (µW), `energy` (µJ, counted up), `pmic` (µV and µA of several), or of a
            phone's battery, in units of its own, `battery` (voltage, current) and `charge` (voltage, charge left).
        wraps_at: Where a counter begins anew.
    """

    label: str | None = None
    kind: str = "product"
    wraps_at: int | None = None


@dataclass(frozen=True, slots=True)
class PowerSensor:
    """A power sensor of the kernel's: driver, place in `/sys`, rails, and whether we may read it."""

    driver: str
    path: str | None = None
    rails: tuple[Rail, ...] = ()
    readable: bool | None = None

    def text(self) -> str:
        """Return it for people."""
        labels = [rail.label for rail in self.rails if rail.label]
        rails = f" ({', '.join(labels)})" if labels else ""
        return f"{self.driver}{rails}{', not readable' if self.readable is False else ''}"


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """What a board says of itself: docs/agent-protocol.md, "Probe"; `None` is what it does not say.

    Attributes:
        machine: As `uname -m` says: the kernel's architecture.
        kernel: Its release.
        os: Its system's pretty name.
        os_id: Such as `debian`.
        os_version: Such as `12`.
        libc: `glibc`, `musl`, `bionic` or `unknown`.
        libc_version: Such as `2.36`.
        python: The agent's, such as `3.11.2`.
        model: The device tree's model or DMI's product name.
        compatible: The device tree's strings, the most special first.
        board_id: What tells this board from others of its kind.
        cpus: Its cores.
        policies: Which of them have their clock set together, and to what.
        memory_total_bytes: What the kernel has: less than what was soldered in.
        memory_available_bytes: What is free now.
        disk_free_bytes: Room where our folder is.
        thermal_zones: Its temperature sensors.
        power_sensors: Its power sensors.
        uptime_s: Since it started.
        load_1min: Its load average over the last minute.
        virtualization: A hypervisor, a container or `proot`.
        isa: The extensions of its instruction set that matter to inference, of those in `ISA`.
        aes_instructions: Its cores have them.
        virtual_board: The kind of virtual board of `edgeprof lab` that it is, or `None` for any other board.
        ns_per_instruction: What an instruction adds to its clock, where that counts instructions.
        invented: What its sensors make up, such as `power`; only a virtual board's do.
        throttled: The bits of throttling that a Raspberry Pi's firmware shows now.
        power_mode: A Jetson's, such as `MAXN`.
        soc: A phone's chip, such as `Google Tensor G3`.
        abi: A phone's first ABI, such as `arm64-v8a`.
        thermal_status: Android's, 0 (none) to 6 (shutdown).
        battery_percent: A phone's charge.
        on_charger: A phone's battery is being fed, by USB too.
    """

    machine: str | None = None
    kernel: str | None = None
    os: str | None = None
    os_id: str | None = None
    os_version: str | None = None
    libc: str | None = None
    libc_version: str | None = None
    python: str | None = None
    model: str | None = None
    compatible: tuple[str, ...] = ()
    board_id: str | None = None
    cpus: tuple[Cpu, ...] = ()
    policies: tuple[ClockPolicy, ...] = ()
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    disk_free_bytes: int | None = None
    thermal_zones: tuple[ThermalZone, ...] = ()
    power_sensors: tuple[PowerSensor, ...] = ()
    uptime_s: float | None = None
    load_1min: float | None = None
    virtualization: str | None = None
    isa: tuple[str, ...] = ()
    aes_instructions: bool | None = None
    virtual_board: str | None = None
    ns_per_instruction: int | None = None
    invented: tuple[str, ...] = ()
    throttled: int | None = None
    power_mode: str | None = None
    soc: str | None = None
    abi: str | None = None
    thermal_status: int | None = None
    battery_percent: int | None = None
    on_charger: bool | None = None

    def userland(self) -> str | None:
        """Return the architecture of its programs, which may be narrower than its kernel's.

        Source: RPi-Distro/repo issues 293 and 360: `ID=raspbian` is 32-bit, also under an `aarch64` kernel.
        """
        machine = architecture_of(self.machine)
        return "armv7l" if machine == "aarch64" and self.os_id == "raspbian" else machine

    def libc_text(self) -> str | None:
        """Return its C library for people: `glibc 2.36`."""
        return None if self.libc is None else f"{self.libc} {self.libc_version or ''}".strip()

    def core_summary(self) -> str | None:
        """Return its running cores for people: `4 x cortex-a76 up to 2400 MHz`, the fastest first."""
        kinds = Counter((cpu.max_khz or 0, cpu.core or cpu.model_name or "core") for cpu in self.running())
        texts = [
            f"{count} x {name}" + (f" up to {megahertz(max_khz)}" if max_khz else "")
            for (max_khz, name), count in sorted(kinds.items(), reverse=True)
        ]
        return ", ".join(texts) or None

    def running(self) -> tuple[Cpu, ...]:
        """Return its cores without those that are known to be off."""
        return tuple(cpu for cpu in self.cpus if cpu.online is not False)

    def core_ranks(self) -> tuple[tuple[int, int | None], ...]:
        """Return pairs of a running core's number and what orders it by size: capacity, or else its clock."""
        by_capacity = all(cpu.capacity is not None for cpu in self.running())
        return tuple((cpu.index, cpu.capacity if by_capacity else cpu.max_khz) for cpu in self.running())

    def caches(self, cpus: Sequence[int] | None = None) -> tuple[Cache, ...]:
        """Return the caches that each of some running cores has; of all unless told which."""
        return common_caches([cpu.caches for cpu in self.running() if cpus is None or cpu.index in cpus])

    def governors(self) -> tuple[str, ...]:
        """Return the different governors of its running cores, sorted."""
        return tuple(sorted({cpu.governor for cpu in self.running() if cpu.governor is not None}))

    def hottest_mc(self) -> int | None:
        """Return its highest temperature, in thousandths of a degree Celsius."""
        return max((zone.temp_mc for zone in self.thermal_zones if zone.temp_mc is not None), default=None)


def parse_facts(probe: dict[str, Any]) -> BoardFacts:
    """Return the agent's answer to `probe` as a value.

    What is null, missing or not of its type is `None`: a board is believed nothing that it did not say.
    """
    system, lab, phone = probe.get("os"), _table(probe.get("lab")), _table(probe.get("android"))
    names = {str(key).upper(): value for key, value in system.items()} if isinstance(system, dict) else {}
    features = _texts(probe.get("cpu_features"))
    return BoardFacts(
        machine=_text(probe.get("machine")),
        kernel=_text(probe.get("kernel")),
        os=_text(names.get("PRETTY_NAME")) or _text(system),
        os_id=_text(names.get("ID")),
        os_version=_text(names.get("VERSION_ID")),
        libc=_text(probe.get("libc")),
        libc_version=_text(probe.get("libc_version")),
        python=_text(probe.get("python")),
        model=_text(probe.get("model")),
        compatible=_texts(probe.get("compatible")),
        board_id=_text(probe.get("board_id")),
        cpus=tuple(_cpu(index, table) for index, table in enumerate(_tables(probe.get("cpus")))),
        policies=parse_policies(_tables(probe.get("policies"))),
        memory_total_bytes=_whole(probe.get("memory_total_bytes")),
        memory_available_bytes=_whole(probe.get("memory_available_bytes")),
        disk_free_bytes=_whole(probe.get("disk_free_bytes")),
        thermal_zones=tuple(_zone(table) for table in _tables(probe.get("thermal_zones"))),
        power_sensors=tuple(_sensor(table) for table in _tables(probe.get("power_sensors"))),
        uptime_s=_real(probe.get("uptime_s")),
        load_1min=_real(probe.get("load_1min")),
        virtualization=_text(probe.get("virtualization")),
        isa=tuple(name for name in ISA if name in features),
        aes_instructions="aes" in features if features else None,
        virtual_board=_text(lab.get("board")),
        ns_per_instruction=_whole(lab.get("ns_per_instruction")),
        invented=_texts(lab.get("invented")),
        throttled=_whole(probe.get("throttled")),
        power_mode=_text(probe.get("power_mode")),
        soc=_text(phone.get("soc")),
        abi=_text(phone.get("abi")),
        thermal_status=_whole(phone.get("thermal_status")),
        battery_percent=_whole(phone.get("battery_percent")),
        on_charger=_truth(phone.get("on_charger")),
    )


def _cpu(position: int, table: dict[str, Any]) -> Cpu:
    index = _whole(table.get("index"))
    return Cpu(
        index=position if index is None else index,
        core=CORES.get((_number(table.get("implementer")), _number(table.get("part")))),
        model_name=_text(table.get("model_name")),
        max_khz=_whole(table.get("max_khz")),
        capacity=_whole(table.get("capacity")),
        governor=_text(table.get("governor")),
        online=_truth(table.get("online")),
        caches=parse_caches(_table(table.get("caches"))),
    )


def _zone(table: dict[str, Any]) -> ThermalZone:
    return ThermalZone(_text(table.get("type")) or "unnamed", _whole(table.get("temp_mc")))


def _sensor(table: dict[str, Any]) -> PowerSensor:
    driver = _text(table.get("driver")) or "unnamed"
    rails = tuple(
        Rail(_text(rail.get("label")), _text(rail.get("kind")) or "product", _whole(rail.get("wraps_at")))
        for rail in _tables(table.get("rails"))
    )
    return PowerSensor(driver, _text(table.get("path")), rails, _truth(table.get("readable")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> int:
    """Return `0xd08`, or 0xd08, as a number; -1, which no core has, for anything else."""
    try:
        return value if isinstance(value, int) else int(str(value), 16)
    except ValueError:
        return -1
