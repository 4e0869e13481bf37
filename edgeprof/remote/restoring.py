"""Setting a board's clocks back by hand."""

from collections.abc import Sequence

from edgeprof.devices import Device
from edgeprof.remote.clockscript import ANSWER_S, Restored, parse_restored, prefix, refusal
from edgeprof.remote.programs import Say, push_clocks
from edgeprof.remote.reaching import looked_at
from edgeprof.transport import Transport
from edgeprof.transport.files import answered


def restore_clocks(device: Device, say: Say, *, force: bool = False) -> Restored:
    """Set back what a hold that is gone has left on a board; also after a reboot, or a watchdog that was killed.

    Args:
        device: Which board.
        say: Told each step that takes a while.
        force: Also while somebody's run holds them; and forget what cannot be set back.

    Raises:
        DeviceError: Somebody's run holds them, permission is missing, or something could not be set back.
        TransportError: The board cannot be reached.
    """
    with looked_at(device, say) as (transport, found):
        script, _ = push_clocks(transport, found, say)
        look = _asked(transport, ("sh", script, "look"), device.name)
        if "end=held" not in look:
            return parse_restored(look, now=False)
        root = prefix(transport, device.name, device.url, f"sudo sh {script} restore")
        option = ("force=yes",) if force else ()
        return parse_restored(_asked(transport, (*root, "sh", script, "restore", *option), device.name), now=True)


def _asked(transport: Transport, argv: Sequence[str], device: str) -> list[str]:
    done = answered(transport, argv, ANSWER_S, "setting its clocks back")
    lines = done.stdout.decode(errors="replace").splitlines()
    refused = next((line for line in lines if line.startswith("error=")), None)
    if refused or not any(line.startswith("end=") for line in lines):
        what, _, rest = (refused or "error=gone").partition("=")[2].partition(" ")
        raise refusal(what, rest or done.stderr.decode(errors="replace").strip(), device)
    return lines
