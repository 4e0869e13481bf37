"""A labgrid coordinator whose places are virtual boards: one by SSH, one without a network by its console."""

import pytest

from edgeprof import lab, resources
from edgeprof.transport.seriallogin import PASSWORD_VARIABLE
from tests import labgrids

MODEL = resources.folder("device_agents") / "selftest.tflite"


@pytest.fixture
def bench(boot, cli, cache_dir, tmp_path):
    """Places `quick` and `console`, and the board behind the first."""
    quick, console = boot("cortex-a72"), boot("serial-only")
    service = {"address": "127.0.0.1", "port": quick.ssh_port, "username": "edge"}
    port = {"host": "127.0.0.1", "port": console.serial_port, "protocol": "raw", "speed": 115200}
    programs = labgrids.installed(cache_dir)
    exported = {"one": {"NetworkService": service}, "two": {"NetworkSerialPort": port}}
    with labgrids.running(programs, tmp_path / "labgrid", exported) as running:
        running.place("quick", "one")
        running.place("console", "two")
        cli.env.update(running.env, EDGEPROF_LABGRID_CLIENT=str(programs / "labgrid-client"))
        cli.env[PASSWORD_VARIABLE] = lab.PASSWORD
        yield running, quick


def test_virtual_boards_of_a_coordinator_are_measured_and_given_back(bench, cli):
    running, quick = bench
    keys = ("-i", quick.identity, "--host-key", quick.host_key)
    for name, url, *options in (("quick", "labgrid://quick", *keys), ("console", "labgrid://edge@console")):
        added = cli("device", "add", name, url, *options)
        assert added.code == 0, added.err

    done = cli("profile", MODEL, "-d", "quick", "-k", "2", "--runs", "20", "--json")
    probed = cli("device", "probe", "console", "--json")

    assert done.code == 0, done.err
    assert done.json()["items"][0]["status"] == "complete"
    assert probed.code == 0, probed.err
    assert probed.json()["items"][0]["probe"]["lab"]["board"] == "serial-only"
    assert running.who("quick") is None
    assert running.who("console") is None
