"""The agent of boards without Python: a native program speaks the protocol, a shell script says what the board is."""

from typing import Any

from edgeprof.errors import DeviceError
from edgeprof.remote.agent import LinuxAgent
from edgeprof.remote.killed import WitnessedWire
from edgeprof.remote.said import Said, parse_pairs, whole
from edgeprof.remote.shellprobe import parse_probe
from edgeprof.remote.wire import Wire
from edgeprof.transport import Transport
from edgeprof.transport.files import run

_TIMEOUT_S = 60.0


class OneShotAgent(LinuxAgent):
    """See `Agent`; `probe` is a run of `agent.sh`."""

    def __init__(self, wire: Wire, owner: str, transport: Transport, script: str, home: str) -> None:
        super().__init__(WitnessedWire(wire, lambda: self.ask("killed")), owner)
        self._transport = transport
        self._script = script
        self._home = home
        self._is_phone = False

    def ask(self, method: str, timeout_s: float = _TIMEOUT_S, **options: object) -> Said:
        """Return what a method of `agent.sh` says, as pairs in its order.

        Raises:
            DeviceError: The script did not run.
            LinkLost: The way is gone.
        """
        return ask_script(self._transport, self._script, method, timeout_s, **options)

    def probe(self) -> dict[str, Any]:
        """See `Agent`."""
        found = shell_probe(self._transport, self._script, self._home)
        self._is_phone = "android" in found
        return found

    def thermal_status(self) -> int | None:
        """See `Agent`; a phone that does not answer has none."""
        return thermal_status(self._transport, self._script) if self._is_phone else None


def shell_probe(transport: Transport, script: str, home: str) -> dict[str, Any]:
    """Ask a board what it is by `agent.sh` alone.

    Args:
        transport: The way to it.
        script: Where `agent.sh` lies there.
        home: Our folder there.

    Returns:
        What docs/agent-protocol.md, "Probe", lists.

    Raises:
        DeviceError: The script did not run.
        LinkLost: The way is gone.
    """
    return parse_probe(_answer(transport, script, "probe", _TIMEOUT_S, home=home))


def ask_script(
    transport: Transport, script: str, method: str, timeout_s: float = _TIMEOUT_S, **options: object
) -> Said:
    """Return what `agent.sh METHOD key=value…` says on a board, as pairs in its order.

    Raises:
        DeviceError: The script did not run, or not in time.
        LinkLost: The way is gone.
    """
    return parse_pairs(_answer(transport, script, method, timeout_s, **options))


def thermal_status(transport: Transport, script: str) -> int | None:
    """Return Android's thermal status, 0 (none) to 6 (shutdown); `None` where it does not say.

    Raises:
        LinkLost: The way is gone.
    """
    try:
        return whole(dict(ask_script(transport, script, "heat")), "android.thermal_status")
    except DeviceError:
        return None


def _answer(transport: Transport, script: str, method: str, timeout_s: float, **options: object) -> str:
    words = (f"{name}={value}" for name, value in options.items())
    try:
        done = run(transport, ("sh", script, method, *words), timeout_s)
    except TimeoutError as exc:
        raise DeviceError(f"the board did not answer `{method}` in time", "is it busy? `uptime` there tells") from exc
    if done.returncode != 0:
        noise = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise DeviceError(f"the board could not be asked for `{method}`: {noise}", "does `sh` work there?")
    return done.stdout.decode(errors="replace")
