"""One core: its kind by its part number, its clock and its caches."""

from dataclasses import dataclass

from edgeprof.records import Cache

# Implementer and part. Source: Linux at cb9f145f638d, arch/arm64/include/asm/cputype.h; the A8's at 02b5a6031ba7,
# arch/arm/include/asm/cputype.h, where the part stands with a zero behind it.
CORES = {
    (0x41, 0xC08): "cortex-a8",
    (0x41, 0xD03): "cortex-a53",
    (0x41, 0xD05): "cortex-a55",
    (0x41, 0xD07): "cortex-a57",
    (0x41, 0xD08): "cortex-a72",
    (0x41, 0xD09): "cortex-a73",
    (0x41, 0xD0B): "cortex-a76",
    (0x41, 0xD41): "cortex-a78",
    (0x41, 0xD42): "cortex-a78ae",
    (0x41, 0xD44): "cortex-x1",
    (0x41, 0xD46): "cortex-a510",
    (0x41, 0xD4D): "cortex-a715",
    (0x41, 0xD4E): "cortex-x3",
    (0x4E, 0x003): "denver",
    (0x4E, 0x004): "carmel",
}

# Names as /proc/cpuinfo has them. Source: Linux at v6.1, arch/arm64/kernel/cpuinfo.c, arch/arm/kernel/setup.c,
# arch/x86/include/asm/cpufeatures.h: 8-bit dot products, half precision, matrix products, wider vectors.
ISA = (
    "neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme",
    "avx2", "fma", "f16c", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cpu:
    """One core as the board lists it; `None` is what it does not say.

    Attributes:
        index: Linux's number of it.
        core: Its kind as the targets name it, or `None` where its part number is not in `CORES`.
        model_name: What `/proc/cpuinfo` says (x86).
        max_khz: Its highest clock.
        capacity: Its size against the biggest core's 1024.
        governor: Its frequency governor.
        online: It runs.
        caches: Those that it reads data through, the nearest first; empty where the board does not say.
    """

    index: int
    core: str | None = None
    model_name: str | None = None
    max_khz: int | None = None
    capacity: int | None = None
    governor: str | None = None
    online: bool | None = None
    caches: tuple[Cache, ...] = ()
