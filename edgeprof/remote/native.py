"""The native agent, for boards without Python: compiled on the host from the package's sources, once, into the cache.

`zig cc` (the `ziglang` wheel, extra `native`) compiles for every architecture from any host, against the oldest glibc
that is still about, without a sysroot. Why not carry compiled programs in the wheel: docs/native.md.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgeprof import resources
from edgeprof.errors import DeviceError, UsageError
from edgeprof.targets import architecture_of

PROGRAM = "edgeprof-native"
# glibc 2.17 is of 2012; LiteRT itself needs a newer one, but the program can say so only where it starts.
_TRIPLES = {
    "aarch64": "aarch64-linux-gnu.2.17",
    "x86_64": "x86_64-linux-gnu.2.17",
    "armv7l": "arm-linux-gnueabihf.2.17",
}
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow")
LIBRARIES = ("-ldl", "-lm", "-pthread")
_COMPILE_TIMEOUT_S = 600


def sources() -> tuple[Path, ...]:
    """Return the program's C files."""
    return tuple(sorted((resources.folder("device_agents") / "native").glob("*.c")))


def native_agent(machine: str, say: Callable[[str], None]) -> Path:
    """Return the program for an architecture as `uname -m` says it, compiled if need be.

    Raises:
        DeviceError: There is none for that architecture.
        UsageError: It must be compiled, and the compiler is not installed or does not work.
    """
    architecture = architecture_of(machine)
    if architecture not in _TRIPLES:
        raise DeviceError(f"no native agent for `{machine}`", f"there are: {', '.join(_TRIPLES)}")
    triple = _TRIPLES[architecture]
    made = resources.cache_dir() / "native" / f"{PROGRAM}-{triple}-{content(_compiler_version())}"
    if not made.is_file():
        say(f"compiling the native agent for {architecture}, once")
        _compile(triple, made)
    return made


def content(compiler: str) -> str:
    """Return what the program is made of as a short hash: sources, flags, the compiler."""
    digest = hashlib.sha256(" ".join(FLAGS).encode() + compiler.encode())
    for path in sorted((resources.folder("device_agents") / "native").glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _compiler_version() -> str:
    if importlib.util.find_spec("ziglang") is None:
        text = "boards without Python need the native agent, and it must be compiled first"
        raise UsageError(text, "pip install 'edgeprof[native]'")
    return importlib.metadata.version("ziglang")


def _compile(triple: str, made: Path) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    zig_cache = str(made.parent / "zig")
    env = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig_cache, "ZIG_LOCAL_CACHE_DIR": zig_cache}
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        built = Path(folder) / PROGRAM
        command = [sys.executable, "-m", "ziglang", "cc", "-target", triple, *FLAGS, "-s", "-o", str(built)]
        try:
            done = subprocess.run(
                [*command, *map(str, sources()), *LIBRARIES],
                capture_output=True,
                text=True,
                timeout=_COMPILE_TIMEOUT_S,
                env=env,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise UsageError("compiling the native agent took too long", "is this machine out of memory?") from exc
        if done.returncode != 0 or not built.is_file():
            lines = done.stderr.strip().splitlines() or ["it printed nothing"]
            why = next((line for line in lines if "error" in line), lines[-1])
            raise UsageError(
                f"the native agent could not be compiled: {why}", "pip install --upgrade 'edgeprof[native]'"
            )
        built.replace(made)
