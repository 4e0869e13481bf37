"""A line of a given speed: what it carries, changes of speed, a line that is away for a while."""

import os
import termios
import time
from contextlib import closing
from dataclasses import replace

import pytest

from edgeprof.errors import LinkLost
from edgeprof.transport.files import push_bytes, run
from edgeprof.transport.serial import SerialTransport
from edgeprof.transport.serialconsole import Patience
from edgeprof.transport.seriallink import frames
from edgeprof.transport.serialport import open_line
from edgeprof.transport.serialpump import Deadlines
from edgeprof.transport.serialurl import parse_address
from tests.contract.transport.test_serial_login import abandon
from tests.contract.transport.uart import SHELL, Console, Uart

SHORT = Deadlines(silent_s=3, far_silent_s=6, stall_s=1.5, ping_s=0.3)
# Where the line is cut, and nothing is to be waited for.
CUT = replace(SHORT, silent_s=1.5, console=Patience(rest_s=0.2, longest_rest_s=0.8))


@pytest.fixture
def modal(home):
    """A line that keeps to the speed each end is set to, and garbles where they differ."""
    uart = Uart(by_mode=True)
    uart.set_baud(termios.B115200)
    shell = Console(uart, SHELL, home)
    yield uart
    shell.close()
    uart.close()


def connected(uart, query: str = "", deadlines: Deadlines | None = None) -> SerialTransport:
    return SerialTransport(f"serial://{uart.host}{query}", lambda _: None, deadlines)


def test_both_ends_change_to_the_fastest_speed_and_back_at_the_end(modal, home):
    data = os.urandom(100_000)
    before = modal.mode()

    with closing(connected(modal, "?baud=115200")) as way:
        assert (way.baud, way.bytes_per_s) == (921_600, 92_160)
        push_bytes(way, data, f"{home}/dest")
        assert modal.mode()[4:6] != before[4:6]
    end = time.monotonic() + 60
    while modal.mode()[4:6] != before[4:6] and time.monotonic() < end:
        time.sleep(0.05)

    assert (home / "dest").read_bytes() == data
    assert modal.mode()[4:6] == before[4:6]


def test_a_board_whose_host_died_at_a_higher_speed_says_at_the_consoles_own_that_a_link_is_there(modal):
    left = connected(modal, "?baud=115200")
    assert left.baud > 115_200
    abandon(left)

    with closing(open_line(parse_address(f"serial://{modal.host}?baud=115200"))) as line:
        heard, end = b"", time.monotonic() + 20
        while (left._pump.link.session not in sessions(heard)) and time.monotonic() < end:
            heard += line.read(0.1)

    assert left._pump.link.session in sessions(heard)


def sessions(heard: bytes) -> set[int]:
    """Return the sessions of all links whose frames were heard."""
    return {found[1] for piece in heard.split(b"\0") if piece and (found := frames.opened(piece))}


def test_a_speed_that_does_not_carry_is_given_up_for_the_next_one(modal):
    modal.highest = 500_000

    with closing(connected(modal, "?baud=115200")) as way:
        assert way.baud == 460_800
        assert run(way, ("echo", "works"), 60).stdout == b"works\n"


def test_a_line_that_carries_no_higher_speed_keeps_its_own(modal):
    modal.highest = 115_200

    with closing(connected(modal, "?baud=115200&fastest=230400")) as way:
        assert way.baud == 115_200
        assert run(way, ("echo", "works"), 60).stdout == b"works\n"


def test_a_speed_that_fails_later_is_given_up_by_both_ends(modal, home):
    data = os.urandom(20_000)
    with closing(connected(modal, "?baud=115200&fastest=230400")) as way:
        assert way.baud == 230_400

        modal.highest = 115_200

        push_bytes(way, data, f"{home}/dest")
        assert way._pump.baud == 115_200
    assert (home / "dest").read_bytes() == data


def test_a_line_that_is_away_for_a_moment_loses_nothing(console, home):
    console.baud = 230_400
    data = os.urandom(30_000)
    away = []

    def progress(done, _total):
        if done > 8000 and not away:
            away.append(done)
            console.freeze()
            time.sleep(0.5)
            console.thaw()

    with closing(connected(console, "?fastest=115200", SHORT)) as way:
        push_bytes(way, data, f"{home}/dest", progress)

    assert away
    assert (home / "dest").read_bytes() == data


def test_a_line_that_is_cut_is_a_lost_link_and_the_push_goes_on_with_the_next_connection(console, home):
    console.baud = 921_600
    data = os.urandom(50_000)

    def cut(done, _total):
        if done > 30_000:
            console.freeze()

    with closing(connected(console, "?fastest=115200", CUT)) as way, pytest.raises(LinkLost, match="is gone"):
        push_bytes(way, data, f"{home}/dest", cut)
    console.thaw()
    with closing(connected(console, "?fastest=115200", CUT)) as way:
        done = push_bytes(way, data, f"{home}/dest")

    assert done.resumed_from > 5_000
    assert (home / "dest").read_bytes() == data


@pytest.mark.parametrize("what", ["read", "wait", "write", "open"])
def test_nothing_hangs_on_a_line_that_is_cut(what, console):
    with closing(connected(console, "?fastest=115200", CUT)) as way:
        channel = way.open(("cat",))
        console.freeze()

        with pytest.raises(LinkLost, match="nothing sound was heard"):
            {
                "read": lambda: channel.read(20),
                "wait": lambda: channel.wait(20),
                "write": lambda: channel.write(bytes(1 << 20)),
                "open": lambda: run(way, ("true",), 20),
            }[what]()


def test_an_adapter_that_is_plugged_out_and_in_goes_on(console, home):
    """Its file is another device then, to which the same name leads."""
    name = home / "ttyUSB0"
    name.symlink_to(console.host)
    with closing(SerialTransport(f"serial://{name}?fastest=115200", lambda _: None, SHORT)) as way:
        assert run(way, ("echo", "1"), 60).stdout == b"1\n"

        console.unplug()
        name.unlink()
        time.sleep(0.5)
        console.plug()
        name.symlink_to(console.host)

        assert run(way, ("echo", "2"), 60).stdout == b"2\n"


@pytest.mark.parametrize("chance", [0.0003, 0.002])
def test_a_noisy_line_carries_files_unharmed(console, home, chance):
    from tests.contract.transport.serialfaults import Faults

    console.baud = 921_600
    data = os.urandom(40_000)
    with closing(connected(console, "?fastest=115200")) as way:
        console.faults = tuple(
            Faults(drop=chance / 3, flip=chance / 3, duplicate=chance / 3, seed=seed).passed for seed in (1, 2)
        )

        push_bytes(way, data, f"{home}/dest")

    assert (home / "dest").read_bytes() == data


def test_a_command_that_takes_no_input_is_given_up(console):
    with (
        closing(connected(console, "?fastest=115200", SHORT)) as way,
        closing(way.open(("sleep", "60"))) as channel,
        pytest.raises(LinkLost, match="took nothing for 1.5 s"),
    ):
        channel.write(bytes(1 << 20))


def test_a_chatty_command_costs_the_line_nothing(console):
    console.baud = 115_200
    with closing(connected(console, "?fastest=115200")) as way:
        before = console.carried[1]

        run(way, ("sh", "-c", "head -c 300000 /dev/urandom >&2; exec 2>/dev/null; sleep 0.1; true"), 60)

    assert console.carried[1] - before < 90_000
