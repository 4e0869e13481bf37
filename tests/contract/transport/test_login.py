"""Who gets in, who does not, and what is said then; and ports where no SSH server is."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edgeprof.errors import DeviceError, TransportError
from edgeprof.transport import connect, offered_key
from edgeprof.transport.files import push_bytes, run
from edgeprof.transport.ssh import SshTransport
from edgeprof.transport.sshlink import Deadlines
from tests.sshd import Sshd, current_user, free_port

ssh = pytest.mark.sshd


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", *more: str) -> Path:
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), *more]
    subprocess.run(command, check=True)
    return path


def accept(server: Sshd, *keys: Path) -> None:
    own = (server.folder / "client_key.pub").read_text()
    lines = own + "".join(Path(f"{key}.pub").read_text() for key in keys)
    (server.folder / "authorized_keys").write_text(lines)


def configure(home: Path, *lines: str) -> None:
    (home / ".ssh" / "config").write_text("Host *\n" + "".join(f"  {line}\n" for line in lines))


def enter(server: Sshd) -> bool:
    with closing(connect(server.url, host_key=server.fingerprint)) as way:
        return run(way, ("true",), 10).returncode == 0


def refused(server: Sshd) -> TransportError:
    with pytest.raises(TransportError) as caught:
        connect(server.url, host_key=server.fingerprint)
    return caught.value


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An ssh-agent of the test's own, without keys."""
    path = tmp_path_factory.mktemp("agent") / "socket"
    shown = subprocess.run(["ssh-agent", "-s", "-a", str(path)], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield path
    os.kill(int(shown.split("SSH_AGENT_PID=")[1].split(";")[0]), signal.SIGTERM)


def add(key: Path) -> None:
    subprocess.run(["ssh-add", "-q", str(key)], check=True)


@ssh
def test_without_any_key_the_hint_names_the_command(home, sshd):
    error = refused(sshd)

    user = current_user()
    assert error.message == f"127.0.0.1 does not let `{user}` in; tried: no key was found"
    assert error.hint == f"put your key there: `ssh-copy-id -p {sshd.port} {user}@127.0.0.1`; passwords are not used"


@ssh
def test_a_key_the_board_does_not_know_is_named(home, sshd):
    key = make_key(home / ".ssh" / "id_ed25519")

    assert refused(sshd).message.endswith(f"tried: {key}")


@ssh
@pytest.mark.parametrize("more", [(), ("-m", "PEM")])
def test_an_encrypted_key_is_named_with_the_way_out(home, sshd, more):
    key = make_key(home / ".ssh" / "id_rsa", "rsa", "passphrase", *more)

    assert refused(sshd).message.endswith(f"tried: {key} (encrypted: `ssh-add {key}` first)")


@ssh
def test_keys_that_cannot_be_read_are_named(home, sshd):
    for name, content in (("text", "no key"), ("empty", "")):
        (home / name).write_text(content)
    configure(home, *(f"IdentityFile ~/{name}" for name in ("text", "empty", "gone", ".ssh")))

    message = refused(sshd).message

    for words in ("text (not a private key we can read)", "empty (not a private key we can read)"):
        assert f"{home}/{words}" in message
    assert f"{home}/gone (not there)" in message
    assert f"{home}/.ssh (Is a directory)" in message


@ssh
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_usual_keys_are_tried(home, sshd, kind):
    accept(sshd, make_key(home / ".ssh" / f"id_{kind}", kind))

    assert enter(sshd)


@ssh
def test_the_agents_keys_are_tried(home, sshd, agent):
    add(sshd.client_key)

    assert enter(sshd)


@ssh
def test_an_agent_holds_the_key_that_is_encrypted_in_its_file(home, sshd, agent, tmp_path):
    key = make_key(tmp_path / "key")
    add(key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "passphrase", "-f", str(key)], check=True)
    accept(sshd, key)
    configure(home, f"IdentityFile {key}", "IdentitiesOnly yes")

    assert enter(sshd)


@ssh
def test_identities_only_leaves_the_agents_other_keys_alone(home, sshd, agent, tmp_path):
    add(sshd.client_key)
    configure(home, f"IdentityFile {make_key(tmp_path / 'other')}", "IdentitiesOnly yes")

    assert refused(sshd).message.endswith(f"tried: {tmp_path}/other")


@ssh
def test_a_key_of_a_kind_we_cannot_use_stops_no_other(home, sshd, agent, tmp_path):
    try:
        add(make_key(tmp_path / "old", "dsa"))
    except subprocess.CalledProcessError:
        pytest.skip("this OpenSSH makes no DSA keys any more")
    configure(home, f"IdentityFile {tmp_path}/old", f"IdentityFile {sshd.client_key}")

    assert enter(sshd)


@ssh
def test_a_key_file_encrypted_in_a_way_we_cannot_read_is_named(home, sshd):
    key = make_key(home / ".ssh" / "id_ed25519", "ed25519", "passphrase", "-Z", "chacha20-poly1305@openssh.com")

    assert f"tried: {key} (" in refused(sshd).message


@ssh
def test_the_agent_that_the_configuration_names_is_asked(home, sshd, agent, monkeypatch):
    add(sshd.client_key)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    configure(home, f"IdentityAgent {agent}")

    assert enter(sshd)


@ssh
def test_no_agent_is_asked_where_the_configuration_says_none(home, sshd, agent):
    add(sshd.client_key)
    configure(home, "IdentityAgent none")

    assert refused(sshd).message.endswith("tried: no key was found")


@ssh
def test_an_agent_that_is_gone_does_no_harm(home, sshd, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "gone"))
    assert refused(sshd).message.endswith(f"tried: agent at {home}/gone (it does not answer)")

    configure(home, f"IdentityFile {sshd.client_key}")
    assert enter(sshd)


@ssh
def test_too_many_keys_are_too_many_and_naming_one_helps(home, sshd, agent, tmp_path):
    for number in range(8):
        add(make_key(tmp_path / f"key{number}"))
    configure(home, f"IdentityFile {sshd.client_key}")

    error = refused(sshd)

    assert error.message.startswith(f"127.0.0.1 ended the login of `{current_user()}` after: agent ssh-ed25519")
    assert "`IdentitiesOnly yes` in `~/.ssh/config`" in error.hint
    configure(home, f"IdentityFile {sshd.client_key}", "IdentitiesOnly yes")
    assert enter(sshd)


@ssh
def test_a_board_that_wants_more_than_a_key_is_refused(running, home):
    server = running("AuthenticationMethods publickey,publickey")
    server.let_in(home)

    error = refused(server)

    assert error.message == f"127.0.0.1 wants more than a key of `{current_user()}`: publickey"
    assert error.hint == "edgeprof logs in with a key alone; make an account that allows it"


@ssh
def test_a_board_that_takes_no_keys_says_what_it_takes(running, home):
    server = running("PubkeyAuthentication no\nKbdInteractiveAuthentication yes\nPasswordAuthentication yes")
    server.let_in(home)

    error = refused(server)

    assert error.message.startswith(f"127.0.0.1 does not let `{current_user()}` in with a key, only with: ")
    assert error.hint == "allow `PubkeyAuthentication` in the board's sshd_config"


@ssh
@pytest.mark.parametrize("user", ["nobody-here", "größe", "a%2Bb", "-oProxyCommand=x"])
def test_a_user_who_is_not_there_is_not_let_in(home, sshd, user):
    sshd.let_in(home)

    with pytest.raises(TransportError, match=r"does not let `.*` in; tried: "):
        connect(f"ssh://{user}@127.0.0.1:{sshd.port}", host_key=sshd.fingerprint)


@ssh
def test_a_board_that_starts_no_more_commands_says_so(running, home):
    server = running("MaxSessions 1")
    server.let_in(home)

    with closing(connect(server.url, host_key=server.fingerprint)) as way, closing(way.open(("cat",))) as first:
        with pytest.raises(TransportError) as caught:
            way.open(("true",))

        first.write(b"still here")
        assert first.read(5) == b"still here"
    assert caught.value.message.startswith(f"the SSH server of {server.url} starts no further command: ")
    assert "`MaxSessions`" in caught.value.hint


@ssh
def test_a_start_up_file_that_prints_is_blamed_in_a_push(running, home):
    server = running("ForceCommand echo hello; cat")
    server.let_in(home)

    with closing(connect(server.url, host_key=server.fingerprint)) as way, pytest.raises(DeviceError) as caught:
        push_bytes(way, b"data", "~/dest")

    assert caught.value.message == "the board's shell said `hello` in a push"
    assert caught.value.hint == "does its start-up file print something?"


@ssh
def test_an_account_without_a_shell_is_told_apart(running, home):
    server = running("ForceCommand echo no shell here >&2; exit 1")
    server.let_in(home)

    with closing(connect(server.url, host_key=server.fingerprint)) as way, pytest.raises(DeviceError) as caught:
        push_bytes(way, b"data", "~/dest")

    assert caught.value.message == "the board's shell ended during a push: no shell here"
    assert caught.value.hint == "can you run `sh` there by hand?"


@ssh
def test_a_board_is_reached_by_ipv6(running, home):
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists() or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("this machine has no IPv6")
    server = running("ListenAddress ::1")
    configure(home, f"IdentityFile {server.client_key}")
    url = f"ssh://{current_user()}@[::1]:{server.port}"
    offered_key(url).trust(None)

    with closing(connect(url)) as way:
        assert run(way, ("true",), 10).returncode == 0
    assert (home / "config" / "known_hosts").read_text().startswith(f"[::1]:{server.port} ssh-ed25519 ")


def failed(port: int, host: str = "127.0.0.1") -> TransportError:
    with pytest.raises(TransportError) as caught:
        SshTransport(f"ssh://me@{host}:{port}", None, Deadlines(connect_s=1))
    return caught.value


def test_a_port_that_refuses_is_named(home):
    port = free_port()

    error = failed(port)

    assert error.message == f"127.0.0.1:{port} refuses connections"
    assert error.hint == "is the SSH server running there? `sudo systemctl enable --now ssh` on the board"


def test_a_host_that_is_unknown_is_named(home):
    error = failed(22, "no-such-board.invalid")

    assert error.message == "unknown host: `no-such-board.invalid`"
    assert error.hint == "is the name right, and the board in this network?"


@contextmanager
def speaking(words: bytes, *, close: bool) -> Iterator[int]:
    """A server that says a few words to whoever comes, then nothing, or goodbye."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            taken.append(sock)
            sock.sendall(words)
            if close:
                sock.recv(4096)
                sock.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for sock in taken:
        sock.close()


@pytest.mark.parametrize(
    ("words", "close"),
    [
        (b"", False),
        (b"", True),
        (b"220 mail ESMTP\r\n", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", True),
        (b"SSH-2.0-Silent\r\n", False),
        (b"SSH-1.5-Old\r\n", True),
        (b"SSH-2.0-Odd\r\n" + bytes(range(256)) * 4, True),
        (b"\xff\xfe\x00\r\n" * 50, True),
    ],
)
def test_a_port_that_is_no_ssh_server_is_told_apart(home, capfd, words, close):
    with speaking(words, close=close) as port:
        error = failed(port)

    assert error.message.startswith(f"127.0.0.1:{port} answers, but not as an SSH server does: ")
    assert len(error.message) > len(f"127.0.0.1:{port} answers, but not as an SSH server does: ")
    assert error.hint == "is that port an SSH server's, and is it not overloaded? `ssh -v` to it says more"
    assert capfd.readouterr() == ("", "")
