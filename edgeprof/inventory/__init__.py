"""Where a board comes from when it is not one's own: it is borrowed, used over our own transports, and given back."""

from collections.abc import Callable
from typing import Protocol

from edgeprof.devices import Device

# Before the name of a place of a labgrid coordinator.
LABGRID = "labgrid://"

Say = Callable[[str], None]
# Called now and then while something waits; raises what ends the wait.
Look = Callable[[], None]


class Lease(Protocol):
    """A board while it is ours.

    Attributes:
        device: The board, with the URL that it really has.
    """

    device: Device

    def cycle(self) -> bool:
        """Switch the board off and on; return whether anything can.

        Raises:
            TransportError: What switches it does not.
        """

    def end(self) -> None:
        """Give the board back. Never raises."""


class Own:
    """A lease of what needs none: the user's own board."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def cycle(self) -> bool:
        """Nothing switches it."""
        return False

    def end(self) -> None:
        """It stays where it is."""


def borrow(device: Device, say: Say, look: Look = lambda: None) -> Lease:
    """Return a lease of a device; it lasts until `end`, or until this process dies.

    Args:
        device: Which; one whose URL is `labgrid://…` is reserved and acquired.
        say: Told what takes a while.
        look: Called while somebody else has the board.

    Raises:
        UsageError: The URL cannot be read, there is no such place, or labgrid's client is not here.
        TransportError: The coordinator cannot be reached.
        DeviceError: The place has nothing that we can speak to.
    """
    if not is_borrowed(device.url):
        return Own(device)
    from edgeprof.inventory.labgrid import borrow_place  # noqa: PLC0415 - only for such a board

    return borrow_place(device, say, look)


def labgrid_client() -> str:
    """Return the path of labgrid's client.

    Raises:
        UsageError: It is not installed; the hint says how.
    """
    from edgeprof.inventory.labgrid import client_program  # noqa: PLC0415 - only for such a board

    return client_program()


def is_borrowed(url: str) -> bool:
    """Return whether a device's URL names a place of a coordinator."""
    return url.lower().startswith(LABGRID)
