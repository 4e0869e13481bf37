"""Servers, a home of the test's own, and every kind of way."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeprof.transport import connect, offered_key
from edgeprof.transport.ssh import SshTransport
from edgeprof.transport.sshlink import Deadlines
from tests import phones
from tests.contract.transport.relay import Relay
from tests.contract.transport.uart import SHELL, Console, Uart
from tests.sshd import SSHD, Sshd, start_sshd

# Short, so that a test of a dead link takes seconds; but a busy machine's handshake may take its time.
SHORT = Deadlines(connect_s=20, dead_link_s=1.5, silent_s=1.5, stall_s=2)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 30
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, configuration, known hosts and agent."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("EDGEPROF_CONFIG_DIR", str(folder / "config"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """Start servers that run until the tests end."""
    if SSHD is None:
        pytest.skip("no OpenSSH server is installed")
    servers: list[Sshd] = []

    def start(extra: str = "") -> Sshd:
        folder = tmp_path_factory.mktemp("sshd")
        servers.append(start_sshd(folder, f"SetEnv HOME={folder}\n{extra}"))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def sshd(running: Callable[..., Sshd]) -> Sshd:
    return running()


@pytest.fixture(scope="session")
def gate(running: Callable[..., Sshd]) -> Sshd:
    """A second server, with keys of its own: a jump host."""
    return running()


@pytest.fixture
def let_in(home: Path, sshd: Sshd) -> Sshd:
    """The server, whose key is known and which knows ours."""
    sshd.let_in(home)
    offered_key(sshd.url).trust(None)
    return sshd


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server of the real `adb` client for these tests alone, which ends with them."""
    if phones.missing():
        pytest.skip(f"no phones here: {phones.missing()}")
    env = phones.server_environment()
    yield env
    phones.end_server(env)


@pytest.fixture(scope="session")
def userland(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phones.userland(tmp_path_factory.mktemp("phone") / "bin")


@pytest.fixture
def plug_in(adb_server: dict[str, str], userland: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """A function that starts a phone; it ends with the test."""
    for name, value in adb_server.items():
        monkeypatch.setenv(name, value)
    with contextlib.ExitStack() as stack:

        def start(mood: str = "device", port: int = 0) -> phones.Phone:
            phone = phones.start_phone(userland, mood, port)
            stack.callback(phone.unplug)
            return phone

        yield start


@pytest.fixture(params=["local", pytest.param("ssh", marks=pytest.mark.sshd), "serial", "adb"])
def way(request: pytest.FixtureRequest, home: Path) -> Iterator:
    """Every kind of way to a board."""
    urls = {
        "local": lambda: "local:",
        "ssh": lambda: request.getfixturevalue("let_in").url,
        "serial": lambda: f"serial://{request.getfixturevalue('console').host}?fastest=115200",
        "adb": lambda: request.getfixturevalue("plug_in")().url,
    }
    url = urls[request.param]()
    with contextlib.closing(connect(url)) as opened:
        yield opened


@pytest.fixture
def uart() -> Iterator[Uart]:
    """A line that is as quick as it goes, to be slowed or harmed."""
    uart = Uart()
    yield uart
    uart.close()


@pytest.fixture
def console(uart: Uart, home: Path) -> Iterator[Uart]:
    """A line with a shell at its other end, where somebody has logged in."""
    shell = Console(uart, SHELL, home)
    yield uart
    shell.close()


@pytest.fixture
def relay(sshd: Sshd) -> Iterator[Relay]:
    relay = Relay(sshd.port)
    yield relay
    relay.close()


@pytest.fixture
def relayed(let_in: Sshd, relay: Relay) -> Callable[..., SshTransport]:
    """Connect through the relay, with short deadlines."""
    url = let_in.url.replace(str(let_in.port), str(relay.port))
    return lambda deadlines=SHORT: SshTransport(url, let_in.fingerprint, deadlines)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this root may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
