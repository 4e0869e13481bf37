"""Clocks that edgeprof sets, on a kernel's own cpufreq: pinned, measured, and set back whatever ends the run.

One board for all: each test leaves it as it found it, and says so.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import jsonschema
import pytest

from edgeprof import lab, resources
from edgeprof.report.document import schema
from edgeprof.transport import Transport, connect
from edgeprof.transport.files import run
from tests.conftest import Cli
from tests.contract.transport.relay import Relay

MODEL = resources.folder("device_agents") / "selftest.tflite"
SHORT = ("-k", "1", "--runs", "20", "--no-energy")
PIN = ("--pin-mhz", "little=900", "--pin-mhz", "big=1200")
# A starved machine may leave its host's sign of life waiting for seconds.
LEASE = {"EDGEPROF_CLOCKS_LEASE_S": "10"}
BEFORE = ["ondemand 600000 1200000", "ondemand 600000 1800000"]
PINNED = ["performance 900000 900000", "performance 1200000 1200000"]
LOOK = (
    "cd /sys/devices/system/cpu/cpufreq; for p in policy0 policy1; do "
    "echo $(cat $p/scaling_governor $p/scaling_min_freq $p/scaling_max_freq); done"
)


@pytest.fixture
def board(standing) -> lab.VirtualBoard:
    return standing("big-little")


@pytest.fixture
def way(board) -> Iterator[Transport]:
    url = f"ssh://root@127.0.0.1:{board.ssh_port}"
    with closing(connect(url, host_key=board.host_key, identity=str(board.identity))) as transport:
        yield transport


@dataclass
class Desk:
    """A host with the board as a device: as root, as somebody who may not, and behind a relay.

    Attributes:
        cli: Its command line.
        board: The board.
        relay: On the way of the device `far`.
        way: A connection of the test's own: a handshake for each look would take seconds of an emulated processor.
    """

    cli: Cli
    board: lab.VirtualBoard
    relay: Relay
    way: Transport

    def on(self, command: str) -> str:
        return run(self.way, ("sh", "-c", command), 60).stdout.decode()

    def clocks(self) -> list[str]:
        return self.on(LOOK).splitlines()

    def until(self, holds: Callable[[], bool], seconds: float = 60) -> bool:
        end = time.monotonic() + seconds
        while not holds() and time.monotonic() < end:
            time.sleep(0.5)
        return holds()

    def add(self, name: str, user: str, port: int) -> None:
        keys = ("-i", self.board.identity, "--host-key", self.board.host_key)
        added = self.cli("device", "add", name, f"ssh://{user}@127.0.0.1:{port}", *keys)
        assert added.code == 0, added.err

    def begins(self, device: str, **env: str) -> subprocess.Popen:
        """Start a run and return when its clocks are pinned."""
        process = self.cli.start("profile", MODEL, "-d", device, *PIN, *SHORT, **env)
        for line in process.stderr:
            if "clocks pinned" in line:
                break
        assert self.clocks() == PINNED
        return process


@pytest.fixture
def desk(standing, board, way, cli: Cli) -> Iterator[Desk]:
    with closing(Relay(board.ssh_port)) as relay:
        found = Desk(cli, board, relay, way)
        found.add("root", "root", board.ssh_port)
        assert found.clocks() == BEFORE
        yield found
        left = found.clocks()
        if left != BEFORE:  # the next test, or this one's next try, has another board
            standing.close()
        assert left == BEFORE


def ended(process) -> None:
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def test_clocks_are_pinned_group_by_group_said_and_set_back(desk):
    done = desk.cli("profile", MODEL, "-d", "root", *PIN, *SHORT, "--json")

    assert done.code == 0, done.err
    item = done.json()["items"][0]
    said = item["environment"]
    assert (said["clocks"], said["clocks_set_by"]) == ("cpu0 at 900 MHz; cpu1 at 1200 MHz", "edgeprof")
    assert item["plan"]["pin_clocks"] == "big=1200 little=900"
    assert all(state["freq_khz_low"] == 900_000 and state["freq_khz_high"] == 1_200_000 for state in item["states"])
    codes = [warning["code"] for warning in item["warnings"]]
    assert not {"pin_not_held", "powersave_governor"} & set(codes)
    assert "clocks" in next(w["text"] for w in item["warnings"] if w["code"] == "invented_sensors")
    assert "clocks pinned: cpu0 at 900 MHz; cpu1 at 1200 MHz" in done.err
    assert "clocks set back as they were: policy0 ondemand:600000:1200000; policy1 ondemand:600000:1800000" in done.err


def test_a_gate_measures_on_clocks_that_it_pins_and_sets_back(desk):
    text = f'launches = 2\n[[artifact]]\nfile = "{MODEL}"\npin_mhz = ["little=900", "big=1200"]\n'
    (desk.cli.folder / "release.toml").write_text(f'{text}[[budget]]\ndevice = "root"\nsize = "1 MiB"\n')

    done = desk.cli("validate", "--json")

    assert done.code == 0, done.err
    (run_id,) = done.json()["runs"]
    item = desk.cli("run", "show", run_id, "--json").json()["items"][0]
    assert item["environment"]["clocks"] == "cpu0 at 900 MHz; cpu1 at 1200 MHz"
    assert (item["plan"]["pin_clocks"], item["environment"]["clocks_set_by"]) == ("big=1200 little=900", "edgeprof")


def test_a_host_that_is_killed(desk):
    process = desk.begins("root")

    process.kill()

    assert desk.until(lambda: desk.clocks() == BEFORE)
    ended(process)


def test_a_link_that_is_cut_without_a_word_and_what_the_board_says_of_it_afterwards(desk):
    desk.add("far", "root", desk.relay.port)
    desk.add("user", "edge", desk.board.ssh_port)
    process = desk.begins("far", **LEASE)

    desk.relay.freeze()
    back = desk.until(lambda: desk.clocks() == BEFORE)
    ended(process)
    desk.relay.cut()
    desk.relay.thaw()
    said = desk.cli("device", "restore", "user")

    assert back
    assert said.code == 0, said.err
    assert "nothing is to be set back: the board did so itself when its host fell silent" in said.out
    assert "it had set back: policy1 ondemand:600000:1800000" in said.out


def test_by_hand_after_host_script_and_watchdog_were_killed_and_not_before(desk):
    desk.add("user", "edge", desk.board.ssh_port)
    process = desk.begins("root")
    under_way = desk.cli("device", "restore", "root")
    desk.on("cd /var/lib/edgeprof/clocks && kill -9 $(cat watchdog) $(cat holder)")
    os.kill(process.pid, signal.SIGKILL)
    ended(process)

    left = desk.clocks()
    may_not = desk.cli("device", "restore", "user")
    restored = desk.cli("device", "restore", "root", "--json")
    again = desk.cli("device", "restore", "root")

    assert under_way.code == 1
    assert "its clocks are held by " in under_way.err
    assert left == PINNED
    assert may_not.code == 1
    assert ".clocks.sh restore'" in may_not.err
    document = restored.json()
    jsonschema.validate(document, schema())
    assert document["items"][0]["done"] == ["policy0 ondemand:600000:1200000", "policy1 ondemand:600000:1800000"]
    assert "nothing is to be set back: `device restore` did so" in again.out
