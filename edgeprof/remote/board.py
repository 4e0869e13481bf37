"""A board as one thing to talk to: transport, agent and files, with a way back after a cut."""

import hashlib
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgeprof.devices import Device
from edgeprof.errors import DeviceError, EdgeprofError, LinkLost, TransportError
from edgeprof.inventory import Lease, borrow
from edgeprof.remote.agent import LinuxAgent
from edgeprof.remote.bootstrap import (
    Bytes,
    Prepared,
    Say,
    SetupOptions,
    prepare,
)
from edgeprof.remote.oneshot import ask_script
from edgeprof.remote.reaching import Stop, completed, started, way
from edgeprof.remote.said import Said
from edgeprof.remote.stopping import Stopped
from edgeprof.transport import Transport
from edgeprof.transport.files import pull_bytes, push, push_bytes, run

if TYPE_CHECKING:
    from edgeprof.power.battery import Gauge

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0
_REMOVE_S = 30.0
_BOOT_S = 90.0


class Board:
    """A ready board. Use as a context manager, or call `close`.

    Attributes:
        device: Which board.
        prepared: What is on it.
        agent: Its agent, running.
        gauges: What a step of load showed of a phone's battery, by the rail's place; filled as cells are measured.
    """

    def __init__(
        self, device: Device, lease: Lease, way_there: Transport, options: SetupOptions, prepared: Prepared, stop: Stop
    ) -> None:
        self.device = device
        self.prepared = prepared
        self._options = options
        self._lease = lease
        self._transport = way_there
        self._stop = stop or threading.Event()
        self.agent = self._start_agent()
        self.gauges: dict[int, Gauge] = {}

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def transport(self) -> Transport:
        """Return the way to it, which is another after a cut."""
        return self._transport

    def close(self) -> None:
        """End the agent and the way, and give a borrowed board back. Never raises."""
        self._leave()
        self._lease.end()

    def reconnect(self, say: Say, patience_s: float) -> None:
        """Make a new way and a new agent after a cut, trying again and again for `patience_s`.

        It may have started anew in between: what it has lost of the agent and the runtime is pushed again. A borrowed
        board that can be switched off and on is, once, when half of the time is over, and gets time to boot.

        Raises:
            LinkLost: The board stayed away.
        """
        self._leave()
        pause_s, hung_at = _FIRST_PAUSE_S, time.monotonic() + patience_s / 2
        end = time.monotonic() + patience_s
        while True:
            say(f"`{self.device.name}` is away; trying again in {pause_s:g} s")
            if self._stop.wait(pause_s):
                raise Stopped
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                self._transport = way(self._lease.device, say, self._stop)
                self.prepared = prepare(self._transport, self._options, say)
                self.agent = self._start_agent()
            except (TransportError, DeviceError) as exc:  # the old agent may hold the board a moment longer
                if time.monotonic() > hung_at:
                    hung_at = float("inf")
                    end = max(end, self._cycled_until(say))
                if time.monotonic() + pause_s > end:
                    raise _stayed_away(self.device.name, exc) from exc
            else:
                return

    def _leave(self) -> None:
        self.agent.shut()
        self._transport.close()

    def _cycled_until(self, say: Say) -> float:
        """Switch a board that hangs off and on, where that can be done; return until when it may boot."""
        try:
            if not self._lease.cycle():
                return 0.0
        except TransportError as exc:
            say(exc.message)
            return 0.0
        say(f"`{self.device.name}` was switched off and on")
        return time.monotonic() + _BOOT_S

    def push_model(self, path: Path, sha256: str, sent: Bytes | None = None) -> int:
        """Put a model on the board under its hash; return the bytes sent, 0 if it was there."""
        return push(self._transport, path, self._path(f"models/{sha256}.tflite"), sent, sha256).bytes_sent

    def push_input(self, data: bytes, sent: Bytes | None = None) -> str:
        """Put input samples on the board; return their SHA-256, which names them there."""
        sha256 = hashlib.sha256(data).hexdigest()
        push_bytes(self._transport, data, self._path(f"inputs/{sha256}.bin"), sent)
        return sha256

    def keep(self, name: str, data: bytes) -> None:
        """Put something of the host's own on the board, for any host to find there: `peaks/….json`."""
        push_bytes(self._transport, data, self._path(name))

    def kept(self, name: str) -> bytes | None:
        """Return what a host has kept on the board under that name, or `None`."""
        try:
            return pull_bytes(self._transport, self._path(name))
        except LinkLost:
            raise
        except DeviceError:
            return None

    def pull(self, file: str, sha256: str) -> bytes:
        """Return a file that the agent named, checked against its hash.

        Raises:
            TransportError: What came is not what the board hashed.
        """
        data = pull_bytes(self._transport, self._path(file))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise TransportError(f"`{file}` from `{self.device.name}` came damaged", "run it again; look at the link")
        return data

    def pause(self, seconds: float) -> None:
        """Leave the board alone for so long.

        Raises:
            Stopped: Nobody wants the measurement any more.
        """
        if self._stop.wait(seconds):
            raise Stopped

    def ask(self, method: str, timeout_s: float, **options: object) -> Said:
        """Return what a method of the board's shell script says.

        Raises:
            DeviceError: It has none, for it has the agent in Python; or it did not answer in time.
            LinkLost: The way is gone.
        """
        script = self.prepared.agent.script
        if script is None:
            raise DeviceError(f"`{self.device.name}` has no shell script of ours")
        return ask_script(self._transport, script, method, timeout_s, **options)

    def take(self, path: str) -> bytes:
        """Return a file of the board's own, and remove it there.

        Raises:
            DeviceError: It cannot be read.
        """
        data = pull_bytes(self._transport, path)
        with suppress(TimeoutError):
            run(self._transport, ("rm", "-f", path), _REMOVE_S)
        return data

    def _path(self, name: str) -> str:
        return f"{self.prepared.survey.home}/{name}"

    def _start_agent(self) -> LinuxAgent:
        return started(self._transport, self.device, self.prepared.agent)


def connect_board(
    device: Device, options: SetupOptions, say: Say, sent: Bytes | None = None, stop: Stop = None
) -> Board:
    """Connect to a device, get it ready and start its agent.

    Args:
        device: Which.
        options: See `SetupOptions`; `home` and `runtime` of the device hold where the options leave them open.
        say: Told each step that takes a while.
        sent: Told bytes sent and in all, during a push.
        stop: Once set, whatever waits for the board raises `Stopped` within half a second.

    Raises:
        TransportError: It cannot be reached.
        DeviceError: It cannot be made ready, or another host holds it.
    """
    with ExitStack() as undo:
        lease = borrow(device, say, lambda: _unless(stop))
        undo.callback(lease.end)
        transport = undo.enter_context(closing(way(lease.device, say, stop)))
        options = completed(device, options)
        board = Board(device, lease, transport, options, prepare(transport, options, say, sent), stop)
        undo.pop_all()
        return board


def _unless(stop: Stop) -> None:
    if stop is not None and stop.is_set():
        raise Stopped


def _stayed_away(name: str, reason: EdgeprofError) -> LinkLost:
    text = f"`{name}` did not come back: {reason.message}"
    return LinkLost(text, "what finished is stored; `edgeprof run list` shows it. `--reconnect SECONDS` waits longer")
