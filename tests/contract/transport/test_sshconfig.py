"""`~/.ssh/config` is read as OpenSSH reads it."""

import getpass
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from edgeprof.errors import HostKeyError, UsageError
from edgeprof.transport import connect, offered_key
from edgeprof.transport.files import run
from edgeprof.transport.sshconfig import login_for
from tests.sshd import current_user

ssh = pytest.mark.sshd


def configure(home: Path, text: str, name: str = "config") -> Path:
    path = home / ".ssh" / name
    path.write_text(text)
    return path


def whoami(url: str) -> str:
    offered_key(url).trust(None)
    with closing(connect(url)) as way:
        return run(way, ("id", "-un"), 10).stdout.decode().strip()


def by_openssh(home: Path, host: str, *options: str) -> dict[str, str]:
    """What the client program makes of the same file."""
    command = ["ssh", "-G", "-F", str(home / ".ssh" / "config"), *options, host]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)


@ssh
def test_an_alias_names_host_port_user_and_key(home, sshd):
    configure(
        home,
        f"Host board\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {current_user()}\n  IdentityFile {sshd.client_key}\n",
    )

    assert whoami("ssh://board") == current_user()


@ssh
def test_an_included_file_counts(home, sshd):
    configure(home, "Include conf.d/*.conf\n")
    (home / ".ssh" / "conf.d").mkdir()
    configure(
        home, f"Host board\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.client_key}\n", "conf.d/b.conf"
    )

    assert whoami(f"ssh://{current_user()}@board") == current_user()


@ssh
def test_a_jump_host_is_gone_through(home, sshd, gate):
    configure(
        home,
        f"Host board\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.client_key}\n ProxyJump gate\n"
        f"Host gate\n HostName 127.0.0.1\n Port {gate.port}\n IdentityFile {gate.client_key}\n",
    )
    offered_key("ssh://gate").trust(None)
    offered_key("ssh://board").trust(None)

    with closing(connect("ssh://board")) as way:
        seen = run(way, ("sh", "-c", "echo $SSH_CONNECTION"), 10).stdout.decode().split()
        direct = len(way._hops)

    assert seen[3] == str(sshd.port)
    assert direct == 1


@ssh
def test_a_jump_hosts_own_key_is_checked(home, sshd, gate):
    configure(
        home,
        f"Host 127.0.0.1\n IdentityFile {gate.client_key}\n"
        f"Host board\n HostName 127.0.0.1\n Port {sshd.port}\n ProxyJump {current_user()}@127.0.0.1:{gate.port}\n",
    )

    with pytest.raises(HostKeyError) as caught:
        connect("ssh://board", host_key=sshd.fingerprint)

    assert caught.value.message.startswith(f"[127.0.0.1]:{gate.port} shows a ssh-ed25519 key that is not known yet")


@ssh
def test_a_jump_host_that_cannot_reach_the_board_says_so(home, gate, dead_port):
    configure(
        home,
        f"Host board\n HostName 127.0.0.1\n Port {dead_port}\n ProxyJump gate\n"
        f"Host gate\n HostName 127.0.0.1\n Port {gate.port}\n IdentityFile {gate.client_key}\n",
    )
    offered_key("ssh://gate").trust(None)

    with pytest.raises(Exception, match=f"the jump host cannot reach 127.0.0.1:{dead_port}") as caught:
        connect("ssh://board")

    assert "is the board switched on" in caught.value.hint


@ssh
def test_a_jump_host_that_the_same_block_is_about_is_no_circle(home, sshd, gate):
    configure(
        home,
        f"Host gate\n Port {gate.port}\n IdentityFile {gate.client_key}\n"
        f"Host board\n Port {sshd.port}\n IdentityFile {sshd.client_key}\nHost *\n HostName 127.0.0.1\n ProxyJump gate\n",
    )

    for url in ("ssh://gate", "ssh://board"):
        assert whoami(url) == current_user()


def test_jump_hosts_in_a_circle_are_a_usage_error(home):
    configure(home, "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")

    with pytest.raises(UsageError) as caught:
        connect("ssh://a")

    assert caught.value.message.startswith("too many jump hosts on the way to `")
    assert "ProxyJump" in caught.value.hint


def test_without_a_configuration_the_url_is_all(home):
    login = login_for("ssh://board")

    assert (login.endpoint.host, login.endpoint.port, login.endpoint.user) == ("board", 22, getpass.getuser())
    assert login.endpoint.known_as == "board"
    assert (login.keys, login.jumps, login.agent) == ((), (), None)


def test_the_url_wins_over_the_configuration(home):
    configure(home, "Host board\n User other\n Port 1\n HostName 192.0.2.1\n IdentityFile ~/%r-%h\n")

    login = login_for("ssh://me@board:2222")

    assert (login.endpoint.host, login.endpoint.port, login.endpoint.user) == ("192.0.2.1", 2222, "me")
    assert login.keys == (f"{home}/me-192.0.2.1",)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client is installed")
@pytest.mark.parametrize(
    "text",
    [
        "Host MyBoard\n Port 1234\n",
        "Host *\n Port 7\nHost MyBoard\n Port 8\n",
        "Match user lab\n Port 77\n",
        "Match originalhost MyBoard\n Port=99\n User them\n",
        "Include sub\nPort 4321\n",
        "Host other\n Include sub\n Port 1\nHost *\n Port 2\n",
        "Host My* !MyBoard\n Port 3\n",
        'Include "two words"\n',
        "Host MyBoard\n HostName %h.example.org\n",
    ],
)
def test_the_configuration_means_what_it_means_to_openssh(home, text):
    configure(home, "Host sub\n Port 5555\n", "sub")
    configure(home, "Host MyBoard\n Port 6666\n", "two words")
    configure(home, text.replace("Include sub", f"Include {home}/.ssh/sub").replace('"two', f'"{home}/.ssh/two'))

    endpoint = login_for("ssh://lab@MyBoard").endpoint

    truth = by_openssh(home, "MyBoard", "-l", "lab")
    assert (endpoint.host.lower(), str(endpoint.port), endpoint.user) == (
        truth["hostname"].lower(),
        truth["port"],
        truth["user"],
    )


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "known_as"),
    [
        ("ssh://pi@[fe80::1%25eth0]:2222", "fe80::1%eth0", 2222, "pi", "[fe80::1%eth0]:2222"),
        ("ssh://pi@[::1]", "::1", 22, "pi", "::1"),
        ("ssh://do%40main@Board.LOCAL", "Board.LOCAL", 22, "do@main", "board.local"),
        ("ssh://a%2Fb%3Ac@board:22", "board", 22, "a/b:c", "board"),
        ("ssh://größe@board", "board", 22, "größe", "board"),
        ("ssh://pi@192.0.2.1/", "192.0.2.1", 22, "pi", "192.0.2.1"),
    ],
)
def test_urls_name_every_kind_of_host_and_user(home, url, host, port, user, known_as):
    endpoint = login_for(url).endpoint

    assert (endpoint.host, endpoint.port, endpoint.user, endpoint.known_as) == (host, port, user, known_as)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ssh://", "`ssh://` names no host"),
        ("ssh://pi@", "`ssh://pi@` names no host"),
        ("ssh://board:port", "not a board's URL: `ssh://board:port`"),
        ("ssh://board:99999", "not a board's URL: `ssh://board:99999`"),
        ("ssh://[::1", "not a board's URL: `ssh://[::1`"),
        ("ssh://pi:secret@board", "the URL of `board` holds a password"),
        ("ssh://a%0AProxyCommand%20x@board", "not a board's URL"),
        ("ssh://-oProxyCommand=x", "not a board's URL"),
    ],
)
def test_a_url_that_is_none_says_what_to_write(home, url, message):
    with pytest.raises(UsageError) as caught:
        connect(url)

    assert caught.value.message.startswith(message)
    assert "write ssh://user@host or ssh://user@host:2222" in caught.value.hint
    assert "secret" not in caught.value.message


def test_a_password_is_not_repeated(home):
    with pytest.raises(UsageError) as caught:
        login_for("ssh://pi:secret@board:22")

    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    "text", ["Host board\n Port many\n", "Match\n", "Match exec\n", 'Host "board\n', "Include 'x\n"]
)
def test_a_configuration_that_cannot_be_read_is_a_usage_error(home, text):
    configure(home, text)

    with pytest.raises(UsageError, match=r"~?/\.ssh/config|is not a number"):
        login_for("ssh://board")


def test_a_configuration_that_is_a_circle_of_files_ends(home):
    configure(home, "Include config\nHost board\n Port 5\n")

    assert login_for("ssh://board").endpoint.port == 5


def test_a_proxy_command_is_refused_and_a_jump_host_advised(home):
    configure(home, "Host board\n ProxyCommand nc %h %p\n")

    with pytest.raises(UsageError) as caught:
        connect("ssh://board")

    assert caught.value.message == "`ProxyCommand` for `board` is not supported"
    assert caught.value.hint == "use `ProxyJump` in `~/.ssh/config`"


@pytest.mark.parametrize(
    ("setting", "socket"),
    [
        ("none", None),
        ("~/agent", "{home}/agent"),
        ("SSH_AUTH_SOCK", "/env"),
        ("$OTHER", "/other"),
        ("${OTHER}", "/other"),
    ],
)
def test_the_agents_socket_is_the_configurations(home, monkeypatch, setting, socket):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/env")
    monkeypatch.setenv("OTHER", "/other")
    configure(home, f"Host board\n IdentityAgent {setting}\n")

    assert login_for("ssh://board").agent == (socket and socket.format(home=home))
    assert login_for("ssh://elsewhere").agent == "/env"


@pytest.fixture
def dead_port():
    from tests.sshd import free_port

    return free_port()
