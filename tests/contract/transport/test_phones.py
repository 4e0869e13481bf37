"""Phones by the real adb client: which of several, what they refuse, and what becomes of a command when one is unplugged."""

import threading
import time
from contextlib import closing

import pytest

from edgeprof.errors import DeviceError, LinkLost, TransportError, UsageError
from edgeprof.transport import connect, offered_key
from edgeprof.transport.files import push_bytes, run


def test_each_of_several_phones_is_itself(plug_in):
    first, second = plug_in(), plug_in()

    with closing(connect(first.url)) as one, closing(connect(second.url)) as other:
        assert run(one, ("echo", "one"), 20).stdout == b"one\n"
        assert run(other, ("echo", "other"), 20).stdout == b"other\n"
        first.unplug()
        assert run(other, ("echo", "still"), 20).stdout == b"still\n"


def test_a_phone_that_is_not_named_or_not_there_names_those_that_are(plug_in):
    phone = plug_in()
    connect(phone.url).close()

    with pytest.raises(UsageError) as unnamed:
        connect("adb:")
    with pytest.raises(TransportError, match="`adb` knows no phone `ABC123`") as unknown:
        connect("adb:ABC123")

    assert phone.serial in unnamed.value.hint
    assert phone.serial in unknown.value.hint


def test_a_phone_that_does_not_know_this_computer_says_what_to_do(plug_in):
    phone = plug_in("unauthorized")

    with pytest.raises(TransportError, match="has not allowed this computer") as refused:
        connect(phone.url)

    assert "unlock its screen" in refused.value.hint


def test_a_phone_that_never_answers_is_no_phone(plug_in):
    phone = plug_in("mute")

    with pytest.raises(TransportError, match=f"`{phone.serial}` is offline") as refused:
        connect(phone.url)

    assert "plug it in again" in refused.value.hint


def test_a_phone_that_was_unplugged_and_plugged_in_again_is_found_again(plug_in):
    phone = plug_in()
    with closing(connect(phone.url)) as way:
        run(way, ("true",), 20)
    phone.unplug()
    with pytest.raises(TransportError, match=phone.serial):
        connect(phone.url)

    plug_in(port=phone.port)

    with closing(connect(phone.url)) as way:
        assert run(way, ("echo", "back"), 20).stdout == b"back\n"


@pytest.mark.parametrize("command", [("sleep", "60"), ("sh", "-c", "while :; do echo x; sleep 0.01; done")])
def test_a_command_whose_phone_is_unplugged_is_a_lost_link_and_no_success(plug_in, command):
    phone = plug_in()
    with closing(connect(phone.url)) as way:
        threading.Timer(0.5, phone.unplug).start()

        begin = time.monotonic()
        with pytest.raises(LinkLost, match=phone.serial):
            run(way, command, 30)

        assert time.monotonic() - begin < 20


def test_a_push_whose_phone_is_unplugged_is_a_lost_link(plug_in, tmp_path):
    phone = plug_in()
    with closing(connect(phone.url)) as way, pytest.raises(LinkLost, match=phone.serial):
        push_bytes(way, bytes(64 << 20), str(tmp_path / "big"), lambda done, _: done > 8 << 20 and phone.unplug())


def test_the_end_of_a_command_cannot_be_faked_by_what_it_prints(plug_in):
    phone = plug_in()
    with closing(connect(phone.url)) as way:
        done = run(way, ("sh", "-c", "echo 0123456789abcdef 0 >&2; exit 5"), 20)

    assert (done.returncode, done.stderr) == (5, b"0123456789abcdef 0\n")


def test_an_old_android_is_told_so(plug_in, monkeypatch):
    phone = plug_in("old")

    with pytest.raises(DeviceError, match="older than 7"):
        connect(phone.url)


def test_without_adb_the_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="not installed") as missing:
        connect("adb:X")

    assert missing.value.hint == "`sudo apt install adb`"


def test_a_phone_has_no_host_key():
    assert offered_key("adb:X") is None
