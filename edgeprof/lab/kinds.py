"""The kinds of virtual board."""

from dataclasses import dataclass

from edgeprof.errors import UsageError
from edgeprof.lab.image import ImageSpec
from edgeprof.names import did_you_mean
from edgeprof.records import CLOCK_INSTRUCTIONS, CLOCK_WALL

_BOOKWORM = ImageSpec("bookworm", "arm64", "linux-image-arm64")
_BULLSEYE = ImageSpec("bullseye", "arm64", "linux-image-arm64")
# tflite-runtime on armv7l needs the board's own numpy: PyPI has no wheel.
_ARMHF = ImageSpec("bookworm", "armhf", "linux-image-armmp-lpae", extra=("python3-numpy",))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of virtual board.

    Attributes:
        name: What it is asked for by.
        title: One line for people.
        cpu: QEMU's name of its processor.
        image: What its disk is made of.
        machine: QEMU's machine: `virt`, or `raspi3b`.
        cores: How many, with the wall clock; one that counts instructions has one.
        memory_mib: Its memory.
        network: It has an Ethernet interface and an SSH server; without, only a serial console.
        without: Programs that are taken away from it.
        overlay: Device tree overlay in `guest/`, with sensors on a stub bus, or `None`.
        cpufreq: Its kernel sets clocks, which are invented, in two groups of cores.
    """

    name: str
    title: str
    cpu: str
    image: ImageSpec = _BOOKWORM
    machine: str = "virt"
    cores: int = 2
    memory_mib: int = 1024
    network: bool = True
    without: tuple[str, ...] = ()
    overlay: str | None = None
    cpufreq: bool = False

    @property
    def invented(self) -> tuple[str, ...]:
        """Return what it makes up, as it says itself."""
        return (*(("power", "temperature") if self.overlay else ()), *(("clocks",) if self.cpufreq else ()))

    @property
    def snapshots(self) -> bool:
        """Return whether it starts from a snapshot instead of booting; a Raspberry Pi's machine cannot."""
        return self.machine == "virt"

    @property
    def clock(self) -> str:
        """Return the clock it has unless asked otherwise: a generic board counts instructions."""
        return CLOCK_INSTRUCTIONS if self.name == self.cpu else CLOCK_WALL

    @property
    def counts(self) -> bool:
        """Return whether its clock may count instructions, which takes a machine with one core."""
        return self.machine == "virt" and self.network


KINDS = (
    Kind("cortex-a53", "generic 64-bit Arm, as in a Raspberry Pi 3 or Zero 2", "cortex-a53"),
    Kind("cortex-a72", "generic 64-bit Arm, as in a Raspberry Pi 4", "cortex-a72"),
    Kind("cortex-a76", "generic 64-bit Arm with dot product, as in a Raspberry Pi 5", "cortex-a76"),
    Kind("armv7", "32-bit Arm, Debian armhf", "cortex-a15", image=_ARMHF),
    Kind("bullseye", "Debian 11: glibc 2.31, Python 3.9", "cortex-a72", image=_BULLSEYE),
    Kind("no-python", "without Python, gzip and getconf", "cortex-a72", without=("python", "gzip", "getconf")),
    Kind("serial-only", "no network, a login on its serial console", "cortex-a53", network=False),
    Kind("sensors", "INA219 and INA226 power sensors; what they read is invented", "cortex-a72", overlay="sensors"),
    Kind(
        "jetson-nano-look-alike",
        "a Jetson Nano's device tree, INA3221 rails and thermal zone; what they read is invented",
        "cortex-a57", cores=4, overlay="jetson",
    ),
    Kind(
        "big-little", "two groups of cores whose clocks the kernel's cpufreq sets; the clocks are invented",
        "cortex-a72", cpufreq=True,
    ),
    Kind(
        "raspberry-pi-3", "QEMU's own machine with the board's real device tree; boots in 20 s", "cortex-a53",
        machine="raspi3b", cores=4,
    ),
)  # fmt: skip


def find_kind(name: str) -> Kind:
    """Return the kind called `name`.

    Raises:
        UsageError: There is none.
    """
    kinds = {kind.name: kind for kind in KINDS}
    if name not in kinds:
        hint = did_you_mean(name, kinds) + f"kinds: {', '.join(kinds)}"
        raise UsageError(f"unknown kind of virtual board: `{name}`", hint)
    return kinds[name]
