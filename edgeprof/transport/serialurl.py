"""The URL of a serial console: which port, how fast, who logs in."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

SCHEMES = ("serial", "socket", "rfc2217")
_OPTIONS = ("baud", "fastest", "wait", "silent", "ign_set_control", "timeout")
_USUAL = {"baud": "115200", "fastest": "921600", "wait": "60", "silent": "20", "timeout": "5"}
_FASTEST_BAUD = 4_000_000


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A serial console.

    Attributes:
        url: As the user wrote it.
        kind: `serial`, `socket` or `rfc2217`.
        place: A device file, or `HOST:PORT`.
        user: Who logs in, or `None` for boards that ask for nobody.
        baud: The console's speed.
        fastest_baud: The highest speed to try once the link stands; the console's own for none.
        wait_s: How long a board may take to answer, as while it boots.
        silent_s: A link on which nothing sound is heard for so long is lost.
        timeout_s: How long an RFC 2217 server may take to answer.
        paced: The console's speed is known; of a `socket` only where the user says it.
    """

    url: str
    kind: str
    place: str
    user: str | None
    baud: int
    fastest_baud: int
    wait_s: float
    silent_s: float
    timeout_s: float
    paced: bool

    @property
    def host(self) -> tuple[str, int]:
        """Return host and port of a console in the network."""
        host, _, port = self.place.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def bytes_per_s(self) -> int | None:
        """Return what the line carries in a second at the console's speed, or `None` where nobody says."""
        return self.baud // 10 if self.paced else None


def parse_address(url: str) -> SerialAddress:
    """Read `serial://[user@]/dev/ttyUSB0?baud=115200`, `socket://[user@]host:port` or `rfc2217://[user@]host:port`.

    Raises:
        UsageError: It is none of these, or has an option that is unknown or no number.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise UsageError(f"not a URL: `{url}` ({exc})", _HINT) from exc
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            hint = f"{did_you_mean(name, _OPTIONS)}options: {', '.join(_OPTIONS)}"
            raise UsageError(f"unknown option `{name}` in `{url}`", hint)
    if parts.scheme == "serial":
        place = parts.path
        fits = place.startswith("/") and not (parts.hostname or port)
    else:
        place = f"{parts.hostname}:{port}"
        fits = bool(parts.hostname and port) and parts.path in ("", "/")
    if not fits:
        raise UsageError(f"not a serial console: `{url}`", _HINT)
    numbers = {name: _number(url, name, options.get(name, usual)) for name, usual in _USUAL.items()}
    baud = int(numbers["baud"])
    fastest = int(numbers["fastest"]) if "fastest" in options else max(baud, int(numbers["fastest"]))
    return SerialAddress(
        url,
        parts.scheme,
        place,
        parts.username,
        baud,
        fastest,
        numbers["wait"],
        numbers["silent"],
        numbers["timeout"],
        parts.scheme != "socket" or "baud" in options,
    )


_HINT = "write serial:///dev/ttyUSB0?baud=115200 (three slashes), socket://HOST:PORT or rfc2217://HOST:PORT"


def _number(url: str, name: str, text: str) -> float:
    least = 50 if name in ("baud", "fastest") else 1
    if not text.isdecimal() or not least <= int(text) <= _FASTEST_BAUD:
        raise UsageError(f"`{name}={text}` in `{url}` is no number that can be", f"such as `{name}={_USUAL[name]}`")
    return float(text)
