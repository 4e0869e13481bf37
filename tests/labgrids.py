"""A real labgrid coordinator and exporter on loopback, and switches of power; all of it ends with the test."""

import contextlib
import fcntl
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sshd import free_port

_WANTED = "labgrid==26.*"


@dataclass(frozen=True)
class Labgrid:
    """A coordinator with one exporter, `here`.

    Attributes:
        programs: Where labgrid's commands lie.
        env: What makes them find the coordinator.
    """

    programs: Path
    env: dict[str, str]

    def client(self, *argv: str, **env: str) -> str:
        done = subprocess.run(
            [str(self.programs / "labgrid-client"), *argv],
            capture_output=True, text=True, env={**os.environ, **self.env, **env}, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def place(self, name: str, group: str, **tags: str) -> None:
        """Make a place of all that a group exports, and wait until it is there."""
        self.client("-p", name, "create")
        self.client("-p", name, "add-match", f"here/{group}/*")
        if tags:
            self.client("-p", name, "set-tags", *(f"{key}={value}" for key, value in tags.items()))
        end = time.monotonic() + 60
        while f"here/{group}/" not in self.client("resources") and time.monotonic() < end:
            time.sleep(0.2)

    def who(self, place: str) -> str | None:
        """Return who has a place."""
        for line in self.client("-p", place, "show").splitlines():
            if line.strip().startswith("acquired: "):
                return line.split(": ")[1].strip().replace("None", "") or None
        return None

    def clear(self, *places: str) -> None:
        """Take places from whoever has them, and end what is reserved."""
        for token in re.findall(r"Reservation '(\w+)'", self.client("reservations")):
            self.client("cancel-reservation", token)
        acquired = {line.split()[2] for line in self.client("who").splitlines()[1:]}
        for place in acquired.intersection(places):
            self.client("-p", place, "release", "--kick")

    def free_again(self, place: str, within_s: float = 90) -> bool:
        end = time.monotonic() + within_s
        while self.who(place) and time.monotonic() < end:
            time.sleep(0.3)
        return self.who(place) is None


def installed(cache_dir: Path) -> Path:
    """Return the folder of labgrid's commands: an environment of their own, made once."""
    folder = cache_dir / "labgrid-26"
    with (cache_dir / "labgrid-26.lock").open("w") as lock:  # the other worker may want it at the same moment
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder)
    return folder / "bin"


def _install(folder: Path) -> None:
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            _WANTED,
        ]
        if subprocess.run(pip, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            pytest.skip(f"{_WANTED} cannot be installed here: is there a package index?")
        (folder / "ready").touch()


@contextlib.contextmanager
def running(programs: Path, folder: Path, exported: dict) -> Iterator[Labgrid]:
    """Start a coordinator and an exporter of `exported`: groups, resources, their values."""
    folder.mkdir()
    env = {"LG_COORDINATOR": f"127.0.0.1:{free_port()}", "LG_HOSTNAME": "bench", "LG_USERNAME": "me"}
    (folder / "exported.yaml").write_text(json.dumps(exported))  # which is YAML too
    commands = (
        ["labgrid-coordinator", "-l", env["LG_COORDINATOR"]],
        ["labgrid-exporter", "-n", "here", "--hostname", "127.0.0.1", "exported.yaml"],
    )
    with contextlib.ExitStack() as stack:
        labgrid = Labgrid(programs, env)
        for program, *options in commands:
            log = stack.enter_context((folder / f"{program}.log").open("w"))
            process = subprocess.Popen(
                [str(programs / program), *options], cwd=folder, env={**os.environ, **env}, stdout=log, stderr=log
            )
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            _until(labgrid)
        yield labgrid


def _until(labgrid: Labgrid) -> None:
    for _ in range(60):
        with contextlib.suppress(AssertionError):
            labgrid.client("places")
            return
        time.sleep(0.3)
    raise RuntimeError("the coordinator does not answer")


@contextlib.contextmanager
def power_switch(switched: Callable[[bool], None]) -> Iterator[dict]:
    """Serve what labgrid calls `simplerest`; yield the resource to export."""

    class Switch(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            switched(self.path.endswith("/1"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Switch)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        host = f"http://127.0.0.1:{server.server_port}/{{index}}/{{value}}"
        yield {"model": "simplerest", "host": host, "index": "0"}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
