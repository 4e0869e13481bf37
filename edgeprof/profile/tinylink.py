"""The line to a device that speaks MLPerf Tiny's protocol, made anew after a cut."""

import time

from edgeprof.devices import Device
from edgeprof.errors import LinkLost, TransportError
from edgeprof.profile.running import Setting
from edgeprof.remote import Stopped
from edgeprof.tiny import TinyDevice, form_of, parse_tiny

_PAUSE_S = 1.0


class TinyLink:
    """A line that may be cut; every wait for the device ends once nobody wants it any more."""

    def __init__(self, device: Device, setting: Setting) -> None:
        self._device, self._setting = device, setting
        self._address = parse_tiny(device.url)
        self._opened: TinyDevice | None = None

    @property
    def device(self) -> TinyDevice:
        """Return the device at the end of the line as it is now."""
        assert self._opened is not None  # noqa: S101 - `open` comes first
        return self._opened

    @property
    def form(self) -> str:
        """Return the form in which the firmware takes samples: as the URL has it, else as its model's name says."""
        return self._address.form or form_of(self.device.firmware.model)

    def open(self) -> None:
        """Make the line, and wait until the device answers.

        Raises:
            TransportError: The port cannot be opened, or no device that speaks the protocol answers.
            Stopped: Nobody wants it any more.
        """
        self._opened = TinyDevice(self._address, self.say, self._look)

    def close(self) -> None:
        """Let go of the line."""
        self.device.close()

    def come_back(self, lost: LinkLost, patience_s: float) -> None:
        """Make the line anew after a cut, trying again and again for so long.

        Raises:
            LinkLost: The device stayed away.
            Stopped: Nobody wants it any more.
        """
        self.close()
        self.say(lost.message)
        end = time.monotonic() + patience_s
        while True:
            if self._setting.stop.wait(_PAUSE_S):
                raise Stopped
            try:
                self.open()
            except TransportError as exc:
                if time.monotonic() > end:
                    raise LinkLost(f"`{self._device.name}` did not come back: {exc.message}", lost.hint) from exc
            else:
                return

    def say(self, text: str) -> None:
        """Tell who watches."""
        self._setting.watch.say(self._device.name, text)

    def _look(self) -> None:
        if self._setting.stop.is_set():
            raise Stopped
