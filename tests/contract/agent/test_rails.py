"""The kernel's power sensors, read by the real agents: in place of `/sys/class` stands a tree as drivers lay it out.

Sources: Linux v6.1, drivers/hwmon/ina238.c (in0 is the shunt, in1 the bus; power1 in µW) and
Documentation/power/powercap/powercap.rst (`energy_uj` goes on at 0 after `max_energy_range_uj`).
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from edgeprof import resources
from edgeprof.boards import PowerSensor, parse_facts
from edgeprof.power import choose, microwatts, power_series
from edgeprof.remote.shellprobe import parse_probe
from tests.contract.agent.client import Agent, Board, wait_until
from tests.unit.test_energy import trace

# A namespace of its own for mounts; one who is not root needs one of users, too.
UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
WRAPS_AT = 65_532_610_987  # as a desktop's package counter has it


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty folder to lay a `/sys/class` out in."""
    folder = tmp_path / "class"
    folder.mkdir()
    try:
        command = [*UNSHARE, "mount", "--bind", str(folder), "/sys/class"]
        tried = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("no `unshare` here")
    if tried.returncode:
        pytest.skip(f"no mounts of one's own here: {tried.stderr.decode()}")
    return folder


def behind(tree: Path, *command: str) -> list[str]:
    """Return a command as one that sees the tree in place of `/sys/class`."""
    return [*UNSHARE, "sh", "-c", 'mount --bind "$1" /sys/class && shift && exec "$@"', "sh", str(tree), *command]


@pytest.fixture
def probed(tree: Path, kind: str) -> Callable[[Agent], tuple[PowerSensor, ...]]:
    """Return the sensors as an agent says them; for the one in C, `agent.sh` does."""

    def ask(agent: Agent) -> tuple[PowerSensor, ...]:
        if kind == "linux":
            return parse_facts(agent.call("probe")).power_sensors
        script = resources.folder("device_agents") / "oneshot" / "agent.sh"
        done = subprocess.run(
            behind(tree, "sh", str(script), "probe"), capture_output=True, text=True, timeout=60, check=True
        )
        return parse_facts(parse_probe(done.stdout)).power_sensors

    return ask


@pytest.fixture
def watching(tree: Path, kind: str, tmp_path: Path, started: list[Agent], request) -> Callable[[], Agent]:
    """Start an agent, of either kind, that sees the tree."""

    def begin() -> Agent:
        board = Board(tmp_path / "home")
        python = shutil.which("python3") or "python3"
        own = (str(request.getfixturevalue("native_program")),) if kind == "native" else board.linux_agent(python)
        started.append(Agent(board, tuple(behind(tree, *own))))
        started[-1].hello()
        return started[-1]

    return begin


def lay(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n")
    return folder


def put(path: Path, value: int) -> None:
    """Replace a number at once, as a read of the kernel's never sees half of one."""
    other = path.with_suffix(".new")
    other.write_text(f"{value}\n")
    other.rename(path)


def sampled(agent: Agent, index: int, lines: int) -> list[dict]:
    begun = agent.call("sampler_start", hz=50, cpus=None, rail=index)
    path = agent.home / "launches" / begun["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= lines)
    agent.call("sampler_stop", sampler=begun["sampler"])
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_ina238_is_its_bus_voltage_times_its_current_not_its_shunts(tree, watching, probed):
    lay(tree / "hwmon/hwmon0", name="cpu_thermal", temp1_input=45000)
    chip = lay(tree / "hwmon/hwmon1", name="ina238", in0_input=7, in1_input=5030, curr1_input=740, temp1_input=38125)
    lay(chip, power1_input=3_722_000, power1_max=8_000_000)
    agent = watching()

    (sensor,) = probed(agent)
    supply = choose([sensor])
    lines = sampled(agent, supply.index, 3)

    assert (sensor.driver, sensor.readable, len(sensor.rails)) == ("ina238", True, 1)
    assert (supply.name, supply.kind, supply.covers) == ("ina238", "product", "part")
    assert {microwatts(supply.kind, line["values"]) for line in lines} == {5030 * 740}


def test_an_ina238_that_is_unbound_half_way_leaves_missing_readings(tree, watching):
    chip = lay(tree / "hwmon/hwmon0", name="ina238", in0_input=7, in1_input=5030, curr1_input=740)
    agent = watching()
    begun = agent.call("sampler_start", hz=50, cpus=None, rail=0)
    path = agent.home / "launches" / begun["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 2)

    shutil.rmtree(chip)

    assert wait_until(lambda: "null" in path.read_text())
    agent.call("sampler_stop", sampler=begun["sampler"])
    readings = [microwatts("product", json.loads(line)["values"]) for line in path.read_text().splitlines()]
    assert readings[0] == 5030 * 740
    assert readings[-1] is None


def powercap(tree: Path) -> Path:
    """Lay out a package with its cores and its memory, as `intel_rapl` does; return the package's counter."""
    whole = {"max_energy_range_uj": WRAPS_AT, "enabled": 1}
    lay(tree / "powercap/intel-rapl", enabled=1)
    package = lay(tree / "powercap/intel-rapl:0", name="package-0", energy_uj=WRAPS_AT - 3_000_000, **whole)
    lay(tree / "powercap/intel-rapl:0:0", name="core", energy_uj=11, **whole)
    lay(tree / "powercap/intel-rapl:0:1", name="dram", energy_uj=12, **whole)
    return package / "energy_uj"


@pytest.fixture
def counting(tree: Path) -> Iterator[Callable[[], None]]:
    """A function from which on a package's counter grows by 20 W; it begins anew 0.15 s later."""
    counter, stop = powercap(tree), Event()

    def grow() -> None:
        begun_s = time.monotonic()
        while not stop.wait(0.005):
            put(counter, (WRAPS_AT - 3_000_000 + round(20e6 * (time.monotonic() - begun_s))) % WRAPS_AT)

    thread = Thread(target=grow)
    yield thread.start
    stop.set()
    if thread.ident:
        thread.join()


def test_rapl_is_one_rail_a_package_and_its_parts_are_not_added(tree, watching, probed):
    powercap(tree)

    (sensor,) = probed(watching())
    supply = choose([sensor])

    assert (sensor.driver, [rail.label for rail in sensor.rails]) == ("rapl", ["package-0"])
    assert (supply.name, supply.kind, supply.wraps_at) == ("package-0 (rapl)", "energy", WRAPS_AT)


def test_a_rapl_counter_that_begins_anew_while_it_is_read_goes_on_as_power(counting, watching):
    agent = watching()
    begun = agent.call("sampler_start", hz=50, cpus=None, rail=0)
    path = agent.home / "launches" / begun["launch"] / "samples.jsonl"
    assert wait_until(lambda: path.exists() and path.read_text().count("\n") >= 1)
    counting()
    assert wait_until(lambda: path.read_text().count("\n") >= 60)
    agent.call("sampler_stop", sampler=begun["sampler"])

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    readings = tuple(microwatts("energy", line["values"]) for line in lines)
    times = tuple(line["monotonic_ns"] for line in lines)
    power = power_series(replace(trace(), wraps_at=WRAPS_AT, time_ns=times, readings=readings))

    grown_j = float((power.power_w * [(b - a) / 1e9 for a, b in pairwise(times)]).sum())
    assert readings[0] == WRAPS_AT - 3_000_000
    assert readings[-1] < readings[0]
    assert grown_j == pytest.approx((readings[-1] + 3_000_000) / 1e6)
    assert (power.power_w >= 0).all()


def test_rapl_that_only_root_may_read_is_there_and_not_readable(tree, watching, probed):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    powercap(tree).chmod(0o000)

    (sensor,) = probed(watching())

    assert sensor.readable is False
