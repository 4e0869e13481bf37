"""Consoles behind servers that speak RFC 2217: Debian's ser2net, and pyserial's own; both in front of a real shell."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import serial
import serial.rfc2217

from edgeprof.errors import LinkLost, TransportError
from edgeprof.transport.files import push_bytes, run
from edgeprof.transport.serial import SerialTransport
from edgeprof.transport.serialpump import Deadlines
from tests.contract.transport.relay import Relay

# pyserial 3.5 starts its thread in the manner of old.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")

SER2NET = shutil.which("ser2net", path=os.environ.get("PATH", "") + ":/usr/sbin")
SHORT = Deadlines(silent_s=3, far_silent_s=6, stall_s=3, ping_s=0.3)


class Ser2net:
    """The real server of Debian's package; `port` is where it listens."""

    def __init__(self, line: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = folder / "ser2net.yaml"
        config.write_text(
            f"connection: &console\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{self.port}\n"
            f"  connector: serialdev,{line},38400n81,local\n  options:\n    kickolduser: true\n"
        )
        command = [SER2NET, "-d", "-u", "-c", str(config), "-P", str(folder / "ser2net.pid")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(self.port)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class PtySerial(serial.Serial):
    """A port without modem lines, as a pty is."""

    cts = dsr = ri = cd = False

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


class Pyserial:
    """A server of pyserial's `PortManager`, one user at a time; `port` is where it listens."""

    def __init__(self, line: str, _folder: Path) -> None:
        self._serial = PtySerial(line, 38400, timeout=0.02)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._ends = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Send to the user what the manager has to say."""
        self._user.sendall(data)

    def close(self) -> None:
        self._ends = True
        self._thread.join()
        self._listener.close()
        self._serial.close()

    def _serve(self) -> None:
        while not self._ends:
            with contextlib.suppress(TimeoutError):
                self._user = self._listener.accept()[0]
                with self._user, contextlib.suppress(OSError):
                    self._user.settimeout(0.02)
                    self._carry(serial.rfc2217.PortManager(self._serial, self))

    def _carry(self, manager: serial.rfc2217.PortManager) -> None:
        while not self._ends:
            if back := self._serial.read(self._serial.in_waiting or 1):
                self.write(b"".join(manager.escape(back)))
            with contextlib.suppress(TimeoutError):
                data = self._user.recv(4096)
                if not data:
                    return
                self._serial.write(b"".join(manager.filter(data)))


def await_port(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


@pytest.fixture(params=[Ser2net, Pyserial], ids=["ser2net", "pyserial"])
def server(request, console, tmp_path) -> Iterator:
    if request.param is Ser2net and SER2NET is None:
        pytest.skip("no ser2net: `apt install ser2net`")
    started = request.param(console.host, tmp_path)
    yield started
    started.close()


@pytest.fixture
def one(console, tmp_path) -> Iterator:
    """The real server, or where it is not installed the other."""
    started = (Ser2net if SER2NET else Pyserial)(console.host, tmp_path)
    yield started
    started.close()


def connected(port: int, query: str = "fastest=115200") -> SerialTransport:
    return SerialTransport(f"rfc2217://127.0.0.1:{port}?{query}", lambda _: None, SHORT)


def test_a_console_behind_a_server_carries_commands_and_files_and_is_given_back(server, console, home):
    data = os.urandom(20_000) + bytes(range(256)) * 4 + b"\xff" * 300  # telnet's escape among them

    with closing(connected(server.port)) as way:
        push_bytes(way, data, f"{home}/dest")
        assert run(way, ("echo", "works"), 60).stdout == b"works\n"
    with closing(connected(server.port)) as way:
        assert run(way, ("echo", "again"), 60).stdout == b"again\n"

    assert (home / "dest").read_bytes() == data


def test_both_ends_change_their_speed_through_the_server_and_back_at_the_end(server, console, home):
    console.by_mode = True  # it garbles where the ends differ
    data = os.urandom(20_000)
    before = console.mode()[4:6]

    with closing(connected(server.port, "baud=38400&fastest=230400")) as way:
        assert way.baud == 230_400
        assert console.mode()[4:6] != before
        push_bytes(way, data, f"{home}/dest")
    end = time.monotonic() + 60
    while console.mode()[4:6] != before and time.monotonic() < end:
        time.sleep(0.05)

    assert (home / "dest").read_bytes() == data
    assert console.mode()[4:6] == before


def test_a_server_that_ends_half_way_is_a_lost_link(one, console, home):
    console.baud = 230_400

    def end(done, _total):
        if done > 8_000:
            one.close()

    with closing(connected(one.port)) as way, pytest.raises(LinkLost, match="is gone"):
        push_bytes(way, os.urandom(100_000), f"{home}/dest", end)


def test_a_connection_that_is_cut_is_made_again_and_the_push_goes_on(one, console, home):
    console.baud = 230_400
    relay = Relay(one.port)
    data = os.urandom(40_000)
    cuts = []

    def cut(done, _total):
        if done > 16_000 and not cuts:
            cuts.append(done)
            relay.cut()

    try:
        with closing(connected(relay.port)) as way:
            push_bytes(way, data, f"{home}/dest", cut)
    finally:
        relay.close()

    assert cuts
    assert relay.connections >= 2
    assert (home / "dest").read_bytes() == data


def test_a_port_where_nobody_listens_is_named():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(TransportError, match=f"127.0.0.1:{port}") as caught:
        connected(port)

    assert caught.value.hint


def test_a_server_that_speaks_something_else_is_named():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]

        with pytest.raises(TransportError, match="does not speak RFC 2217") as caught:
            connected(port, "timeout=1")

    assert "socket://" in caught.value.hint
