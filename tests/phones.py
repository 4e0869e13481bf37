"""Phones for tests: the daemon of `tests.adbd` and a server of the real `adb` client that is nobody else's."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests import perfetto_program
from tests.recorded import synthetic

# All written by hand: see tests/data/synthetic/.
CHARGING = synthetic("android-battery-charging.txt")
UNPLUGGED = synthetic("android-battery-unplugged.txt")
FAKED = synthetic("android-battery-faked.txt")
COOL = synthetic("android-thermal-none.txt")
MODERATE = synthetic("android-thermal-moderate.txt")
# Debian's toybox lacks some programs that Android's has.
EXTRA = ("awk", "tr", "dd", "expr", "sort", "od")


# A place where a mount is seen by nobody else.
NAMESPACE = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-r", "-m")


def missing() -> str | None:
    """Return what tests of phones lack here, or `None`."""
    lacking = [name for name in ("adb", "mksh", "toybox", "busybox") if shutil.which(name) is None]
    return f"apt install {' '.join(lacking)}" if lacking else None


@dataclass
class Phone:
    """A phone under way; `serial` is what `adb` calls it."""

    port: int
    process: subprocess.Popen
    programs: Path

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"adb:{self.serial}"

    def unplug(self) -> None:
        self.process.kill()
        self.process.wait()

    def say(self, name: str, text: str) -> None:
        """Let the phone's own program `battery`, `thermalservice` (of dumpsys) or `logcat` say so from now on."""
        (self.programs / f".{name}").write_text(text)


class Gauge:
    """A phone's battery in a folder that stands in for /sys/class/power_supply; a thread moves it until `end`.

    Its current follows the load of the phone's own processes, as they really run here: `idle` and so much more for each
    core that they keep busy, in units of its own. No value of it was seen on a phone.
    """

    def __init__(self, folder: Path, idle: int = -180_000, core: int = -700_000, update_s: float = 0.1) -> None:
        self.folder = folder
        self._idle, self._core, self._update_s = idle, core, update_s
        self._charge = 2_627_234.0
        self._end = threading.Event()
        files = {
            "battery": {"type": "Battery", "status": "Discharging", "voltage_now": "3912000", "current_now": "0"},
            "usb": {"type": "USB", "online": "0"},
        }
        for name, values in files.items():
            (folder / name).mkdir(parents=True)
            for key, value in values.items():
                (folder / name / key).write_text(value + "\n")
        self._file = (folder / "battery" / "current_now").open("wb", buffering=0)

    def follow(self, phone: Phone) -> None:
        self._thread = threading.Thread(target=self._move, args=(psutil.Process(phone.process.pid),), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._end.set()
        self._thread.join()
        self._file.close()

    def _move(self, daemon: psutil.Process) -> None:
        before: dict[int, float] = {}
        at, turn = time.monotonic(), 0
        while not self._end.wait(self._update_s):
            now = {}
            with suppress(psutil.Error):
                for process in daemon.children(recursive=True):
                    with suppress(psutil.Error):
                        now[process.pid] = sum(process.cpu_times()[:2])
            passed, at = time.monotonic() - at, time.monotonic()
            cores = sum(max(0.0, used - before.get(pid, used)) for pid, used in now.items()) / passed
            before, turn = now, turn + 1
            # A line of one length, written at once: whoever reads meanwhile sees the old value or the new one.
            os.pwrite(
                self._file.fileno(),
                b"%-12d\n" % round(self._idle + self._core * cores + turn % 5 * self._idle / 200),
                0,
            )


def start_phone(programs: Path, mood: str = "device", port: int = 0, supplies: Path | None = None) -> Phone:
    """Start a phone at a port, or at any that is free; `supplies` is what it sees as /sys/class/power_supply."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.adbd", str(port), str(programs), mood]
    if supplies is not None:
        command = [
            *NAMESPACE,
            "sh",
            "-c",
            'mount --bind "$0" /sys/class/power_supply && exec "$@"',
            str(supplies),
            *command,
        ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return Phone(port, process, programs)


def no_supplies() -> str | None:
    """Return what a phone lacks here to have a battery of its own, or `None`."""
    command = [*NAMESPACE, "mount", "--bind", "/tmp", "/sys/class/power_supply"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no mount namespace here: {done.stderr.strip()}"


def applets(folder: Path) -> Path:
    """Make a folder that holds mksh, every applet of toybox, and nothing else but `tr`, which Debian's toybox lacks."""
    folder.mkdir(parents=True)
    toybox = shutil.which("toybox")
    (folder / "sh").symlink_to(shutil.which("mksh"))
    for name in subprocess.run([toybox], capture_output=True, text=True, check=True).stdout.split():
        (folder / name).symlink_to(toybox)
    (folder / "tr").symlink_to(shutil.which("busybox"))
    return folder


def properties() -> dict[str, str]:
    """Return a phone's properties by name, of the form that `getprop` prints them in: `[name]: [value]`."""
    lines = synthetic("android-getprop.txt").splitlines()
    return {name.strip("[]"): value.strip("[]") for name, _, value in (line.partition(": ") for line in lines)}


def userland(folder: Path) -> Path:
    """Make the folder that is a phone's PATH: mksh, toybox, and what answers for Android."""
    applets(folder)
    for name in EXTRA:
        if not (folder / name).exists():
            (folder / name).symlink_to(shutil.which("busybox"))
    cases = "".join(f"{name}) echo '{value}';;\n" for name, value in properties().items())
    for name, text in (("battery", CHARGING), ("thermalservice", COOL), ("logcat", "")):
        (folder / f".{name}").write_text(text)
    answers = {
        "getprop": f"case $1 in\n{cases}esac",
        "dumpsys": f'[ -f "{folder}/.$1" ] && cat "{folder}/.$1"',
        "logcat": f'cat "{folder}/.logcat"',
    }
    for name, text in answers.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def install_perfetto(programs: Path) -> None:
    """Put the tests' own `perfetto` on a phone."""
    (programs / ".data" / "misc" / "perfetto-traces").mkdir(parents=True)
    made = programs / "perfetto"
    made.write_text(f"#!{sys.executable}\n{Path(perfetto_program.__file__).read_text()}")
    made.chmod(0o755)


def server_environment() -> dict[str, str]:
    """Return what makes `adb` use a server of its own; end that by `end_server`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {"ANDROID_ADB_SERVER_PORT": str(probe.getsockname()[1])}


def end_server(env: dict[str, str]) -> None:
    subprocess.run(["adb", "kill-server"], env={**os.environ, **env}, capture_output=True, timeout=120, check=False)
