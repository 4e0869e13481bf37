"""What a phone needs and no wheel has: LiteRT's library out of its AAR, and the native agent built by an Android NDK.

Both are the user's to bring. `python -m edgeprof.remote.android NDK` builds the agent into the cache, once.
"""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgeprof import resources
from edgeprof.errors import DeviceError, EdgeprofError, UsageError
from edgeprof.remote.native import FLAGS, LIBRARIES, PROGRAM, content, sources
from edgeprof.remote.wheels import LITERT, RuntimePackage, pack_library
from edgeprof.targets import architecture_of

# Bionic has `glob` from 28 on (Android 9). Source: bionic/libc/include/glob.h.
API_LEVEL = 28
_TIMEOUT_S = 300
# LiteRT 2 has no 32-bit library. Source: google-ai-edge/LiteRT#3926.
_ABIS = {"aarch64": "arm64-v8a", "x86_64": "x86_64"}
_AAR = re.compile(r"litert-(\d+)\.(\d+)\.(\d+)[^/]*\.aar")
_FOLDER = re.compile(r"runtimes/(litert-(\d+)\.(\d+)\.(\d+)-android-(\w+)-\w+)/runtime\.json")


def phone_runtime(machine: str, given: Sequence[Path], has: Iterable[str]) -> RuntimePackage:
    """Return the runtime for a phone: out of an AAR that was given, else the newest that the phone has.

    Args:
        machine: As `uname -m` says.
        given: Files the user gave by `--wheel`.
        has: Our files on the phone.

    Raises:
        UsageError: The AAR cannot be read, has no library for this phone, or its name says no version.
        DeviceError: There is neither.
    """
    for path in given:
        if path.suffix == ".aar":
            return _out_of_aar(path, machine)
    found = [match for match in map(_FOLDER.fullmatch, has) if match and match[5] == architecture_of(machine)]
    if not found:
        text = "a phone needs LiteRT's library for Android, and no wheel has it"
        hint = "get the AAR `com.google.ai.edge.litert:litert`, 2.2 or newer; then `--wheel litert-2.3.0.aar`"
        raise DeviceError(text, hint)
    newest = max(found, key=lambda match: (int(match[2]), int(match[3]), int(match[4])))
    return RuntimePackage(LITERT, ".".join(newest.group(2, 3, 4)), newest[1], (), site_packages=False)


def phone_agent(machine: str) -> Path:
    """Return the native agent for phones, which `build` made.

    Raises:
        UsageError: Nobody has built it from these sources.
    """
    made = _place(_architecture(machine))
    if not made.is_file():
        hint = "python -m edgeprof.remote.android /path/to/android-ndk"
        raise UsageError("the native agent for Android must be built first, by an Android NDK", hint)
    return made


def build(ndk: Path) -> tuple[Path, ...]:
    """Build the native agent for every kind of phone into the cache.

    Raises:
        UsageError: The folder is no NDK, or its compiler does not compile the agent.
    """
    return tuple(_built(ndk, architecture) for architecture in _ABIS)


def _built(ndk: Path, architecture: str) -> Path:
    compilers = sorted(ndk.glob(f"toolchains/llvm/prebuilt/*/bin/{architecture}-linux-android{API_LEVEL}-clang"))
    if not compilers:
        missing = f"{architecture}-linux-android{API_LEVEL}-clang"
        hint = f"it has no `{missing}`: give the folder that `ndk-build` lies in, of r26 or newer"
        raise UsageError(f"`{ndk}` is no Android NDK", hint)
    made = _place(architecture)
    made.parent.mkdir(parents=True, exist_ok=True)
    command = [str(compilers[0]), *FLAGS, "-s", "-o", str(made), *map(str, sources()), *LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        why = next((line for line in lines if "error" in line), lines[-1])
        text = f"the NDK did not compile the native agent: {why}"
        raise UsageError(text, f"does it run? {compilers[0]} --version")
    return made


def _place(architecture: str) -> Path:
    return resources.cache_dir() / "native" / f"{PROGRAM}-{architecture}-android{API_LEVEL}-{content('ndk')}"


def _architecture(machine: str) -> str:
    architecture = architecture_of(machine)
    if architecture not in _ABIS:
        raise DeviceError(f"no LiteRT for `{machine}` phones", f"it has {', '.join(_ABIS.values())}")
    return architecture


def _out_of_aar(path: Path, machine: str) -> RuntimePackage:
    architecture = _architecture(machine)
    version = _AAR.fullmatch(path.name)
    if version is None:
        raise UsageError(f"`{path.name}` does not say LiteRT's version", "keep the name it came with: litert-2.3.0.aar")
    member = f"jni/{_ABIS[architecture]}/libLiteRt.so"
    try:
        with zipfile.ZipFile(path) as archive:
            library = archive.read(member)
    except KeyError as exc:
        raise UsageError(f"`{path.name}` has no {member}", "LiteRT's own AAR has it, from 2.0 on") from exc
    except (OSError, zipfile.BadZipFile) as exc:
        raise UsageError(f"cannot read `{path}`: {exc}", "is it whole?") from exc
    return pack_library(".".join(version.groups()), f"android-{architecture}", library)


def main() -> None:
    """Build the agent by the NDK that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m edgeprof.remote.android NDK")
    try:
        for path in build(Path(sys.argv[1])):
            sys.stdout.write(f"{path}\n")
    except EdgeprofError as exc:
        sys.exit(f"error: {exc.message}\n\nhint: {exc.hint}")


if __name__ == "__main__":
    main()
