"""Boards of a labgrid coordinator, which is real, as is its exporter: borrowed, used, power-cycled and given back, always."""

import os
import signal
import time
from contextlib import closing

import pytest

from edgeprof import resources
from tests import labgrids
from tests.contract.transport.relay import Relay
from tests.sshd import current_user, free_port

MODEL = resources.folder("device_agents") / "selftest.tflite"
SHORT = ("--launches", "2", "--runs", "100")
FROZEN = ("--launches", "3", "--runs", "200", "--reconnect", "4")


@pytest.fixture(scope="module")
def bench(cache_dir, tmp_path_factory):
    """A coordinator with a place `bench-1` tagged `board=sshd`, and `spare`, which exports nothing we can speak.

    Behind `bench-1` is a relay to a board that each test tells; its power switch thaws the relay, or cuts it.
    """
    relay = Relay(0)

    def switched(on: bool) -> None:
        relay.thaw() if on else relay.cut()

    programs = labgrids.installed(cache_dir)
    with closing(relay), labgrids.power_switch(switched) as power:
        service = {"address": "127.0.0.1", "port": relay.port, "username": current_user()}
        exported = {"one": {"NetworkService": service, "NetworkPowerPort": power}, "two": {"NetworkPowerPort": power}}
        with labgrids.running(programs, tmp_path_factory.mktemp("bench") / "labgrid", exported) as running:
            running.place("bench-1", "one", board="sshd")
            running.place("spare", "two")
            yield relay, running


@pytest.fixture
def relay(bench, board):
    relay, _ = bench
    relay.target = board.sshd.port
    return relay


@pytest.fixture
def labgrid(bench, relay, cli):
    """The coordinator, whose places are behind the test's own board, and free before and after."""
    _, running = bench
    cli.env.update(running.env, EDGEPROF_LABGRID_CLIENT=str(running.programs / "labgrid-client"))
    yield running
    relay.cut()
    relay.thaw()
    running.clear("bench-1", "spare")


@pytest.fixture
def add(cli, board):
    def as_lab(url: str, name: str = "lab"):
        return cli("device", "add", name, url, "--host-key", board.sshd.fingerprint)

    return as_lab


def test_a_place_is_a_device_like_any_other_and_free_again_after_each_command(labgrid, add, cli):
    added = add("labgrid://bench-1")
    probed = cli("device", "probe", "lab", "--json")
    done = cli("profile", MODEL, "-d", "lab", *SHORT, "--json")

    assert added.code == 0, added.err
    assert probed.code == 0, probed.err
    assert done.code == 0, done.err
    assert done.json()["items"][0]["status"] == "complete"
    assert labgrid.who("bench-1") is None


def test_any_place_with_a_tag_is_reserved_and_let_go_of(labgrid, add, cli):
    assert add("labgrid://?board=sshd").code == 0

    done = cli("device", "setup", "lab", "--json")

    assert done.code == 0, done.err
    assert labgrid.who("bench-1") is None
    assert labgrid.client("reservations") == ""


def test_a_place_that_somebody_else_has_is_waited_for_in_the_queue(labgrid, add, cli):
    assert add("labgrid://bench-1").code == 0
    labgrid.client("-p", "bench-1", "acquire", LG_USERNAME="somebody")

    waiting = cli.start("device", "probe", "lab")
    said = waiting.stderr.readline()
    labgrid.client("-p", "bench-1", "release", LG_USERNAME="somebody")
    _, err = waiting.communicate(timeout=120)

    assert "waiting in labgrid's queue: Place bench-1 is already acquired by bench/somebody" in said
    assert waiting.returncode == 0, err
    assert labgrid.who("bench-1") is None


def test_who_gives_up_waiting_leaves_the_queue(labgrid, add, cli):
    assert add("labgrid://bench-1").code == 0
    labgrid.client("-p", "bench-1", "acquire", LG_USERNAME="somebody")

    waiting = cli.start("device", "probe", "lab")
    waiting.stderr.readline()
    while not labgrid.client("reservations"):
        time.sleep(0.2)
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=60)

    assert waiting.returncode == 130
    assert labgrid.client("reservations") == ""
    assert labgrid.who("bench-1") == "bench/somebody"


def test_a_place_that_the_user_acquired_by_hand_stays_theirs(labgrid, add, cli):
    assert add("labgrid://bench-1").code == 0
    labgrid.client("-p", "bench-1", "acquire")

    done = cli("device", "probe", "lab")

    assert done.code == 0, done.err
    assert "is yours already" in done.err
    assert labgrid.who("bench-1") == "bench/me"


def test_a_host_that_is_killed_gives_its_place_back(labgrid, add, cli):
    assert add("labgrid://bench-1").code == 0
    running = cli.start("profile", MODEL, "-d", "lab", "--launches", "30", "--runs", "100")
    for line in running.stderr:
        if "provisional" in line:
            break

    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=120)

    assert labgrid.free_again("bench-1")


def test_a_board_that_hangs_is_switched_off_and_on_and_the_run_goes_on(labgrid, add, cli, relay):
    assert add("labgrid://bench-1").code == 0
    running = cli.start("profile", MODEL, "-d", "lab", *FROZEN, EDGEPROF_ANSWER_S="10")
    heard = []
    for line in running.stderr:
        heard.append(line)
        if "provisional" in line:
            break

    relay.freeze()
    out, err = running.communicate(timeout=240)

    assert running.returncode == 0, "".join(heard) + err
    assert "`lab` was switched off and on" in err
    assert "[link_lost]" in out
    assert labgrid.who("bench-1") is None


def test_what_is_no_board_is_told_so_and_nothing_stays_acquired(labgrid, add):
    for url, said in (
        ("labgrid://nowhere", "place pattern nowhere matches nothing"),
        ("labgrid://spare", "has nothing that edgeprof can speak to"),
        ("labgrid://", "must name a place, or tags, and not both"),
        ("labgrid://bench-1?via=sss", "did you mean `ssh`?"),
        (f"labgrid://bench-1?coordinator=127.0.0.1:{free_port()}", "it cannot be reached"),
    ):
        done = add(url)

        assert done.code in (1, 2)
        assert said in done.err
        assert "hint: " in done.err
    assert labgrid.who("spare") is None


def test_without_labgrids_client_its_installation_is_named(cli):
    done = cli("device", "add", "lab", "labgrid://bench-1", EDGEPROF_LABGRID_CLIENT="no-such-client")

    assert done.code == 2
    assert "pipx install labgrid" in done.err
