"""Consoles as they are found: gettys, shells, boards that boot, links left behind, lines that lose bytes."""

import os
import signal
import time
import tty
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprof.errors import LinkLost, TransportError, UsageError
from edgeprof.transport import connect, offered_key
from edgeprof.transport.files import push_bytes, run
from edgeprof.transport.serial import SerialTransport
from edgeprof.transport.serialconsole import Patience
from edgeprof.transport.seriallink import frames
from edgeprof.transport.seriallogin import PASSWORD_VARIABLE
from edgeprof.transport.serialpump import Deadlines
from tests.contract.transport.uart import SHELL, Console, getty

SHORT = Deadlines(silent_s=1.5, far_silent_s=1.5, stall_s=2, ping_s=0.3)
# For shells, which answer at once; a `login` that is slow to ask for a password needs the usual patience.
QUICK = Deadlines(
    console=Patience(rest_s=0.2, longest_rest_s=0.8, listen_s=0.6, verdict_s=1.5, prompt_stays_s=1),
)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def at(uart, home):
    """Put something at the board's end of the line."""
    consoles = []

    def put(argv, **env) -> Console:
        consoles.append(Console(uart, argv, home, **env))
        return consoles[-1]

    yield put
    for console in consoles:
        console.close()


@pytest.fixture
def way(uart, said):
    """Connect to whatever is there."""

    def to(user: str = "", query: str = "fastest=115200&wait=20", deadlines: Deadlines | None = None):
        return SerialTransport(f"serial://{user}{uart.host}?{query}", said.append, deadlines)

    return to


def works(transport) -> bool:
    return run(transport, ("echo", "works"), 60).stdout == b"works\n"


def hears(uart, text: bytes, typed: bytes = b"\r", timeout_s: float = 8) -> bytes:
    """Type at the console by hand, and return what it says up to a text."""
    host = os.open(uart.host, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        heard, end, again_at = b"", time.monotonic() + timeout_s, 0.0
        while text not in heard and time.monotonic() < end:
            if time.monotonic() > again_at:
                os.write(host, typed)
                again_at = time.monotonic() + 0.5
            time.sleep(0.05)
            try:
                heard += os.read(host, 4096)
            except BlockingIOError:
                continue
        return heard
    finally:
        os.close(host)


def assert_same(mode: list, uart) -> None:
    """The terminal's mode is what it was; a shell's line editor sets it a moment after it prints."""
    end = time.monotonic() + 5
    while uart.mode() != mode and time.monotonic() < end:
        time.sleep(0.05)
    assert uart.mode() == mode


def test_a_getty_lets_in_who_has_the_password_and_is_back_afterwards(at, way, uart, home, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    console = at(getty(uart, home))
    assert b"login:" in hears(uart, b"login:")
    before = uart.mode()

    with closing(way("edge@")) as transport:
        assert works(transport)

    assert b"login:" in hears(uart, b"login:")
    assert_same(before, uart)
    # The login shell is gone, and init started another getty; on a slow machine `login` may have given up once as well.
    assert console.started >= 2


def test_a_wrong_password_is_refused_with_the_next_step(at, way, uart, home, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    at(getty(uart, home))

    with pytest.raises(TransportError) as caught:
        way("edge@")

    assert caught.value.message.endswith("does not let `edge` in: wrong name or password")
    assert PASSWORD_VARIABLE in caught.value.hint


def test_without_a_user_a_getty_says_where_to_write_one(at, way, uart, home):
    at(getty(uart, home))

    with pytest.raises(TransportError, match="asks who logs in") as caught:
        way()

    assert caught.value.hint == f"write the user's name into the URL: serial://USER@{uart.host}"


def test_a_password_that_nobody_can_be_asked_for_is_an_error(at, way, uart, home, monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    at(getty(uart, home))

    with pytest.raises(TransportError, match="asks for the password of `edge`") as caught:
        way("edge@")

    assert PASSWORD_VARIABLE in caught.value.hint


@pytest.mark.parametrize(
    ("shell", "prompt"),
    [
        (SHELL, r"\u@\h:\w\$ "),
        (SHELL, r"\[\e[32m\]board\[\e[0m\] ~ \n-> "),
        (SHELL, "nothing known: "),
        (["dash", "-i"], "$ "),
        (["busybox", "sh", "-i"], "/ # "),
    ],
    ids=["bash", "colours and two lines", "an odd prompt", "dash", "busybox"],
)
def test_a_shell_that_is_there_already_is_used_and_left_as_it_was(shell, prompt, at, way, uart):
    import shutil

    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    console = at(shell, PS1=prompt)
    assert b"here-42" in hears(uart, b"here-42", b"echo here-$((6*7))\r")
    before = uart.mode()

    with closing(way()) as transport:
        assert works(transport)

    assert b"still-42-here" in hears(uart, b"still-42-here", b"echo still-$((6*7))-here\r")
    assert_same(before, uart)
    assert console.started == 1


@pytest.mark.parametrize("left", [b'echo "$(cat <<X\r', b"\x13"], ids=["within quotes", "stopped by XOFF"])
def test_a_shell_that_an_earlier_visit_or_noise_left_in_the_middle_of_something_is_used(left, at, way, uart):
    at(SHELL)
    hears(uart, b"bash-")
    hears(uart, b"never said", left, timeout_s=0.4)

    with closing(way(deadlines=QUICK)) as transport:
        assert works(transport)


def test_a_program_that_somebody_runs_there_is_left_alone_and_named(at, way, uart):
    at(["cat"])

    with pytest.raises(TransportError, match="echoes and says nothing") as caught:
        way(query="fastest=115200&wait=1", deadlines=QUICK)

    assert "Ctrl-C" in caught.value.hint


def test_messages_of_the_kernel_amid_login_and_work_do_no_harm(at, way, uart, home, monkeypatch):
    import threading

    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    at(getty(uart, home))
    talkative = Patience(listen_s=0.8, verdict_s=1.5)  # it never rests, so that both waits are whole ones
    ends = threading.Event()

    def speak() -> None:
        while not ends.wait(0.4):
            uart.say(b"[   12.345678] usb 1-1: new high-speed USB device number 4\r\n")

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        with closing(way("edge@", "fastest=115200&wait=60", Deadlines(console=talkative))) as transport:
            data = os.urandom(60_000)
            push_bytes(transport, data, f"{home}/dest")
    finally:
        ends.set()
        speaker.join()

    assert (home / "dest").read_bytes() == data


def test_a_board_that_boots_is_waited_for_and_not_interrupted(at, way, uart, home, said):
    """The boot loader of this one stops if anything is typed."""
    boot = home / "boot.py"
    boot.write_text(
        "import os, select, sys, time, tty\ntty.setraw(0)\n"
        "say = lambda text: os.write(1, text.encode())\n"
        "say('U-Boot 2024.01\\r\\nHit any key to stop autoboot:  3')\n"
        "for left in (2, 1, 0):\n"
        "    if select.select([0], [], [], 0.3)[0]: say('\\r\\n=> '); time.sleep(600)\n"
        "    say('\\b\\b\\b %d ' % left)\n"
        "for number in range(16): say('\\r\\n[    %d.000000] driver %d is up' % (number, number)); time.sleep(0.1)\n"
        "os.system('stty sane'); say('\\r\\n')\n"
        "os.execlp('bash', 'bash', '--norc', '--noprofile', '-i')\n"
    )
    at(["python3", str(boot)])

    with closing(way(deadlines=Deadlines(console=Patience(listen_s=0.7)))) as transport:
        assert works(transport)

    assert "the board is about to boot" in said
    assert any(text.startswith("the board is booting: ") for text in said)


def test_a_board_that_starts_anew_under_a_link_is_told_by_its_text_and_not_interrupted(at, way, uart, home):
    """The boot loader of this one stops too, and a link asks for signs of life; then there is a login."""
    boot = home / "boot.py"
    boot.write_text(
        "import os, select, termios, time, tty\n"
        "say = lambda text: os.write(1, text.encode())\n"
        "say('\\r\\nU-Boot 2024.01 (Jan 01 2024)\\r\\n\\r\\nDRAM:  1 GiB\\r\\n'); time.sleep(0.5); tty.setraw(0)\n"
        "say('Hit any key to stop autoboot:  3')\n"
        "for left in (2, 1, 0):\n"
        "    if select.select([0], [], [], 0.5)[0]: say('\\r\\n=> '); time.sleep(600)\n"
        "    say('\\b\\b\\b %d ' % left)\n"
        "for number in range(4): say('\\r\\n[    %d.000000] driver %d is up' % (number, number)); time.sleep(0.1)\n"
        "os.system('stty sane'); say('\\r\\nDebian 12 board\\r\\n\\r\\nboard login: '); input()\n"
        "os.execlp('bash', 'bash', '--norc', '--noprofile', '-i')\n"
    )
    patience = Deadlines(ping_s=0.2, console=replace(QUICK.console, countdown_s=3.0))  # ticks may come late
    console = at(SHELL)
    with closing(way(deadlines=patience)) as transport:
        assert works(transport)

        console.close()
        at(["python3", str(boot)])
        with pytest.raises(LinkLost, match="the board has started anew"):
            run(transport, ("sleep", "30"), 60)

    with closing(way("edge@", deadlines=QUICK)) as transport:
        assert works(transport)


def test_a_board_in_its_boot_loader_is_named(at, way, home):
    at(["sh", "-c", "while :; do printf '=> '; read -r line; done"])

    with pytest.raises(TransportError, match="stands in its boot loader"):
        way()


def test_a_silent_line_is_an_error_that_says_what_to_look_at(way, uart):
    with Path(uart.board).open("rb", buffering=0) as board:
        tty.setraw(board)  # nothing echoes
    with pytest.raises(TransportError) as caught:
        way(query="wait=1", deadlines=QUICK)

    assert caught.value.message == f"nothing is heard on serial://{uart.host}?wait=1 in 1 s"
    assert "TX and RX" in caught.value.hint


def test_noise_is_an_error_that_says_what_to_look_at(at, way):
    at(["sh", "-c", "while :; do head -c 200 /dev/urandom; sleep 0.1; done"])

    with pytest.raises(TransportError, match="is no text") as caught:
        way(query="wait=1", deadlines=QUICK)

    assert "?baud=" in caught.value.hint


def test_a_board_without_python_is_told_so(at, way, home):
    (home / "bin").mkdir()
    for name in ("sh", "bash"):
        (home / "bin" / name).symlink_to(f"/bin/{name}")
    at(["/bin/bash", "--norc", "--noprofile", "-i"], PATH=f"{home}/bin")

    from edgeprof.errors import DeviceError

    with pytest.raises(DeviceError, match="no Python 3"):
        way()


def test_an_upload_that_loses_bytes_is_done_again(at, way, uart):
    at(SHELL)
    lost = []

    def fault(data: bytes) -> bytes:
        if uart.carried[0] > 3000 and len(lost) < 2 and len(data) > 10:
            lost.append(data[5])
            return data[:5] + data[6:]
        return data

    uart.baud = 500_000
    uart.faults = (fault, None)

    with closing(way()) as transport:
        assert works(transport)

    assert len(lost) == 2


def test_a_line_that_eats_a_character_is_an_error(at, way, uart):
    """Such as a console server with an escape character: the program passes as text, but frames need every byte."""
    at(SHELL)
    uart.faults = (lambda data: data.replace(b"\x01", b""), None)

    with pytest.raises(TransportError, match="started, but no frame of it gets through"):
        way(deadlines=replace(SHORT, far_silent_s=0.8, first_frame_s=0.6))


def test_a_host_that_dies_leaves_the_console_to_the_next_one(at, way):
    console = at(SHELL)
    abandon(way())

    with closing(way(query="fastest=115200&wait=90", deadlines=QUICK)) as again:  # the far end by itself waits 25 s
        assert works(again)

    assert console.started == 1


def test_a_link_left_behind_is_told_to_end_once_for_the_shell_after_it_takes_frames_for_keys(at, way, uart):
    at(SHELL)
    left = way()
    session = left._pump.link.session
    abandon(left)
    heard = bytearray()

    def listen(data: bytes) -> bytes:
        heard.extend(data)
        return data

    uart.faults = (listen, None)
    with closing(way(query="fastest=115200&wait=90", deadlines=QUICK)) as again:
        assert works(again)

    whole = [found for piece in bytes(heard).split(b"\0") if piece and (found := frames.opened(piece))]
    assert [found[0] for found in whole if found[1] == session] == [frames.QUIT]


def test_a_far_end_that_was_killed_while_nobody_listened_leaves_the_console_to_the_next_host(at, way):
    """What keeps frames from the shell there answers every frame, and waits as long as any comes."""
    at(SHELL)
    left = way()
    child = int(run(left, ("sh", "-c", "echo $PPID"), 10).stdout)
    abandon(left)
    os.kill(child, signal.SIGKILL)

    with closing(way(query="fastest=115200&wait=30", deadlines=QUICK)) as again:
        assert works(again)


def abandon(transport: SerialTransport) -> None:
    """Let go of the line without a word, as a killed process does."""
    pump = transport._pump
    with pump.changed:
        pump._closing = True
        pump.changed.notify_all()
    for thread in pump._threads:
        thread.join()
    pump._line.close()


def test_a_far_end_that_hears_nothing_gives_the_console_back(at, way, uart):
    at(SHELL)
    assert b"here-42" in hears(uart, b"here-42", b"echo here-$((6*7))\r")
    before = uart.mode()
    abandon(way(deadlines=SHORT))

    time.sleep(SHORT.far_silent_s + 0.5)

    assert b"back-42" in hears(uart, b"back-42", b"echo back-$((6*7))\r")
    assert_same(before, uart)


def test_a_far_end_that_is_killed_says_so_and_gives_the_console_back(at, way, uart, tmp_path):
    at(SHELL)
    with closing(way(deadlines=SHORT)) as transport:
        child = int(run(transport, ("sh", "-c", "echo $PPID"), 10).stdout)
        os.kill(child, signal.SIGKILL)

        with pytest.raises(LinkLost, match="died of signal 9"):
            run(transport, ("sleep", "20"), 20)

    assert b"back-42" in hears(uart, b"back-42", b"echo back-$((6*7))\r", 12)


def test_a_command_that_is_let_go_of_as_it_ends_leaves_the_link_alone(at, way):
    """A far end that had no time meanwhile, as on a starved board, finds both at one look."""
    at(SHELL)
    with closing(way()) as transport:
        far = int(run(transport, ("sh", "-c", "echo $PPID"), 60).stdout)
        channel = transport.open(("sh", "-c", "echo $$; exec sleep 600"))
        pid = int(channel.read(60))
        os.kill(far, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        channel.close()
        time.sleep(0.5)

        os.kill(far, signal.SIGCONT)

        assert works(transport)


def test_commands_end_with_the_link(at, way, tmp_path):
    at(SHELL)
    with closing(way()) as transport:
        started = transport.open(("sh", "-c", "echo $$; exec sleep 600"))
        pid = int(started.read(10))

    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("serial://dev/ttyUSB0", "not a serial console"),
        ("serial:///dev/ttyUSB0?bauds=9600", "unknown option `bauds`"),
        ("serial:///dev/ttyUSB0?baud=fast", "`baud=fast`"),
        ("serial:///dev/ttyUSB0?wait=0", "`wait=0`"),
        ("serial:///dev/ttyUSB0?silent=0", "`silent=0`"),
        ("socket://host", "not a serial console"),
        ("socket://host:99999", "not a URL"),
        ("rfc2217://:1", "not a serial console"),
    ],
)
def test_a_url_that_cannot_be_is_refused(url, message):
    for what in (connect, offered_key):
        with pytest.raises(UsageError) as caught:
            what(url)

        assert message in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("serial:///dev/no-such-port", "there is no serial port `/dev/no-such-port`"),
        ("serial:///dev/null", "cannot open `/dev/null`"),
        ("socket://127.0.0.1:1", "refuses connections"),
        ("socket://no-such-host.invalid:1", "unknown host"),
        ("rfc2217://127.0.0.1:1", "cannot open"),
    ],
)
def test_a_port_that_cannot_be_opened_is_named(url, message):
    with pytest.raises(TransportError, match=message) as caught:
        connect(url)

    assert caught.value.hint


def test_a_port_in_use_is_named(at, way, uart):
    at(SHELL)
    with closing(way()), pytest.raises(TransportError, match="in use by another program"):
        way()
