"""The URL of a device that speaks MLPerf Tiny's protocol: a serial console's, after `tiny+`."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean
from edgeprof.tiny.inputs import FORMS
from edgeprof.transport import TINY
from edgeprof.transport.serialurl import SerialAddress, parse_address


@dataclass(frozen=True, slots=True)
class TinyAddress:
    """Where a device is, and how it takes its inputs.

    Attributes:
        url: As the user wrote it.
        line: The serial port, socket or RFC 2217 server.
        form: One of `FORMS`, or `None` where the firmware's model name says it.
    """

    url: str
    line: SerialAddress
    form: str | None


def is_tiny(url: str) -> bool:
    """Return whether a device's URL names such a device."""
    return url.lower().startswith(TINY)


def parse_tiny(url: str) -> TinyAddress:
    """Read `tiny+serial:///dev/ttyACM0?baud=115200&input=uint8`, `tiny+socket://…` or `tiny+rfc2217://…`.

    Raises:
        UsageError: It is none of these, or has an option that is unknown.
    """
    plain = url[len(TINY) :]
    parts = urlsplit(plain)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    form = options.pop("input", None)
    if form is not None and form not in FORMS:
        hint = f"{did_you_mean(form, FORMS)}known: {', '.join(FORMS)}"
        raise UsageError(f"`input={form}` in `{url}` is unknown", hint)
    return TinyAddress(url, parse_address(parts._replace(query=urlencode(options)).geturl()), form)
