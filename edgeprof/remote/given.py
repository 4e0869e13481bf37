"""A runtime's library that lies on the board already: linked into our folder, where agents find it like ours."""

import hashlib
import json
import re
from dataclasses import dataclass

from edgeprof.errors import DeviceError, UsageError
from edgeprof.remote.survey import Survey
from edgeprof.remote.wheels import LITERT, RuntimePackage
from edgeprof.transport import Transport
from edgeprof.transport.files import answered

LIBRARY = "libLiteRt.so"
_TIMEOUT_S = 30.0
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")
# $1 home, $2 the runtime's folder, $3 the library, $4 its description: made beside its place, then moved at once.
_LINK = r"""
[ -f "$3" ] && [ -r "$3" ] || { echo "there is no file \`$3\` on the board, or it may not be read" >&2; exit 3; }
mkdir -p "$1/runtimes" && cd "$1/runtimes" && rm -rf "$2.part" && mkdir "$2.part" &&
ln -s "$3" "$2.part/libLiteRt.so" && printf '%s' "$4" > "$2.part/runtime.json" && rm -rf "$2" && mv "$2.part" "$2"
"""


@dataclass(frozen=True, slots=True)
class GivenLibrary:
    """A LiteRT library on the board.

    Attributes:
        path: Where it lies there, absolute.
        version: LiteRT's, as the user says it: the file does not.
    """

    path: str
    version: str


def parse_library(text: str) -> GivenLibrary:
    """Read `/usr/lib/libLiteRt.so=2.3.0`.

    Raises:
        UsageError: It is no absolute path with a version.
    """
    path, _, version = text.rpartition("=")
    if not path.startswith("/") or not path.isprintable() or not _VERSION.fullmatch(version):
        hint = "write its path on the board and its version, which the file does not say: /usr/lib/libLiteRt.so=2.3.0"
        raise UsageError(f"not a library on a board: `{text}`", hint)
    return GivenLibrary(path, version)


def link_library(transport: Transport, found: Survey, given: GivenLibrary) -> RuntimePackage:
    """Make a runtime of a library that is on the board; it is loaded only in children, and hashed there at each start.

    Raises:
        DeviceError: It is not there, or our folder cannot be written.
        LinkLost: The way is gone.
    """
    name = hashlib.sha256(given.path.encode()).hexdigest()[:8]
    package = RuntimePackage(LITERT, given.version, f"{LITERT}-{given.version}-board-{name}", (), site_packages=False)
    about = {"name": LITERT, "version": given.version, "library": LIBRARY, "site_packages": False}
    script = ("sh", "-c", _LINK, "sh", found.home, package.folder, given.path, json.dumps(about))
    done = answered(transport, script, _TIMEOUT_S, "taking the library that is there")
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        text = words[-1] if words else f"`{given.path}` could not be taken"
        raise DeviceError(text, "`--runtime-lib PATH=VERSION` names LiteRT's libLiteRt.so as it lies on the board")
    return package
