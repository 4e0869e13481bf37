"""Phones for tests: the daemon of `tests.adbd` and a server of the real `adb` client that is nobody else's."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# As the properties of a phone are printed; the values are made up.
PROPERTIES = {
    "ro.product.manufacturer": "Example",
    "ro.product.model": "Test Phone",
    "ro.soc.manufacturer": "Example Silicon",
    "ro.soc.model": "ES1234",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.cpu.abi": "x86_64",
    "ro.serialno": "TEST0001",
}
BATTERY = "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n  status: 2\n  level: 87\n  scale: 100\n  temperature: 271\n"
THERMAL = "IsStatusOverride: false\nThermal Status: 0\n"
# Debian's toybox lacks some programs that Android's has.
EXTRA = ("awk", "tr", "dd", "expr", "sort", "od")


def missing() -> str | None:
    """Return what tests of phones lack here, or `None`."""
    lacking = [name for name in ("adb", "mksh", "toybox", "busybox") if shutil.which(name) is None]
    return f"apt install {' '.join(lacking)}" if lacking else None


@dataclass
class Phone:
    """A phone under way; `serial` is what `adb` calls it."""

    port: int
    process: subprocess.Popen

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"adb:{self.serial}"

    def unplug(self) -> None:
        self.process.kill()
        self.process.wait()


def start_phone(programs: Path, mood: str = "device", port: int = 0) -> Phone:
    """Start a phone at a port, or at any that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.adbd", str(port), str(programs), mood]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return Phone(port, process)


def userland(folder: Path) -> Path:
    """Make the folder that is a phone's PATH: mksh, toybox, and what answers for Android."""
    folder.mkdir(parents=True)
    toybox, busybox = shutil.which("toybox"), shutil.which("busybox")
    (folder / "sh").symlink_to(shutil.which("mksh"))
    for name in subprocess.run([toybox], capture_output=True, text=True, check=True).stdout.split():
        (folder / name).symlink_to(toybox)
    for name in EXTRA:
        if not (folder / name).exists():
            (folder / name).symlink_to(busybox)
    cases = "".join(f"{name}) echo '{value}';;\n" for name, value in PROPERTIES.items())
    answers = {
        "getprop": f"case $1 in\n{cases}esac",
        "dumpsys": f"case $1 in\nbattery) cat <<'SAID'\n{BATTERY}SAID\n;;\nthermalservice) cat <<'SAID'\n{THERMAL}SAID\n;;\nesac",
    }
    for name, text in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def server_environment() -> dict[str, str]:
    """Return what makes `adb` use a server of its own; end that by `end_server`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {"ANDROID_ADB_SERVER_PORT": str(probe.getsockname()[1])}


def end_server(env: dict[str, str]) -> None:
    subprocess.run(["adb", "kill-server"], env={**os.environ, **env}, capture_output=True, timeout=30, check=False)
