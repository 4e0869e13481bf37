"""Holding a board's clocks: `clocks.sh` at the far end, which sets them back itself once this end is silent."""

import threading
import time
import uuid
from contextlib import suppress

from edgeprof.boards import Setting
from edgeprof.errors import DeviceError, LinkLost, TransportError
from edgeprof.remote.board import Board
from edgeprof.remote.clockscript import ANSWER_S, LIMIT_S, Restored, lease_seconds, parse_restored, prefix, refusal
from edgeprof.remote.programs import Say, push_clocks
from edgeprof.remote.reaching import owner
from edgeprof.remote.stopping import Stopped
from edgeprof.transport.files import answered
from edgeprof.transport.patience import left_s


class ClockHold:
    """A board whose clocks are held. They are set back by `release`, or by the board once nobody holds on.

    Every call raises `LinkLost` where the way is gone.
    """

    def __init__(self, board: Board, token: str, say: Say) -> None:
        """Store what there is and start the watchdog; nothing is changed yet.

        Raises:
            DeviceError: Without permission, or while somebody else holds them, or where heat does.
        """
        self._name, self._url = board.device.name, board.device.url
        script, _ = push_clocks(board.transport, board.prepared.survey, say)
        lease_s = lease_seconds()
        command = (*prefix(board.transport, self._name, self._url), "sh", script, "hold")
        ticks = (f"lease_s={lease_s}", f"tick_s={max(1, lease_s // 6)}", f"limit_s={LIMIT_S}")
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._buffer = b""
        self._channel = board.transport.open((*command, f"token={token}", f"owner={owner()}", *ticks))
        try:
            answer = self._line()
            if answer != "held=yes":
                raise self._refused(answer)
        except BaseException:
            self._channel.close()
            raise
        self._heart = threading.Thread(target=self._beat, args=(lease_s / 3,), name="edgeprof-clocks", daemon=True)
        self._heart.start()

    def set_policy(self, setting: Setting) -> None:
        """Set governor and limits of some cores.

        Raises:
            DeviceError: The kernel made something else of it.
        """
        self._do(f"policy {setting.policy} {setting.text()}")

    def set_mode(self, number: int) -> None:
        """Set a Jetson's power mode.

        Raises:
            DeviceError: It takes a reboot, or did not come about.
        """
        self._do(f"mode {number}")

    def run_jetson_clocks(self) -> bool:
        """Let a Jetson's own tool hold all its clocks, memory's and GPU's too; return whether the board has it.

        Raises:
            DeviceError: It failed.
        """
        answer = self._ask("jetson")
        if answer == "error=jetson missing":
            return False
        if answer != "ok=yes":
            raise self._refused(answer)
        return True

    def release(self) -> Restored:
        """Set everything back, and return what that came to; also where the board has done so already.

        Raises:
            DeviceError: Something could not be set back; the board keeps what it knows for `device restore`.
            LinkLost: The way is gone; the board sets back by itself.
        """
        self._over.set()
        try:
            with self._lock:
                with suppress(BrokenPipeError):
                    self._channel.write(b"end\n")
                self._channel.close_stdin()
                lines = self._rest()
        finally:
            self._channel.close()
        found = parse_restored(lines, now=True)
        if found.failed:
            hint = f"look at the board, then: edgeprof device restore {self._name}"
            raise DeviceError(f"`{self._name}`: could not set back {'; '.join(found.failed)}", hint)
        return found

    def let_go(self) -> None:
        """Give up without an answer: the board sets back by itself. Never raises."""
        self._over.set()
        self._channel.close()

    def _do(self, command: str) -> None:
        answer = self._ask(command)
        if answer != "ok=yes":
            raise self._refused(answer)

    def _ask(self, command: str) -> str | None:
        with self._lock:
            try:
                self._channel.write(command.encode() + b"\n")
            except BrokenPipeError:
                return None
            return self._line()

    def _beat(self, every_s: float) -> None:
        """Give a sign of life, until somebody releases or the way is gone."""
        while not self._over.wait(every_s):
            try:
                with self._lock:
                    self._channel.write(b"beat\n")
            except (TransportError, BrokenPipeError, ValueError, OSError, Stopped):
                return

    def _line(self) -> str | None:
        """Return the next line, or `None` at the end of all."""
        end = time.monotonic() + ANSWER_S
        while b"\n" not in self._buffer:
            try:
                chunk = self._channel.read(left_s(end))
            except TimeoutError as exc:
                raise LinkLost(f"`{self._name}` did not answer about its clocks in time", "run it again") from exc
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _rest(self) -> list[str]:
        lines = []
        while (line := self._line()) is not None:
            lines.append(line)
        return lines

    def _refused(self, answer: str | None) -> DeviceError:
        what, _, rest = (answer or "error=gone").partition("=")[2].partition(" ")
        return refusal(what, rest, self._name)


def hold_clocks(board: Board, say: Say, token: str | None = None) -> ClockHold:
    """Hold a board's clocks; with the `token` of a hold whose way was cut, go on in its place.

    Raises:
        DeviceError: Without permission, or while somebody else holds them, or where heat does.
        LinkLost: The way is gone.
    """
    return ClockHold(board, token or new_token(), say)


def new_token() -> str:
    """Return a name for a hold, which no other has."""
    return uuid.uuid4().hex


def power_modes(board: Board, say: Say) -> str:
    """Return what a Jetson's own tool says of its power modes.

    Raises:
        DeviceError: The board has no such tool.
    """
    script, _ = push_clocks(board.transport, board.prepared.survey, say)
    done = answered(board.transport, ("sh", script, "modes"), ANSWER_S, "asking for its power modes")
    if done.returncode != 0:
        name = board.device.name
        raise DeviceError(f"`{name}` has no power modes: it has no `nvpmodel`", "leave out --power-mode")
    return done.stdout.decode(errors="replace")
