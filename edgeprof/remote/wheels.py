"""Runtimes for boards, out of pinned wheels: found or downloaded on the host, taken apart, packed for the way.

The board needs no internet and no pip. The host's own `pip download` is used, so the user's index settings hold.
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from edgeprof import resources
from edgeprof.errors import DeviceError, TransportError, UsageError
from edgeprof.units import megabytes

LITERT = "litert"
TFLITE_RUNTIME = "tflite-runtime"
_DISTRIBUTION = {LITERT: "ai-edge-litert", TFLITE_RUNTIME: "tflite-runtime"}
# Raised when what is taken out of a wheel changes: the folder on the board then gets another name.
_LAYOUT = 1
_DOWNLOAD_TIMEOUT_S = 900
# Boards that are made ready at the same time share one download.
_PACKING = threading.Lock()
# Parts of numpy that inference never reads: half of its size.
_NUMPY_LEFT_OUT = (
    "/tests/",
    "/f2py/",
    "/distutils/",
    "/include/",
    "/testing/",
    "/typing/",
    "/doc/",
    "/_pyinstaller/",
)


@dataclass(frozen=True, slots=True)
class Wheel:
    """One pinned wheel; the fields are those of `device_agents/runtimes.toml`."""

    distribution: str
    version: str
    python: str
    machine: str
    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RuntimePackage:
    """A runtime for one kind of board, as pinned wheels.

    Attributes:
        name: `litert` or `tflite-runtime`.
        version: Its version.
        folder: Its folder's name on the board; says runtime, version, Python, machine and content.
        wheels: What it is made of.
        site_packages: It uses the board's own numpy.
    """

    name: str
    version: str
    folder: str
    wheels: tuple[Wheel, ...]
    site_packages: bool


def find_package(name: str, machine: str, python: tuple[int, int]) -> RuntimePackage:
    """Return the runtime `name` for a machine and the Python that will run it there.

    Raises:
        DeviceError: No pinned wheel fits.
    """
    tag = "any" if name == LITERT else f"cp{python[0]}{python[1]}"
    pinned = _pins()
    main = [wheel for wheel in pinned if _fits(wheel, _DISTRIBUTION[name], machine, tag)]
    if not main:
        had = ", ".join(sorted({f"{w.python}/{w.machine}" for w in pinned if w.distribution == _DISTRIBUTION[name]}))
        raise DeviceError(f"no wheel of {name} for {machine} and Python {python[0]}.{python[1]}", f"there are: {had}")
    numpy = [wheel for wheel in pinned if name == TFLITE_RUNTIME and _fits(wheel, "numpy", machine, tag)]
    wheels = (*main, *numpy)
    content = hashlib.sha256("".join(w.sha256 for w in wheels).encode() + bytes([_LAYOUT])).hexdigest()[:8]
    folder = f"{name}-{main[0].version}-{tag}-{machine}-{content}"
    return RuntimePackage(name, main[0].version, folder, wheels, name == TFLITE_RUNTIME and not numpy)


def packed(package: RuntimePackage, given: Sequence[Path], say: Callable[[str], None]) -> Path:
    """Return the package as a `.tar.gz` in the cache, made if need be.

    Args:
        package: What to pack.
        given: Wheels the user gave by `--wheel`; they are looked at before any download.
        say: Told what takes long.

    Raises:
        TransportError: A wheel could not be downloaded.
        UsageError: A given file is no pinned wheel, or a download is not what was pinned.
    """
    archive = resources.cache_dir() / "runtimes" / f"{package.folder}.tar.gz"
    with _PACKING:
        return archive if archive.is_file() else _pack(package, archive, given, say)


def _pack(package: RuntimePackage, archive: Path, given: Sequence[Path], say: Callable[[str], None]) -> Path:
    wheels = [_fetch(wheel, given, say) for wheel in package.wheels]
    say(f"packing {package.name} {package.version}")
    return _kept(archive, _archive(package, wheels))


def pack_library(version: str, kind: str, library: bytes) -> RuntimePackage:
    """Pack a LiteRT library that came in no wheel into the cache.

    Args:
        version: LiteRT's.
        kind: What it is for, such as `android-aarch64`.
        library: The file.
    """
    folder = f"{LITERT}-{version}-{kind}-{hashlib.sha256(library).hexdigest()[:8]}"
    package = RuntimePackage(LITERT, version, folder, (), site_packages=False)
    _kept(resources.cache_dir() / "runtimes" / f"{folder}.tar.gz", _archive(package, (), library))
    return package


def _pins() -> list[Wheel]:
    text = (resources.folder("device_agents") / "runtimes.toml").read_text()
    return [Wheel(**table) for table in tomllib.loads(text)["wheel"]]


def _fits(wheel: Wheel, distribution: str, machine: str, tag: str) -> bool:
    return wheel.distribution == distribution and wheel.machine == machine and wheel.python == tag


def _fetch(wheel: Wheel, given: Sequence[Path], say: Callable[[str], None]) -> Path:
    for path in given:
        if _sha256(path) == wheel.sha256:
            return path
    if any(path.name == wheel.file for path in given):
        raise UsageError(f"`{wheel.file}` is not the pinned wheel: its hash differs", f"expected {wheel.sha256}")
    kept = resources.cache_dir() / "wheels" / wheel.file
    if kept.is_file() and _sha256(kept) == wheel.sha256:
        return kept
    say(f"downloading {wheel.file} ({megabytes(wheel.size_bytes)})")
    return _download(wheel, kept)


def _download(wheel: Wheel, kept: Path) -> Path:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        done = subprocess.run(
            _pip(wheel, folder), capture_output=True, text=True, timeout=_DOWNLOAD_TIMEOUT_S, check=False
        )
        path = Path(folder) / wheel.file
        if done.returncode != 0 or not path.is_file():
            raise TransportError(
                f"`pip download` of {wheel.file} failed: {pip_reason(done.stderr)}",
                f"fetch that file elsewhere and give it: `edgeprof device setup NAME --wheel {wheel.file}`",
            )
        if _sha256(path) != wheel.sha256:
            raise UsageError(
                f"the index gave another {wheel.file} than the pinned one", f"expected SHA-256 {wheel.sha256}"
            )
        path.replace(kept)
    return kept


def pip_reason(printed: str) -> str:
    """Return why pip failed, of all that it printed: without a network it ends with "No matching distribution"."""
    if broken := re.findall(r"connection broken by .*?: ([^:]+?)['\")]+:", printed):
        return f"the package index cannot be reached: {broken[-1]}"
    lines = printed.splitlines()
    return next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else "no word of it")


def _pip(wheel: Wheel, folder: str) -> list[str]:
    _, _, python, abi, platforms = wheel.file.removesuffix(".whl").split("-")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        folder,
    ]
    command += ["--implementation", "cp", "--python-version", f"{python[2]}.{python[3:]}", "--abi", abi]
    for platform in platforms.split("."):
        command += ["--platform", platform]
    return [*command, f"{wheel.distribution}=={wheel.version}"]


def _kept(archive: Path, data: bytes) -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=archive.parent, delete=False) as partial:
        partial.write(data)
    return Path(partial.name).replace(archive)


def _archive(package: RuntimePackage, wheels: Sequence[Path], alone: bytes | None = None) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        library = "libLiteRt.so" if package.name == LITERT else "tflite_runtime"
        about = {
            "name": package.name,
            "version": package.version,
            "library": library,
            "site_packages": package.site_packages,
        }
        _add(archive, "runtime.json", json.dumps(about).encode())
        if alone is not None:
            _add(archive, library, alone)
        for path in wheels:
            with zipfile.ZipFile(path) as wheel:
                for name in sorted(wheel.namelist()):
                    target = _taken(package, name)
                    if target:
                        _add(archive, target, wheel.read(name))
    return buffer.getvalue()


def _taken(package: RuntimePackage, name: str) -> str | None:
    """Return where a wheel's member goes in the runtime's folder, or `None` for nowhere."""
    if package.name == LITERT:
        return "libLiteRt.so" if name == "ai_edge_litert/libLiteRt.so" else None
    if name.endswith((".pyi", "/")) or ".dist-info/" in name or any(part in name for part in _NUMPY_LEFT_OUT):
        return None
    return name


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o755 if ".so" in name else 0o644
    archive.addfile(entry, BytesIO(data))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise UsageError(f"cannot read the wheel `{path}`: {exc.strerror}") from exc
