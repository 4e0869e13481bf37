"""A labgrid coordinator whose places are a virtual board: by SSH with a power switch, and by its console."""

import json

import pytest

from edgeprof import lab, resources
from edgeprof.transport.seriallogin import PASSWORD_VARIABLE
from tests import labgrids
from tests.boards.conftest import nobody_is_left

MODEL = resources.folder("device_agents") / "selftest.tflite"


@pytest.fixture(scope="module")
def bench(standing, cache_dir, tmp_path_factory):
    """Places `quick` and `console`, which are one board; the power of `quick` is the board's own."""
    board = standing("cortex-a72")
    service = {"address": "127.0.0.1", "port": board.ssh_port, "username": "edge"}
    port = {"host": "127.0.0.1", "port": board.serial_port, "protocol": "raw", "speed": 115200}
    programs = labgrids.installed(cache_dir)
    with labgrids.power_switch(standing.switch) as power:
        exported = {
            "one": {"NetworkService": service, "NetworkPowerPort": power},
            "two": {"NetworkSerialPort": port},
        }
        with labgrids.running(programs, tmp_path_factory.mktemp("bench") / "labgrid", exported) as running:
            running.place("quick", "one")
            running.place("console", "two")
            yield running, board


@pytest.fixture
def labgrid(bench, cli):
    """The coordinator, and its places as devices of the same names."""
    running, board = bench
    cli.env.update(running.env, EDGEPROF_LABGRID_CLIENT=str(running.programs / "labgrid-client"))
    cli.env.update({PASSWORD_VARIABLE: lab.PASSWORD, "EDGEPROF_ANSWER_S": "120"})  # its processor is emulated
    keys = ("-i", board.identity, "--host-key", board.host_key)
    for name, url, *options in (("quick", "labgrid://quick", *keys), ("console", "labgrid://edge@console")):
        added = cli("device", "add", name, url, *options)
        assert added.code == 0, added.err
    yield running
    running.clear("quick", "console")


def test_virtual_boards_of_a_coordinator_are_measured_and_given_back(labgrid, cli):
    done = cli("profile", MODEL, "-d", "quick", "-k", "2", "--runs", "20", "--json")
    probed = cli("device", "probe", "console", "--json")

    assert done.code == 0, done.err
    assert done.json()["items"][0]["status"] == "complete"
    assert probed.code == 0, probed.err
    assert probed.json()["items"][0]["probe"]["lab"]["board"] == "cortex-a72"
    assert labgrid.who("quick") is None
    assert labgrid.who("console") is None


def test_a_virtual_board_that_hangs_is_switched_off_and_on_boots_and_the_run_goes_on(labgrid, standing, cli):
    standing.qemu.tell("touch /tmp/before")
    asked = ("profile", MODEL, "-d", "quick", "-k", "3", "--runs", "20", "--no-energy", "--reconnect", "4", "--json")
    process = cli.start(*asked, EDGEPROF_ANSWER_S="15")
    heard = []
    for line in process.stderr:
        heard.append(line)
        if "provisional" in line:
            break

    standing.qemu.command("stop")
    out, err = process.communicate(timeout=600)

    assert process.returncode == 0, "".join(heard) + err
    assert "`quick` was switched off and on" in err
    run = json.loads(out)["items"][0]
    assert run["status"] == "complete"
    assert "link_lost" in [warning["code"] for warning in run["warnings"]]
    standing.qemu.await_boot()
    standing.qemu.tell("test ! -e /tmp/before")  # what was in memory is gone
    nobody_is_left(standing.qemu)
    assert labgrid.who("quick") is None
