"""Links that are frozen or cut: an error that says so, never a hang, and a way on."""

import os
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from edgeprof.errors import LinkLost, TransportError
from edgeprof.transport.files import Pushed, pull_bytes, push_bytes, run
from edgeprof.transport.ssh import SshTransport
from tests.contract.transport.conftest import SHORT
from tests.contract.transport.relay import Relay
from tests.sshd import current_user

pytestmark = pytest.mark.sshd

# Far below the deadlines that a user has, far above those of these tests.
AT_ONCE_S = 20


def assert_lost(error: LinkLost) -> None:
    assert "the link to ssh://" in error.message
    assert "is gone: " in error.message
    assert not error.message.endswith("is gone: ")
    assert error.hint == "what finished is stored; run it again"


def harm(relay: Relay, what: str, after_s: float = 0.2) -> threading.Timer:
    timer = threading.Timer(after_s, getattr(relay, what))
    timer.start()
    return timer


@pytest.mark.parametrize("what", ["cut", "freeze"])
def test_a_read_on_a_dead_link_ends(relayed, relay, what):
    with closing(relayed()) as way, closing(way.open(("sleep", "60"))) as channel:
        harm(relay, what)

        with pytest.raises(LinkLost) as caught:
            channel.read(AT_ONCE_S)

    assert_lost(caught.value)


@pytest.mark.parametrize("what", ["cut", "freeze"])
def test_waiting_on_a_dead_link_ends(relayed, relay, what):
    with closing(relayed()) as way, closing(way.open(("sleep", "60"))) as channel:
        harm(relay, what)

        with pytest.raises(LinkLost) as caught:
            channel.wait(AT_ONCE_S)

    assert_lost(caught.value)


@pytest.mark.parametrize("what", ["cut", "freeze"])
def test_writing_to_a_dead_link_ends(relayed, relay, what):
    with closing(relayed()) as way, closing(way.open(("sh", "-c", "cat > /dev/null"))) as channel:
        harm(relay, what)

        with pytest.raises(LinkLost) as caught:
            channel.write(bytes(400 << 20))

    assert_lost(caught.value)


@pytest.mark.parametrize("what", ["cut", "freeze"])
def test_a_command_started_on_a_dead_link_fails(relayed, relay, what):
    with closing(relayed()) as way:
        getattr(relay, what)()

        with pytest.raises(LinkLost) as caught:
            way.open(("true",))

    assert_lost(caught.value)


def test_running_and_pulling_over_a_cut_link_fail_as_such(relayed, relay, tmp_path):
    (tmp_path / "there").write_bytes(bytes(20_000_000))
    with closing(relayed()) as way:
        relay.cut_after(5_000_000)
        with pytest.raises(LinkLost) as caught:
            pull_bytes(way, f"{tmp_path}/there")
        assert_lost(caught.value)

        with pytest.raises(LinkLost) as caught:
            run(way, ("true",), 60)
        assert_lost(caught.value)


def test_a_push_goes_on_over_a_new_connection_after_a_cut(relayed, relay, tmp_path):
    data, dest = os.urandom(20_000_000), tmp_path / "dest"
    with closing(relayed()) as way:
        relay.cut_after(12_000_000)
        with pytest.raises(LinkLost) as caught:
            push_bytes(way, data, str(dest))
    assert_lost(caught.value)
    assert not dest.exists()
    wait_for_end_of_writing(tmp_path)

    with closing(relayed()) as way:
        done = push_bytes(way, data, str(dest))

    assert done.resumed_from > 1_000_000
    assert done.bytes_sent + done.resumed_from == len(data)
    assert dest.read_bytes() == data
    assert relay.connections == 2


def wait_for_end_of_writing(folder) -> None:
    """The board writes what had arrived, a moment longer than we know of."""
    sizes = [-1, -2]
    while sizes[-1] != sizes[-2]:
        time.sleep(0.1)
        sizes.append(sum(path.stat().st_size for path in folder.iterdir() if path.is_file()))


def test_a_push_over_a_frozen_link_ends_and_can_be_done_again(relayed, relay, tmp_path):
    data, dest = os.urandom(20_000_000), tmp_path / "dest"
    with closing(relayed()) as way, pytest.raises(LinkLost) as caught:
        push_bytes(way, data, str(dest), lambda done, _total: done > 5_000_000 and relay.freeze())
    assert_lost(caught.value)
    relay.cut()
    relay.thaw()
    wait_for_end_of_writing(tmp_path)

    with closing(relayed()) as way:
        push_bytes(way, data, str(dest))

    assert dest.read_bytes() == data


def test_a_short_pause_is_no_lost_link(relayed, relay):
    with closing(relayed()) as way, closing(way.open(("cat",))) as channel:
        relay.freeze()
        harm(relay, "thaw", 0.5)

        channel.write(b"patience")

        assert channel.read(60) == b"patience"


def test_a_quiet_command_is_no_lost_link(relayed):
    quiet_s = 1.4 * SHORT.silent_s

    with closing(relayed()) as way:
        done = run(way, ("sh", "-c", f"sleep {quiet_s}; echo done"), 60)

    assert done.stdout == b"done\n"


@pytest.fixture
def behind_gate(let_in, relay, gate, home):
    """The URL of a board that the relay may hide (`slow="board"`), or whose jump host it may."""
    from edgeprof.transport import offered_key

    def build(slow: str) -> str:
        ports = {"board": let_in.port, "gate": gate.port}
        if slow == "gate":
            relay.target = ports["gate"]
        ports[slow] = relay.port
        (home / ".ssh" / "config").write_text(
            f"Host gate\n HostName 127.0.0.1\n Port {ports['gate']}\n IdentityFile {gate.client_key}\n"
            f"Host board\n HostName 127.0.0.1\n Port {ports['board']}\n IdentityFile {let_in.client_key}\n ProxyJump gate\n"
        )
        offered_key("ssh://gate").trust(None)
        return f"ssh://{current_user()}@board"

    return build


def test_a_board_lost_behind_a_jump_host_is_found(let_in, relay, behind_gate):
    way = SshTransport(behind_gate("board"), let_in.fingerprint, SHORT)
    with closing(way), closing(way.open(("sleep", "60"))) as channel:
        relay.freeze()

        with pytest.raises(LinkLost) as caught:
            channel.read(AT_ONCE_S)

    assert_lost(caught.value)
    assert caught.value.message.startswith(
        "the link to ssh://" + current_user() + "@board is gone: nothing was heard for"
    )


def test_a_jump_host_that_is_lost_is_named(let_in, relay, behind_gate):
    way = SshTransport(behind_gate("gate"), let_in.fingerprint, SHORT)
    with closing(way), closing(way.open(("sleep", "60"))) as channel:
        relay.cut()

        with pytest.raises(LinkLost) as caught:
            channel.read(AT_ONCE_S)

    assert_lost(caught.value)
    assert "is gone: its jump host is gone: it was closed or cut" in caught.value.message


def test_a_jump_host_is_alive_while_nothing_comes_through_it(let_in, behind_gate):
    way = SshTransport(behind_gate("board"), let_in.fingerprint, SHORT)
    with closing(way):
        done = run(way, ("sh", "-c", f"sleep {1.4 * SHORT.silent_s}; echo done"), 60)

    assert done.stdout == b"done\n"


def test_a_link_that_freezes_in_the_handshake_ends(relayed, relay):
    relay.freeze()

    with pytest.raises(TransportError, match="answers, but not as an SSH server does"):
        relayed(replace(SHORT, connect_s=2))


def test_a_command_that_takes_no_input_is_given_up(relayed):
    with closing(relayed()) as way, closing(way.open(("sleep", "60"))) as channel, pytest.raises(LinkLost) as caught:
        channel.write(bytes(16 << 20))

    assert caught.value.message.endswith("is gone: the command there took nothing for 2 s")


def test_many_commands_share_one_connection(relayed, relay):
    with closing(relayed()) as way:
        for _ in range(5):
            run(way, ("true",), 60)
        done = push_bytes(way, b"data", "~/one-connection")

    assert relay.connections == 1
    assert done == Pushed(4, 4) or done.skipped
