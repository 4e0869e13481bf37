"""A board is who it should be, or nobody is logged in to."""

import base64
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from edgeprof.errors import HostKeyError
from edgeprof.transport import connect, offered_key
from tests.sshd import Sshd

pytestmark = pytest.mark.sshd


@pytest.fixture(autouse=True)
def _let_in(home: Path, sshd: Sshd) -> None:
    sshd.let_in(home)


def public(server: Sshd) -> str:
    return " ".join((server.folder / "host_key.pub").read_text().split()[:2])


def other_key(tmp_path: Path, kind: str = "ed25519") -> str:
    path = tmp_path / f"other_{kind}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def know(home: Path, *lines: str) -> Path:
    path = home / ".ssh" / "known_hosts"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def works(server: Sshd, **kwargs) -> bool:
    with closing(connect(server.url, **kwargs)):
        return True


def refused(server: Sshd, **kwargs) -> HostKeyError:
    with pytest.raises(HostKeyError) as caught:
        connect(server.url, **kwargs)
    return caught.value


def test_an_unknown_key_is_shown_and_refused(sshd):
    error = refused(sshd)

    known_as, shown = f"[127.0.0.1]:{sshd.port}", sshd.fingerprint
    assert error.message == f"{known_as} shows a ssh-ed25519 key that is not known yet: {shown}"
    assert error.hint == f"if that is your board: `edgeprof device add NAME URL --host-key {shown}`"


def test_a_key_that_is_offered_says_what_it_is(sshd):
    key = offered_key(sshd.url)

    assert (key.type, key.sha256, key.known) == ("ssh-ed25519", sshd.fingerprint, False)


def test_a_trusted_key_is_known_from_then_on(sshd, home):
    offered_key(sshd.url).trust(None)

    assert works(sshd)
    assert offered_key(sshd.url).known
    assert (home / "config" / "known_hosts").read_text() == f"[127.0.0.1]:{sshd.port} {public(sshd)}\n"
    assert not (home / ".ssh" / "known_hosts").exists()


def test_trusting_twice_writes_one_line(sshd, home):
    offered_key(sshd.url).trust(None)
    offered_key(sshd.url).trust(sshd.fingerprint)

    assert len((home / "config" / "known_hosts").read_text().splitlines()) == 1


def test_a_key_is_trusted_by_its_fingerprint(sshd):
    offered_key(sshd.url).trust(sshd.fingerprint)

    assert works(sshd)


def test_a_key_is_not_trusted_by_another_fingerprint(sshd, home):
    with pytest.raises(HostKeyError) as caught:
        offered_key(sshd.url).trust("SHA256:other")

    assert caught.value.message == f"127.0.0.1 shows the key {sshd.fingerprint}, not SHA256:other"
    assert caught.value.hint.startswith("is it another board, or was it set up anew?")
    assert not (home / "config" / "known_hosts").exists()


def test_a_pinned_key_needs_no_known_hosts(sshd):
    assert works(sshd, host_key=sshd.fingerprint)


def test_another_key_than_the_pinned_one_is_refused(sshd):
    error = refused(sshd, host_key="SHA256:other")

    assert error.message == f"127.0.0.1 shows the key {sshd.fingerprint}, not SHA256:other"
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in error.hint


def test_the_users_own_known_hosts_count(sshd, home):
    know(home, f"[127.0.0.1]:{sshd.port} {public(sshd)} a comment")

    assert works(sshd)
    assert offered_key(sshd.url).known


def test_a_hashed_name_is_known(sshd, home):
    path = know(home, f"[127.0.0.1]:{sshd.port} {public(sshd)}")
    subprocess.run(["ssh-keygen", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "127.0.0.1" not in path.read_text()

    assert works(sshd)


def test_a_key_known_for_the_host_at_another_port_is_known(sshd, home):
    know(home, f"127.0.0.1 {public(sshd)}")

    assert works(sshd)


def test_another_server_of_the_same_host_is_no_changed_key(sshd, home, tmp_path):
    know(home, f"127.0.0.1 {other_key(tmp_path)}")

    assert "not known yet" in refused(sshd).message
    offered_key(sshd.url).trust(None)
    assert works(sshd)


def test_patterns_are_known_and_exceptions_are_not(sshd, home):
    know(home, f"[127.0.0.?]:* {public(sshd)}")
    assert works(sshd)

    know(home, f"[127.0.0.?]:*,![127.0.0.1]:* {public(sshd)}")
    assert "not known yet" in refused(sshd).message


def test_a_changed_key_is_refused_and_the_place_of_the_old_one_named(sshd, home, tmp_path):
    path = know(home, "# mine", f"[127.0.0.1]:{sshd.port} {other_key(tmp_path)}")

    error = refused(sshd)

    assert error.message == f"[127.0.0.1]:{sshd.port} shows another ssh-ed25519 key than before: {sshd.fingerprint}"
    assert f"{path} line 2" in error.hint
    assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}' -f FILE" in error.hint
    with pytest.raises(HostKeyError, match="shows another ssh-ed25519 key than before"):
        offered_key(sshd.url).trust(None)


def test_one_of_two_keys_of_a_kind_is_enough(sshd, home, tmp_path):
    name = f"[127.0.0.1]:{sshd.port}"
    know(home, f"{name} {other_key(tmp_path)}", f"{name} {public(sshd)}")

    assert works(sshd)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_kind_of_key_that_is_known_is_asked_for(running, home, tmp_path, kind):
    other = other_key(tmp_path, kind)
    server = running(f"HostKey {tmp_path}/other_{kind}")
    server.let_in(home)
    know(home, f"[127.0.0.1]:{server.port} {other}")

    assert works(server)
    assert offered_key(server.url).type == other.split()[0]


def test_a_revoked_key_is_refused_even_if_it_is_pinned_or_known(sshd, home):
    name = f"[127.0.0.1]:{sshd.port}"
    path = know(home, f"{name} {public(sshd)}", f"@revoked * {public(sshd)}")

    for error in (refused(sshd), refused(sshd, host_key=sshd.fingerprint)):
        assert error.message == f"{name} shows a key that is marked @revoked in {path} line 2: {sshd.fingerprint}"
        assert error.hint == "it was withdrawn on purpose; the board needs a new host key"
    with pytest.raises(HostKeyError, match="@revoked"):
        offered_key(sshd.url).trust(None)


def test_an_authority_is_not_a_hosts_own_key(sshd, home):
    know(home, f"@cert-authority * {public(sshd)}")

    assert "not known yet" in refused(sshd).message


@pytest.mark.parametrize(
    "line", ["nonsense", "a b", "127.0.0.1 ssh-ed25519 !!!", "|1|x|y ssh-ed25519 AAAA", "@revoked"]
)
def test_lines_that_mean_nothing_are_passed_over(sshd, home, line):
    know(home, line, f"[127.0.0.1]:{sshd.port} {public(sshd)}")

    assert works(sshd)


def test_known_hosts_that_is_no_text_is_passed_over(sshd, home):
    (home / ".ssh" / "known_hosts").write_bytes(b"\xff\xfe\x00\n")

    assert "not known yet" in refused(sshd).message


def test_the_alias_of_the_configuration_is_the_name_that_counts(sshd, home):
    with (home / ".ssh" / "config").open("a") as config:
        config.write("  HostKeyAlias my-board\n")
    know(home, f"my-board {public(sshd)}")

    assert works(sshd)


def test_the_file_that_the_configuration_names_is_read(sshd, home):
    with (home / ".ssh" / "config").open("a") as config:
        config.write('  UserKnownHostsFile /dev/null "~/.ssh/lab hosts"\n')
    (home / ".ssh" / "lab hosts").write_text(f"[127.0.0.1]:{sshd.port} {public(sshd)}\n")

    assert works(sshd)


def test_a_fingerprint_is_openssh_s(sshd):
    key = offered_key(sshd.url)

    assert base64.b64decode(public(sshd).split()[1]) == key.key.asbytes()
    assert key.sha256 == sshd.fingerprint


def test_trust_that_cannot_be_written_says_so(sshd, home):
    (home / "config").write_text("a file, not a folder")

    with pytest.raises(HostKeyError) as caught:
        offered_key(sshd.url).trust(None)

    assert caught.value.message == f"`{home}/config/known_hosts` cannot be written: File exists"
    assert caught.value.hint == "is that folder yours?"
