"""Virtual Arm boards under QEMU: for tests, and for users without hardware. See docs/virtual-boards.md."""

from edgeprof.lab.board import PASSWORD, USER, VirtualBoard, running
from edgeprof.lab.fleet import Running, boards, clean, down, up
from edgeprof.lab.kinds import KINDS, Kind, find_kind
from edgeprof.lab.needs import TO_BOOT, TO_BUILD, missing

__all__ = [
    "KINDS",
    "PASSWORD",
    "TO_BOOT",
    "TO_BUILD",
    "USER",
    "Kind",
    "Running",
    "VirtualBoard",
    "boards",
    "clean",
    "down",
    "find_kind",
    "missing",
    "running",
    "up",
]
