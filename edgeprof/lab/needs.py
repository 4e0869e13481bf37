"""The programs that the lab uses, and the Debian packages they come in."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgeprof.errors import DeviceError

# Program -> Debian package.
_PACKAGES = {
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "fakeroot": "fakeroot",
    "mke2fs": "e2fsprogs",
    "modprobe": "kmod",
    "depmod": "kmod",
    "cpio": "cpio",
    "ssh-keygen": "openssh-client",
    "dtc": "device-tree-compiler",
    "fdtoverlay": "device-tree-compiler",
    "make": "make",
    "aarch64-linux-gnu-gcc-12": "gcc-12-aarch64-linux-gnu",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
TO_BOOT = ("qemu-system-aarch64", "qemu-img")
TO_BUILD = (
    "mmdebstrap", "fakeroot", "mke2fs", "modprobe", "depmod", "cpio", "ssh-keygen",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)  # fmt: skip
FOR_OVERLAYS = ("dtc", "fdtoverlay")
FOR_SENSORS = ("make", "aarch64-linux-gnu-gcc-12")

# Debian keeps some of them where only root's PATH looks.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing(programs: Iterable[str]) -> tuple[str, ...]:
    """Return the packages of those programs that are not here, sorted."""
    absent = [p for p in programs if not (Path(p).exists() if p.startswith("/") else shutil.which(p, path=_PATH))]
    return tuple(sorted({_PACKAGES[program] for program in absent}))


def require(programs: Iterable[str]) -> None:
    """Refuse to begin without the programs.

    Raises:
        DeviceError: Some are not here; the hint names their packages.
    """
    packages = missing(programs)
    if packages:
        hint = f"on Debian or Ubuntu, as root: apt-get install --no-install-recommends {' '.join(packages)}"
        raise DeviceError(f"virtual boards need programs that are not installed: {', '.join(packages)}", hint)


def run(argv: Sequence[str | Path], what: str, **options: object) -> str:
    """Run a program to its end and return what it printed.

    Args:
        argv: The program and its arguments.
        what: What it was for, for the message: `build the image`.
        **options: As for `subprocess.run`.

    Raises:
        DeviceError: It failed; the message ends with the last of what it said.
    """
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(word) for word in argv], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        text=True, errors="replace", **options,  # type: ignore[call-overload] # cwd and the like
    )  # fmt: skip
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        last = "; ".join(said[-3:]) or f"exit status {done.returncode}"
        raise DeviceError(f"could not {what}: `{Path(str(argv[0])).name}` says: {last}", _hint(last))
    return str(done.stdout)


def _hint(said: str) -> str | None:
    if "No space left" in said:
        return "the cache needs about 2 GB: free some room, or name another place by EDGEPROF_CACHE_DIR"
    if "fetch" in said or "resolve" in said or "onnect" in said:
        return "it is downloaded from this machine's own Debian mirror; EDGEPROF_DEBIAN_MIRROR names another"
    return None
