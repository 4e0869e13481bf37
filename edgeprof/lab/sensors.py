"""Boards with sensors or clocks: drivers built out of tree, and a device tree that names them.

Debian's arm64 kernels leave ina2xx, ina3221 and i2c-stub out. They are built from the very source of the image's
kernel; the stub bus alone is changed, so that a device tree can name what is on it. What the sensors read is invented
on the board by `guest/power`. Clocks are the kernel's own cpufreq over a driver of ours that invents them.
"""

import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeprof.errors import DeviceError
from edgeprof.lab import debian, needs
from edgeprof.lab.image import Image
from edgeprof.lab.kinds import Kind
from edgeprof.lab.places import GUEST, Say, key_of, lab_dir, made_once
from edgeprof.lab.qemu import PROGRAM, machine_words
from edgeprof.lab.rootfs import packed

_SOURCES = ("drivers/hwmon/ina2xx.c", "drivers/hwmon/ina3221.c", "drivers/i2c/i2c-stub.c")
_ADD_ADAPTER = "\tret = i2c_add_adapter(&stub_adapter);"
_NAME_ADAPTER = '\tstub_adapter.dev.of_node = of_find_compatible_node(NULL, NULL, "edgeprof,i2c-stub");\n'
_COMPILER = ("ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", "CC=aarch64-linux-gnu-gcc-12")
_CLOCKS = GUEST / "edgeprof_cpufreq.c"
_START = "sensors"  # what the board's own start runs


def build(kind: Kind, clock: str, image: Image, say: Say) -> Path:
    """Return a folder with `initramfs.gz`, and `board.dtb` where there is an overlay, for a kind that needs drivers.

    Raises:
        DeviceError: A program is missing, or something does not build.
    """
    overlay = GUEST / f"{kind.overlay}.dtso" if kind.overlay else None
    guest = {_START: GUEST / _START, "power": GUEST / "power"} if overlay else {_START: GUEST / "clocks"}
    words = [*machine_words(kind, clock), kind.memory_mib]
    files = (Path(__file__), _CLOCKS, *([overlay] if overlay else []), *guest.values())
    folder = lab_dir() / "sensors" / f"{kind.name}-{key_of(image.folder.name, words, *files)}"

    def make(partial: Path) -> None:
        needs.require((*(needs.FOR_OVERLAYS if overlay else ()), *needs.FOR_SENSORS, *needs.TO_BUILD))
        if overlay:
            _device_tree(words, overlay, partial)
        _initramfs(image, _drivers(image, say), guest, partial)

    return made_once(folder, make)


def _device_tree(words: Sequence[object], overlay: Path, folder: Path) -> None:
    """Let QEMU write its machine's device tree, and lay the overlay over it."""
    base, compiled = folder / "base.dtb", folder / "overlay.dtbo"
    machine, _, *rest, memory_mib = map(str, words)
    argv = [PROGRAM, machine, f"virt,dumpdtb={base}", *rest, "-m", memory_mib, "-display", "none", "-nic", "none"]
    needs.run(argv, "read QEMU's device tree")
    needs.run(["dtc", "-q", "-@", "-O", "dtb", "-o", compiled, overlay], "compile the device tree")
    needs.run(["fdtoverlay", "-i", base, "-o", folder / "board.dtb", compiled], "lay over the device tree")


def _initramfs(image: Image, drivers: Path, guest: Mapping[str, Path], folder: Path) -> None:
    """Append the drivers to the image's initramfs: the kernel unpacks archives one after the other."""
    extra = folder / "more/extra"
    for name in ("sbin", "lib/edgeprof"):
        (extra / name).mkdir(parents=True)
    for path in drivers.glob("*.ko"):
        shutil.copy(path, extra / "lib/edgeprof")
    for name, path in guest.items():
        shutil.copy(path, extra / "lib/edgeprof" / name)
    (extra / "lib/edgeprof" / _START).chmod(0o755)
    (folder / "initramfs.gz").write_bytes(image.initramfs.read_bytes() + packed(folder / "more"))
    shutil.rmtree(folder / "more")


def _drivers(image: Image, say: Say) -> Path:
    key = key_of(image.kernel_release, Path(__file__), _CLOCKS)
    folder = lab_dir() / "drivers" / f"{image.kernel_release}-{key}"
    return made_once(folder, lambda partial: _build_drivers(image.kernel_release, partial, say))


def _build_drivers(release: str, folder: Path, say: Say) -> None:
    say("building drivers of sensors and clocks: downloads 150 MB of Debian packages; about 30 s, once")
    abi, series = release.rpartition("-")[0], ".".join(release.split(".")[:2])  # 6.1.0-50-arm64 -> 6.1.0-50, 6.1
    host = needs.run(["dpkg", "--print-architecture"], "ask for this machine's architecture").strip()
    packages = (
        f"linux-headers-{release}:arm64", f"linux-headers-{abi}-common:all", f"linux-kbuild-{series}:{host}",
        f"linux-source-{series}:all",
    )  # fmt: skip
    work = folder / "work"
    work.mkdir()
    debian.fetch("bookworm", packages, (host, "arm64"), work)
    for path in (*work.glob("linux-headers-*.deb"), *work.glob("linux-kbuild-*.deb")):
        needs.run(["dpkg-deb", "-x", path, work / "root"], f"unpack {path.name}")
    headers = work / "root/usr/src" / f"linux-headers-{release}"
    (headers / "Makefile").write_text(f"include {headers.parent}/linux-headers-{abi}-common/Makefile\n")
    variables = (headers / ".kernelvariables").read_text()
    (headers / ".kernelvariables").write_text(variables.replace("/usr/src/", f"{headers.parent}/"))
    modules = work / "modules"
    modules.mkdir()
    _take_sources(next(work.glob("linux-source-*.deb")), modules)
    stub = modules / "i2c-stub.c"
    _name_adapter(stub)
    shutil.copy(_CLOCKS, modules)
    names = (*_SOURCES, _CLOCKS.name)
    (modules / "Kbuild").write_text("obj-m := " + " ".join(f"{Path(name).stem}.o" for name in names) + "\n")
    needs.run(["make", "-C", headers, f"M={modules}", *_COMPILER, "modules"], "build the drivers")
    for path in modules.glob("*.ko"):
        needs.run(["aarch64-linux-gnu-strip", "--strip-debug", "-o", folder / path.name, path], "strip the drivers")
    shutil.rmtree(work)


def _take_sources(package: Path, folder: Path) -> None:
    """Take a few files out of the kernel's source without unpacking the rest."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as dpkg:
        wanted = set(_SOURCES)
        with tarfile.open(fileobj=dpkg.stdout, mode="r|") as outer:
            inner = next((outer.extractfile(item) for item in outer if item.name.endswith(".tar.xz")), None)
            with tarfile.open(fileobj=inner, mode="r|xz") as source:
                for item in source:
                    name = item.name.partition("/")[2]
                    if name in wanted and (file := source.extractfile(item)):
                        (folder / Path(name).name).write_bytes(file.read())
                        wanted.remove(name)
                    if not wanted:
                        break
        dpkg.kill()
    if wanted:
        raise DeviceError(f"{package.name} lacks {', '.join(sorted(wanted))}")


def _name_adapter(stub: Path) -> None:
    text = stub.read_text()
    if _ADD_ADAPTER not in text:
        raise DeviceError(f"{stub.name} of this kernel is not the one that edgeprof knows", "choose another image")
    stub.write_text("#include <linux/of.h>\n" + text.replace(_ADD_ADAPTER, _NAME_ADAPTER + _ADD_ADAPTER))
