"""Virtual boards at their UART: a real getty, login and agent without a network."""

import json
import time

import pytest

from edgeprof import lab, resources
from edgeprof.transport.seriallogin import PASSWORD_VARIABLE
from tests.boards.conftest import Standing, begun, nobody_is_left
from tests.contract.transport.relay import Relay
from tests.sshd import free_port

MODEL = resources.folder("device_agents") / "selftest.tflite"


@pytest.fixture
def password(cli):
    """The console's password, where the command line looks for it."""
    cli.env[PASSWORD_VARIABLE] = lab.PASSWORD


def test_a_board_without_a_network_says_what_it_is(add, cli, password):
    add("serial-only")

    probed = cli("device", "probe", "board", "--json")

    assert probed.code == 0, probed.err
    said = probed.json()["items"][0]["probe"]
    assert said["lab"]["board"] == "serial-only"


def test_a_wrong_password_is_an_error_and_no_traceback(add, cli):
    add("serial-only")

    done = cli("device", "probe", "board", **{PASSWORD_VARIABLE: "wrong"})

    assert done.code == 1
    assert "does not let `edge` in: wrong name or password" in done.err


@pytest.fixture
def relayed(standing, add_standing, cli, password):
    """`board` at its console, behind a relay. It was set up over SSH: a virtual UART carries 14 KB/s.

    What is sent to a board that is off does not get to it: QEMU 7.2 would keep it for the one that boots, whose UART may
    then hear nothing any more. A second try gets another board.
    """
    board = add_standing("cortex-a72", "near")
    setup = cli("device", "setup", "near")
    assert setup.code == 0, setup.err
    relay = Relay(board.serial_port)
    added = cli("device", "add", "board", f"socket://edge@127.0.0.1:{relay.port}?wait=120&silent=10")
    assert added.code == 0, added.err
    yield relay
    standing.close()
    relay.close()


def cut_off(relay: Relay, standing: Standing) -> None:
    """Lose what is sent from now on; a moment later, when the board has taken what was before, it stands still."""
    relay.freeze(lose=True)
    time.sleep(1)
    standing.switch(on=False)


def test_a_board_that_is_reset_at_its_console_keeps_what_finished_and_one_that_is_waited_for_goes_on(
    relayed, standing, cli
):
    asked = ("profile", MODEL, "-d", "local", "-d", "board", "-k", "3", "--runs", "20", "--no-energy")
    port = relayed.target

    gone = begun(cli, *asked, "--reconnect", "1")
    cut_off(relayed, standing)
    relayed.target = free_port()  # its console server is away as well
    relayed.cut()
    relayed.thaw()
    _, err = gone.communicate(timeout=600)
    before = {run["device"]: run for run in cli("run", "list", "--json").json()["items"]}
    relayed.target = port
    standing.switch(on=True)
    standing.qemu.await_boot()
    nobody_is_left(standing.qemu)

    resumed = begun(cli, *asked, "--resume", "--json")
    cut_off(relayed, standing)  # as an adapter does that the board feeds
    for line in resumed.stderr:
        if "is away" in line:
            break
    relayed.thaw()
    standing.switch(on=True)
    out, said = resumed.communicate(timeout=600)
    standing.qemu.await_boot()

    assert gone.returncode == 1
    assert "error: `board` did not come back: " in err
    assert "hint: what finished is stored" in err
    assert {device: run["status"] for device, run in before.items()} == {"local": "complete", "board": "interrupted"}
    assert 1 <= before["board"]["n_launches"] < 3
    assert resumed.returncode == 0, said
    document = json.loads(out)
    assert document["taken"] == [before["local"]["run_id"]]
    run = document["items"][1]
    assert (run["device"], run["status"]) == ("board", "complete")
    assert "link_lost" in [warning["code"] for warning in run["warnings"]]
    assert "Traceback" not in err + said
    nobody_is_left(standing.qemu)
