"""Virtual boards at their UART: a real getty, login and agent without a network."""

import pytest

from edgeprof import lab
from edgeprof.transport.seriallogin import PASSWORD_VARIABLE


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
