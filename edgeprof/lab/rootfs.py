"""What turns unpacked Debian packages into a disk that boots: `python -m edgeprof.lab.rootfs ROOT OUT`.

Runs under fakeroot as the last step of mmdebstrap. Nothing of the board's architecture is run.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

from edgeprof.lab.places import GUEST

# Drivers by name; each brings those it needs, and what a kernel does not have is left out.
_FIRST_MODULES = (
    "crc32c_generic", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "ext4",
    "phy-generic", "bcm2835-rng", "iproc-rng200", "sdhci-iproc", "bcm2835", "mmc_block", "dwc2", "cdc_ether",
    "rndis_host",
)  # fmt: skip
_MODULES = (
    *_FIRST_MODULES, "crc32c_arm64", "usbnet", "smsc95xx", "i2c-dev", "i2c-mux", "i2c-bcm2835", "regmap-i2c", "lm75",
    "tmp102", "bcm2835_thermal", "cpufreq-dt", "raspberrypi-cpufreq", "cpufreq_ondemand", "cpufreq_powersave",
    "cpufreq_userspace", "cpufreq_conservative", "configfs",
)  # fmt: skip
_APPLETS = (
    "dmesg", "ip", "getty", "mount", "umount", "ifconfig", "route", "halt", "poweroff", "reboot", "less", "ping", "vi",
    "hwclock",
)  # fmt: skip
_DROPPED = (
    "var/cache/apt", "var/lib/apt", "var/lib/dpkg/info", "usr/lib/systemd", "usr/lib/udev", "lib/systemd", "lib/udev",
    "usr/share/perl", "usr/share/perl5", "usr/share/info",
)  # fmt: skip
GUEST_FILES = ("control", "initramfs", "inittab", "sshd_config", "start")
_DISK_BYTES = 2 << 30
# The smallest there is, in MiB: a board that is reset mends its disk as it boots.
_JOURNAL = "size=4"
_USER = "edge"
_UID = 1000
# Salted SHA-512 of `edge`, the console's password; made with `openssl passwd -6 -salt edgeprof edge`.
_PASSWORD = "$6$edgeprof$k4v1iN.yoG1VY6iWAYyd9DmK98yIyQYRiIZ35dAsUYoO2bZVN.K6HmZZSUMeNEFxx3vxuLKfadUq5bU6fpKpJ0"  # noqa: S105 - meant to be known: the console is on loopback only


def main(root: Path, out: Path) -> None:
    """Make `disk.raw`, `initramfs.gz`, `vmlinuz` and what belongs to them in `out`."""
    release = next((root / "lib/modules").iterdir()).name
    (out / "kernel_release").write_text(release + "\n")
    modules = out / "modules"
    _take_kernel(root, out, release, modules)
    _copy_modules(modules, root, release, _MODULES)
    _accounts(root)
    _keys(root, out)
    _system(root)
    for name in _DROPPED:
        shutil.rmtree(root / name, ignore_errors=True)
    _run("ldconfig", "-r", root)
    _initramfs(root, out, release)
    shutil.rmtree(modules)
    _disk(root, out / "disk.raw")


def _take_kernel(root: Path, out: Path, release: str, modules: Path) -> None:
    """Move the kernel, its device trees and all of its modules out of the root file system."""
    shutil.move(root / f"boot/vmlinuz-{release}", out / "vmlinuz")
    trees = root / f"usr/lib/linux-image-{release}"
    (out / "dtb").mkdir()
    for path in trees.glob("broadcom/bcm2837-rpi-3-*.dtb"):
        shutil.copy(path, out / "dtb")
    shutil.rmtree(trees, ignore_errors=True)
    shutil.rmtree(root / "boot")
    (modules / "lib/modules").mkdir(parents=True)
    shutil.move(root / f"lib/modules/{release}", modules / "lib/modules" / release)
    _run("depmod", "-b", modules, release)


def _copy_modules(source: Path, target: Path, release: str, names: Iterable[str]) -> None:
    """Copy modules with those they need, and index them."""
    base, copied = (source / "lib/modules" / release).resolve(), target / "lib/modules" / release
    copied.mkdir(parents=True, exist_ok=True)
    for name in names:
        for path in _with_dependencies(source, release, name):
            place = copied / path.relative_to(base)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    for path in base.glob("modules.builtin*"):
        shutil.copy(path, copied)
    shutil.copy(base / "modules.order", copied)
    _run("depmod", "-b", target, release)


def _with_dependencies(source: Path, release: str, name: str) -> list[Path]:
    done = subprocess.run(
        ["modprobe", "-d", str(source), "-S", release, "--show-depends", name],
        capture_output=True,
        text=True,
        check=False,
    )
    words = [line.split() for line in done.stdout.splitlines()]
    return [Path(pair[1]).resolve() for pair in words if pair[0] == "insmod"]


def _accounts(root: Path) -> None:
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    passwd = (root / "etc/passwd").read_text().replace("root:*:", "root:x:", 1)
    users = f"sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n{_USER}:x:{_UID}:{_UID}::/home/{_USER}:/bin/bash\n"
    (root / "etc/passwd").write_text(passwd + users)
    with (root / "etc/group").open("a") as group:
        group.write(f"{_USER}:x:{_UID}:\n")
    shadow = root / "etc/shadow"
    shadow.write_text(f"root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n{_USER}:{_PASSWORD}:19000:0:99999:7:::\n")
    shadow.chmod(0o640)


def _keys(root: Path, out: Path) -> None:
    """Make the board's host key and a key that lets us in."""
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edgeprof-lab", "-f", out / "id_ed25519")
    host_key = root / "etc/ssh/ssh_host_ed25519_key"
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edgeprof-lab", "-f", host_key)
    public = host_key.with_suffix(".pub").read_text().split()[1]
    fingerprint = b64encode(hashlib.sha256(b64decode(public)).digest()).decode().rstrip("=")
    (out / "host_key").write_text(f"SHA256:{fingerprint}\n")
    for home, uid in ((root / "root", 0), (root / "home" / _USER, _UID)):
        ssh = home / ".ssh"
        ssh.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "id_ed25519.pub", ssh / "authorized_keys")
        for path in (home, ssh, ssh / "authorized_keys"):
            path.chmod(0o600 if path.is_file() else 0o700)
            os.chown(path, uid, uid)


def _system(root: Path) -> None:
    """Write what the packages' own scripts would have, and our init."""
    etc = root / "etc"
    (etc / "hostname").write_text("edgeprof-lab\n")
    (etc / "hosts").write_text("127.0.0.1 localhost edgeprof-lab\n")
    (etc / "profile").write_text("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\nPS1='\\u@\\h:\\w\\$ '\n")
    (etc / "machine-id").write_text(hashlib.sha256(b"edgeprof lab").hexdigest()[:32] + "\n")
    (etc / "pam.d").mkdir(exist_ok=True)
    for name in ("auth", "account", "password", "session"):
        (etc / f"pam.d/common-{name}").write_text(f"{name} required pam_unix.so\n")
    shutil.copy(GUEST / "sshd_config", etc / "ssh/sshd_config")
    shutil.copy(GUEST / "inittab", etc / "inittab")
    for name in ("start", "control"):
        _program(GUEST / name, root / f"sbin/edgeprof-{name}")
    _link(root / "sbin/init", "/bin/busybox")
    _link(root / "usr/bin/awk", "mawk")
    for library in root.glob("usr/lib/*/*/lib*.so.3"):  # numpy's: one of several that Debian lets a person choose from
        if library.parent.name in ("blas", "lapack"):
            _link(library.parents[1] / library.name, f"{library.parent.name}/{library.name}")
    for name in _APPLETS:
        if not any((root / folder / name).exists() for folder in ("bin", "sbin", "usr/bin", "usr/sbin")):
            _link(root / "sbin" / name, "/bin/busybox")


def _initramfs(root: Path, out: Path, release: str) -> None:
    folder = out / "initramfs"
    for name in ("bin", "dev", "proc", "sys", "root"):
        (folder / name).mkdir(parents=True)
    shutil.copy(root / "bin/busybox", folder / "bin/busybox")
    _copy_modules(root, folder, release, _FIRST_MODULES)
    _program(GUEST / "initramfs", folder / "init")
    (out / "initramfs.gz").write_bytes(packed(folder))
    shutil.rmtree(folder)


def packed(folder: Path) -> bytes:
    """Return a folder as the kernel unpacks it at boot: a compressed cpio archive, owned by root."""
    names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
    argv = ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"]
    done = subprocess.run(argv, cwd=folder, input=names.encode(), stdout=subprocess.PIPE, check=True)
    return gzip.compress(done.stdout, compresslevel=1, mtime=0)


def _disk(root: Path, disk: Path) -> None:
    for name in ("dev", "proc", "sys", "run", "tmp"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(exist_ok=True)
    with disk.open("wb") as file:
        file.truncate(_DISK_BYTES)
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum", "-J", _JOURNAL, "-L", "edgeprof", "-d", root, disk)


def _program(source: Path, target: Path) -> None:
    shutil.copy(source, target)
    target.chmod(0o755)


def _link(path: Path, target: str) -> None:
    if not path.is_symlink() and not path.exists():
        path.symlink_to(target)


def _run(*argv: str | Path) -> None:
    subprocess.run([str(word) for word in argv], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
