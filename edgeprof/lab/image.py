"""Disk images of virtual boards: a stock Debian kernel and an unpacked root file system, made without root.

mmdebstrap unpacks the packages (variant `extract`: nothing of the board's architecture ever runs here), fakeroot
keeps their owners, and `rootfs` does by hand the few things that the packages' own scripts would.
"""

import shlex
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeprof.lab import debian, needs, rootfs
from edgeprof.lab.places import GUEST, Say, key_of, lab_dir, made_once

_PACKAGES = (
    "base-files", "base-passwd", "bash", "busybox-static", "coreutils", "dash", "grep", "gzip", "i2c-tools", "kmod",
    "libc-bin", "libgomp1", "libstdc++6", "login", "mawk", "openssh-server", "openssh-sftp-server", "passwd", "procps",
    "python3", "sed", "tar", "util-linux",
)  # fmt: skip
_NOT_UNPACKED = ("man", "locale", "doc", "info", "zoneinfo", "i18n", "bash-completion", "lintian", "bug")


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image is made of.

    Attributes:
        suite: Debian's, such as `bookworm`.
        architecture: Debian's, such as `arm64`.
        kernel: The kernel's metapackage; its version is whatever the mirror has.
        extra: Packages besides the usual ones.
    """

    suite: str
    architecture: str
    kernel: str
    extra: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return it for people and folders: `bookworm-arm64`."""
        return f"{self.suite}-{self.architecture}"


@dataclass(frozen=True, slots=True)
class Image:
    """A built image.

    Attributes:
        folder: Where it lies.
        kernel_release: Its kernel's `uname -r`.
    """

    folder: Path
    kernel_release: str

    @property
    def kernel(self) -> Path:
        """Return the kernel's file."""
        return self.folder / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        """Return the file with the first programs and drivers."""
        return self.folder / "initramfs.gz"

    @property
    def disk(self) -> Path:
        """Return the disk, a qcow2 that boards only read."""
        return self.folder / "disk.qcow2"

    @property
    def identity(self) -> Path:
        """Return the private key that `root` and `edge` of the board let in."""
        return self.folder / "id_ed25519"

    @property
    def host_key(self) -> str:
        """Return the fingerprint of the key that the board shows, `SHA256:…`."""
        return (self.folder / "host_key").read_text().strip()


def build(spec: ImageSpec, say: Say) -> Image:
    """Return the image of `spec`, from the cache or built in a minute or two.

    Raises:
        DeviceError: A program is missing, or one of them failed.
        UsageError: No Debian mirror is known.
    """
    files = (Path(rootfs.__file__), *(GUEST / name for name in rootfs.GUEST_FILES))
    made_from = (asdict(spec), _PACKAGES, _NOT_UNPACKED, *files)
    folder = lab_dir() / "images" / f"{spec.name}-{key_of(*made_from)}"
    made_once(folder, lambda partial: _build(spec, partial, say))
    return Image(folder, (folder / "kernel_release").read_text().strip())


def _build(spec: ImageSpec, folder: Path, say: Say) -> None:
    needs.require((*needs.TO_BOOT, *needs.TO_BUILD))
    line = debian.sources(spec.suite)
    say(f"building the image {spec.name}: downloads about 150 MB of Debian packages; 1 to 3 minutes, once")
    began = time.monotonic()
    finish = shlex.join([sys.executable, "-m", rootfs.__name__]) + f' "$1" {shlex.quote(str(folder))}'
    # Nothing is mounted, for we are no root; nothing cleaned: after our hook that would clean this machine's own apt.
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _NOT_UNPACKED]
    needs.run(
        [
            "fakeroot", "mmdebstrap", "--quiet", f"--arch={spec.architecture}", "--variant=extract", "--mode=root",
            "--skip=chroot/mount", "--skip=cleanup",
            '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', *excluded,
            f"--include={','.join((*_PACKAGES, spec.kernel, *spec.extra))}",
            f"--extract-hook={finish}", "--format=null", spec.suite, "/dev/null", line,
        ],
        f"build the image {spec.name}",
    )  # fmt: skip
    needs.run(["qemu-img", "convert", "-O", "qcow2", folder / "disk.raw", folder / "disk.qcow2"], "convert the disk")
    (folder / "disk.raw").unlink()
    say(f"built the image {spec.name} in {time.monotonic() - began:.0f} s")
