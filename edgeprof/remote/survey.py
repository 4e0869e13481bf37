"""The first look at a board, before anything of ours is on it: one POSIX shell script, one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.errors import DeviceError
from edgeprof.transport import Transport
from edgeprof.transport.files import answered
from edgeprof.units import BYTES_PER_KIB

_TIMEOUT_S = 120.0  # a slow board starts a Python for seconds, and there may be several
_HOME_HINT = "give a folder with room that you may write: `--home /data/edgeprof`"
_HOME_HINTS = {
    "Read-only file system": (
        "it is mounted so, or the kernel found errors in it: `mount` and `dmesg` on the board tell; "
        "or give a folder elsewhere: `--home /data/edgeprof`"
    )
}
OLDEST_PYTHON = (3, 7)
USUAL_PYTHONS = ("python3",)
# Asking a Python for its version costs up to 0.1 s: all of these only where the usual one does not do.
EVERY_PYTHON = ("python3", *(f"python3.{minor}" for minor in range(13, 6, -1)))

# Prints `key=value` lines. `$1` is the folder to use, `$2` the Pythons to look at.
_SCRIPT = r"""
home=$1
case $home in "~/"*) home=$HOME/${home#"~/"} ;; esac
# Why not is what `mkdir` says last.
said=$(LC_ALL=C mkdir -p "$home" 2>&1) || echo "problem=cannot make the folder $home: ${said##*: }"
echo "home=$home"
[ -w "$home" ] || {
  said=$(LC_ALL=C mkdir "$home/.tried" 2>&1) && rmdir "$home/.tried"
  echo "problem=cannot write into the folder $home: ${said##*: }"
}
echo "machine=$(uname -m)"
echo "kernel=$(uname -s)"
bits=$(getconf LONG_BIT 2>/dev/null) && echo "bits=$bits"
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) && echo "glibc=$glibc"
# A board without getconf: glibc's own file, run as a program, says which it is; the shell's ELF header its bits.
[ -n "$glibc" ] || for path in /lib/*/libc.so.6 /lib64/libc.so.6 /lib/libc.so.6 /usr/lib/libc.so.6; do
  said=$("$path" 2>/dev/null | head -n 1) && [ -n "$said" ] && said=${said%.} && echo "glibc=glibc ${said##* }" && break
done
[ -n "$bits" ] || case $(od -An -tu1 -j4 -N1 /bin/sh 2>/dev/null) in *1) echo "bits=32" ;; *2) echo "bits=64" ;; esac
[ -e /system/bin/linker64 ] && echo "libc=bionic"
ls /lib/ld-musl-* >/dev/null 2>&1 && echo "libc=musl"
names='s/^ID=/os_id=/p; s/^VERSION_ID=/os_version=/p; s/^PRETTY_NAME=/os=/p'
[ -r /etc/os-release ] && sed -n "$names" /etc/os-release
echo "free_kib=$(df -Pk "$home" 2>/dev/null | awk 'NR==2 {print $4}')"
# A board without getconf may have a Python that knows as much; what was said first counts.
ask='
import os, struct, sys
print("python=%d.%d" % sys.version_info[:2], sys.argv[1])
print("bits=%d" % (struct.calcsize("P") * 8))
try: print("glibc=" + os.confstr("CS_GNU_LIBC_VERSION"))
except (OSError, TypeError, ValueError): pass
'
for name in $2; do
  path=$(command -v "$name" 2>/dev/null) && "$path" -I -S -c "$ask" "$path" 2>/dev/null
done
for path in "$home"/agents/* "$home"/runtimes/*/runtime.json "$home"/models/* "$home"/inputs/*; do
  # An empty one was written just before the board lost power: its name was kept and nothing else.
  [ -s "$path" ] && echo "has=${path#"$home"/}"
done
exit 0
"""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a board is and has.

    Attributes:
        home: Our folder there, as an absolute path.
        machine: As `uname -m` says, but `armv7l` for a 32-bit userland on a 64-bit kernel.
        libc: `glibc`, `musl`, `bionic` or `unknown`.
        libc_version: Such as `(2, 36)`, or `None`.
        os: Its pretty name, or `None`.
        os_id: Such as `debian`, or `None`.
        os_version: Such as `12`, or `None`.
        free_bytes: Room where `home` is, or `None`.
        pythons: Pairs of version and path, in the order to prefer.
        has: Our files there, relative to `home`.
    """

    home: str
    machine: str
    libc: str
    libc_version: tuple[int, int] | None
    os: str | None
    os_id: str | None
    os_version: str | None
    free_bytes: int | None
    pythons: tuple[tuple[tuple[int, int], str], ...]
    has: frozenset[str]


def survey(transport: Transport, home: str, pythons: Sequence[str] = USUAL_PYTHONS) -> Survey:
    """Look at the board.

    Args:
        transport: The way to it.
        home: Our folder there; may begin with `~/`. It is made.
        pythons: Names or paths of Pythons to look at, the preferred first.

    Raises:
        DeviceError: The board has no POSIX shell, or the folder cannot be used.
        LinkLost: The way is gone.
    """
    script = ("sh", "-c", _SCRIPT, "sh", home, " ".join(pythons))
    done = answered(transport, script, _TIMEOUT_S, "our first look at it")
    pairs = [line.split("=", 1) for line in done.stdout.decode(errors="replace").splitlines() if "=" in line]
    values = dict(reversed(pairs))
    if done.returncode != 0 or "machine" not in values:
        words = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise DeviceError(f"the board's shell did not run our first look: {words}", "edgeprof needs a POSIX `sh` there")
    if "problem" in values:
        problem = values["problem"]
        raise DeviceError(problem, _HOME_HINTS.get(problem.rpartition(": ")[2], _HOME_HINT))
    return _parsed(values, pairs)


def usable_pythons(found: Survey) -> list[tuple[tuple[int, int], str]]:
    """Return the Pythons that can run the agent, as pairs of version and path, the preferred first."""
    return [(version, path) for version, path in found.pythons if version >= OLDEST_PYTHON]


def _parsed(values: dict[str, str], pairs: list[list[str]]) -> Survey:
    libc, libc_version = _libc(values)
    free = values.get("free_kib", "")
    return Survey(
        home=values["home"],
        machine=_machine(values),
        libc=libc,
        libc_version=libc_version,
        os=_unquoted(values.get("os")),
        os_id=_unquoted(values.get("os_id")),
        os_version=_unquoted(values.get("os_version")),
        free_bytes=int(free) * BYTES_PER_KIB if free.isdigit() else None,
        pythons=_pythons([value for key, value in pairs if key == "python"]),
        has=frozenset(value for key, value in pairs if key == "has"),
    )


def _machine(values: dict[str, str]) -> str:
    machine = values["machine"]
    return "armv7l" if machine == "aarch64" and values.get("bits") == "32" else machine


def _libc(values: dict[str, str]) -> tuple[str, tuple[int, int] | None]:
    name, _, number = values.get("glibc", "").partition(" ")
    major, _, minor = number.partition(".")
    if name == "glibc" and major.isdigit() and minor.isdigit():
        return "glibc", (int(major), int(minor))
    return values.get("libc", "unknown"), None


def _pythons(lines: list[str]) -> tuple[tuple[tuple[int, int], str], ...]:
    found: dict[str, tuple[int, int]] = {}
    for line in lines:
        version, _, path = line.partition(" ")
        major, _, minor = version.partition(".")
        found.setdefault(path, (int(major), int(minor)))
    return tuple((version, path) for path, version in found.items())


def _unquoted(text: str | None) -> str | None:
    return text.strip("\"'") or None if text else None
