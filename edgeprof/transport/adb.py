"""Android phones by the user's own `adb`, one subprocess a command.

`adb` may end with status 0 also when the phone was unplugged in the middle. So the phone's shell says at the end of
standard error how the command ended, behind a word that nobody can guess: without that word the way was lost.
"""

import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from edgeprof.errors import DeviceError, LinkLost, TransportError, UsageError
from edgeprof.names import did_you_mean
from edgeprof.transport import Channel
from edgeprof.transport.local import KEPT_BYTES, LocalChannel

# What the shell user may write, and run programs from.
HOME = "/data/local/tmp/edgeprof"
_TIMEOUT_S = 30.0
_END_S = 5.0
_SIGNALLED = 128  # a shell's status of a command that a signal ended, less the signal's number
_STATES = {
    "unauthorized": ("has not allowed this computer", "unlock its screen and answer the question there"),
    "authorizing": ("has not allowed this computer yet", "unlock its screen and answer the question there"),
    "offline": ("is offline", "unplug it and plug it in again, or `adb reconnect offline`"),
    "recovery": ("is in recovery", "start Android on it"),
    "sideload": ("is in sideload", "start Android on it"),
    "bootloader": ("is in its bootloader", "start Android on it"),
    "no permissions": ("may not be opened by you", "`adb devices` says which udev rule is missing"),
}


class AdbTransport:
    """See `Transport`; `adb devices` shows serials. One of the kind `HOST:PORT` is connected to if need be."""

    bytes_per_s: int | None = None

    def __init__(self, url: str, stall_s: float = 60.0) -> None:
        """Look for the phone.

        Raises:
            UsageError: No serial, or `adb` is not installed.
            TransportError: No such phone, or it does not let us in.
            DeviceError: Its Android is older than 7.
        """
        self.url = url
        self._serial = url.partition(":")[2]
        self._stall_s = stall_s
        self._channels: list[AdbChannel] = []
        _adb("start-server")
        if not self._serial:
            raise UsageError("which phone?", f"adb:SERIAL; {_known(phones())}")
        self._find()
        if "shell_v2" not in _adb("-s", self._serial, "features").stdout.split():
            raise DeviceError(f"`{self._serial}` has an Android older than 7", "its `adb shell` loses exit statuses")

    def open(self, argv: Sequence[str]) -> Channel:
        """See `Transport`."""
        self._channels = [channel for channel in self._channels if not channel.closed]
        channel = AdbChannel(self._serial, argv, self._stall_s)
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        """See `Transport`."""
        while self._channels:
            self._channels.pop().close()

    def _find(self) -> None:
        state = phones().get(self._serial)
        if ":" in self._serial and state != "device":
            if state is not None:  # else `adb` says "already connected" and it stays as it is
                _adb("disconnect", self._serial)
            _adb("connect", self._serial)
        known = phones()
        state = known.get(self._serial)
        if state is None:
            hint = did_you_mean(self._serial, list(known)) + _known(known)
            raise TransportError(f"`adb` knows no phone `{self._serial}`", hint)
        if state != "device":
            what, hint = _STATES.get(state, (f"is in the state `{state}`", "`adb devices -l` tells more"))
            raise TransportError(f"the phone `{self._serial}` {what}", hint)


class AdbChannel(LocalChannel):
    """See `Channel`."""

    def __init__(self, serial: str, argv: Sequence[str], stall_s: float) -> None:
        word = secrets.token_hex(8)
        command = f"{shlex.join(argv)}; echo {word} $? >&2"
        super().__init__(("adb", "-s", serial, "shell", "-T", command), stall_s, KEPT_BYTES + 64)
        self._serial = serial
        self._end = re.compile(rb"%s (\d+)\r?\n" % word.encode())

    def write(self, data: bytes) -> None:
        """See `Channel`."""
        try:
            super().write(data)
        except BrokenPipeError:
            self.wait(_END_S)  # lost, or only ended?
            raise

    def read(self, timeout_s: float) -> bytes:
        """See `Channel`."""
        data = super().read(timeout_s)
        if not data and not self.closed:
            self.wait(_END_S)
        return data

    def wait(self, timeout_s: float) -> tuple[int, bytes]:
        """See `Channel`; a status above 128 is a signal's, as the phone's shell tells it."""
        _, noise = super().wait(timeout_s)
        end = self._end.search(noise)
        if end is None:
            words = noise.decode(errors="replace").strip().splitlines() or ["it was unplugged, or its battery is empty"]
            raise LinkLost(f"the phone `{self._serial}` is gone: {words[-1]}", "what finished is stored; run it again")
        status = int(end[1])
        return (status if status <= _SIGNALLED else _SIGNALLED - status), noise[: end.start()][-KEPT_BYTES:]


def phones() -> dict[str, str]:
    """Return the state of each phone that `adb` knows, by serial: `device` where it can be used.

    Raises:
        UsageError: `adb` is not installed.
        TransportError: It does not answer.
    """
    lines = _adb("devices").stdout.splitlines()
    pairs = [line.split("\t", 1) for line in lines if "\t" in line]
    return {serial: "no permissions" if state.startswith("no permissions") else state for serial, state in pairs}


def _known(phones: dict[str, str]) -> str:
    return f"`adb` knows {', '.join(phones)}" if phones else "`adb` knows no phone: is USB debugging on?"


def _adb(*args: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("adb") is None:
        raise UsageError("phones are reached by `adb`, and it is not installed", "`sudo apt install adb`")
    try:
        return subprocess.run(
            ("adb", *args), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as exc:
        raise TransportError(f"`adb {args[-1]}` did not answer", "`adb kill-server`, then try again") from exc
