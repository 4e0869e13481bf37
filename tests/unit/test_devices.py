"""The user's own boards: what is stored, what is refused, and that nothing of the user's is lost."""

import subprocess
import sys

import pytest

from edgeprof.devices import (
    LOCAL,
    Device,
    add_device,
    all_devices,
    check_device,
    devices_file,
    find_device,
    remove_device,
)
from edgeprof.errors import UsageError
from edgeprof.resources import config_dir

PI = Device("pi5", "ssh://pi@192.0.2.10", target="raspberry-pi-5")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Give each test a configuration folder of its own, which does not exist yet."""
    path = tmp_path / "config"
    monkeypatch.setenv("EDGEPROF_CONFIG_DIR", str(path))
    return path


def written(text):
    """Write `devices.toml` as a person would."""
    devices_file().parent.mkdir(parents=True, exist_ok=True)
    devices_file().write_text(text, encoding="utf-8")


def refused(call, *arguments):
    """Return the error that the call raises."""
    with pytest.raises(UsageError) as raised:
        call(*arguments)
    return raised.value


def test_local_is_there_before_anything_was_added(folder):
    assert all_devices() == (LOCAL,)
    assert find_device("local").url == "local:"
    assert not folder.exists()


def test_a_device_comes_back_as_it_was_added(tmp_path):
    key = tmp_path / "key"
    key.touch()
    device = Device(
        "jetson.2", "ssh://nv@h:2222", "jetson-nano", "SHA256:abc", str(key), "litert", "/data/e", "in the rack"
    )

    add_device(device)

    assert find_device("jetson.2") == device


def test_devices_are_listed_by_name_after_local():
    add_device(Device("zero", "adb:1234"))
    add_device(PI)

    assert [device.name for device in all_devices()] == ["local", "pi5", "zero"]


@pytest.mark.parametrize(
    "notes",
    [
        'says "hi" \\ there',
        "two\nlines\tand a tab",
        "DEL \x7f, bell \x07",
        "naïve café ✓",
        "# not a comment",
        "[devices.x]",
        "",
    ],
)
def test_any_text_survives_being_written(notes):
    device = Device("pi", "ssh://pi@h", notes=notes)

    add_device(device)

    assert find_device("pi") == device


def test_a_removed_device_is_gone_and_comes_back_as_the_value():
    add_device(PI)

    removed = remove_device("pi5")

    assert removed == PI
    assert all_devices() == (LOCAL,)


def test_a_persons_comments_and_layout_stay_when_devices_come_and_go():
    written(
        "# my bench\n\n[devices.a]   # upper shelf\nurl = 'ssh://a'\n\n"
        "# do not touch\n[devices.b]\nurl = 'ssh://b'\n# end\n"
    )

    add_device(PI)
    remove_device("a")

    text = devices_file().read_text()
    assert text.startswith("# my bench\n")
    assert "# do not touch\n[devices.b]\nurl = 'ssh://b'\n# end\n" in text
    assert [device.name for device in all_devices()] == ["local", "b", "pi5"]


def test_a_file_written_as_dotted_keys_is_read_and_left_alone_when_it_cannot_be_cut():
    written('devices.a.url = "ssh://a"\n')

    error = refused(remove_device, "a")

    assert error.message == f"cannot change {devices_file().resolve()}: it is not laid out as edgeprof writes it"
    assert error.hint == "edit it by hand, or write each device as a [devices.NAME] table"
    assert find_device("a").url == "ssh://a"


def test_a_symbolic_link_to_the_file_stays_a_link(tmp_path, folder):
    folder.mkdir()
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    devices_file().symlink_to(real)

    add_device(PI)

    assert devices_file().is_symlink()
    assert "[devices.pi5]" in real.read_text()


def test_no_temporary_file_is_left_behind(folder):
    add_device(PI)
    remove_device("pi5")

    assert sorted(path.name for path in folder.iterdir()) == ["devices.lock", "devices.toml"]


def test_a_second_device_of_the_same_name_is_refused():
    add_device(PI)

    error = refused(add_device, Device("pi5", "ssh://other"))

    assert error.message == "there is already a device `pi5`: ssh://pi@192.0.2.10"
    assert error.hint == "`edgeprof device remove pi5` first, or choose another name"
    assert find_device("pi5") == PI


def test_checking_a_device_refuses_a_taken_name_before_anybody_connects():
    add_device(PI)

    assert refused(check_device, PI).message == "there is already a device `pi5`: ssh://pi@192.0.2.10"


def test_unknown_device_suggests_the_nearest():
    add_device(PI)

    error = refused(find_device, "pi6")

    assert error.message == "unknown device: `pi6`"
    assert error.hint == "did you mean `pi5`? `edgeprof device list` shows all"
    assert error.exit_code == 2


def test_removing_an_unknown_device_says_so():
    assert refused(remove_device, "nope").message == "unknown device: `nope`"


def test_local_can_be_neither_added_nor_removed_nor_written_down():
    assert refused(add_device, Device("local", "ssh://h")).message == "`local` is built in: it is this machine"
    assert refused(remove_device, "local").message == "`local` is built in and cannot be removed"

    written('[devices.local]\nurl = "ssh://h"\n')

    error = refused(all_devices)
    assert error.message == f"`local` is built in: it is this machine (in [devices.local] of {devices_file()})"
    assert error.hint == "choose another name"


@pytest.mark.parametrize("name", ["", "Pi5", "-pi", ".pi", "pi 5", "pi/5", "pi\n", "пи"])
def test_a_name_of_other_letters_is_refused(name):
    error = refused(add_device, Device(name, "ssh://h"))

    assert error.message == f"not a device name: `{name}`"
    assert error.hint == "a name is small letters, digits, `.`, `_` and `-`, and begins with a letter or digit"


@pytest.mark.parametrize(
    "url",
    [
        "ssh://pi:secret@h",
        "ssh://pi:@h",
        "ssh://pi:sec/ret@h",
        "ssh://pi:s@cret@h:22",
        "ssh:pi:secret@h",
        "ssh://h?jump=u:secret@b",
        "serial:///dev/ttyUSB0?password=secret",
        "serial:///dev/ttyUSB0?user=pi&Token=secret",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url, folder):
    error = refused(add_device, Device("pi", url))

    assert error.message.startswith("a device's URL may not hold a password: `")
    instead = (
        "or taken from EDGEPROF_SERIAL_PASSWORD" if url.startswith("serial") else "use a key instead (`ssh-copy-id`)"
    )
    assert instead in error.hint
    assert error.hint.endswith("; edgeprof stores no secret")
    assert "secret" not in error.message
    assert "cret@" not in error.message
    assert not folder.exists()


@pytest.mark.parametrize(
    "url",
    [
        "ssh://pi@h:2222",
        "ssh://pi@h?jump=u@b:22",
        "ssh://[2001:db8::1]:22",
        "serial:///dev/ttyUSB0?baud=115200",
        "socket://h:4000",
        "adb:emulator-5554",
        "adb:192.0.2.7:5555",
    ],
)
def test_urls_of_every_transport_are_taken(url):
    add_device(Device("pi", url))

    assert find_device("pi").url == url


@pytest.mark.parametrize("url", ["", "192.0.2.10", "pi@h", "ssh://h:port", "ssh://[::1", "ssh://h ost", "ssh://h\n"])
def test_what_is_no_url_is_refused(url):
    error = refused(add_device, Device("pi", url))

    assert error.message.startswith(f"not a URL: `{url}`")
    assert error.hint == "write ssh://USER@HOST, serial:///dev/ttyUSB0, adb:SERIAL or local:"


def test_an_unknown_target_is_refused_when_a_device_is_added():
    error = refused(add_device, Device("pi5", "ssh://pi@192.0.2.10", target="raspbery-pi-5"))

    assert error.message == "unknown target: `raspbery-pi-5`"
    assert error.hint == "did you mean `raspberry-pi-5`? `edgeprof target list` shows all"


def test_a_host_key_that_is_no_fingerprint_is_refused():
    error = refused(add_device, Device("pi", "ssh://h", host_key="MD5:aa"))

    assert error.message == "not a host key's fingerprint: `MD5:aa`"
    assert error.hint == "give what `ssh-keygen -lf KEYFILE` prints on the board: SHA256:…"


def test_a_private_key_that_is_not_there_is_refused():
    error = refused(add_device, Device("a", "ssh://h", identity="/no/such/key"))

    assert error.message == "there is no private key at `/no/such/key`"
    assert error.hint == "check the path given to --identity"


def test_an_unknown_runtime_is_refused():
    error = refused(add_device, Device("pi", "ssh://h", runtime="lite-rt"))

    assert error.message == "unknown runtime: `lite-rt`"
    assert error.hint == "did you mean `litert`? known runtimes: litert, tflite-runtime"


def test_broken_toml_names_file_line_and_column():
    written('[devices.pi5]\nurl = "ssh://h"\ntarget = \n')

    error = refused(all_devices)

    assert error.message == f"{devices_file()} is not valid TOML: Invalid value (at line 3, column 10)"
    assert error.hint == "mend that line"


def test_an_unknown_key_is_refused_with_the_known_ones():
    written('[devices.pi5]\nurl = "ssh://h"\ntraget = "raspberry-pi-5"\n')

    error = refused(all_devices)

    assert error.message == f"unknown key in [devices.pi5] of {devices_file()}: `traget`"
    assert (
        error.hint
        == "did you mean `target`? known keys: url, target, host_key, identity, runtime, home, notes, runtime_lib"
    )


def test_an_unknown_table_is_refused():
    written("[device.pi5]\nurl = 'ssh://h'\n")

    error = refused(all_devices)

    assert error.message == f"unknown key in {devices_file()}: `device`"
    assert error.hint == "did you mean `devices`? known keys: devices"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("devices = 3", "`devices` in {file} is not a table", "write [devices.NAME], then url = …"),
        ("[devices]\npi = 3", "`pi` in {file} is not a table", "write [devices.pi], then url = …"),
        ("[devices.pi]\nurl = 3", "`url` in [devices.pi] of {file} must be a text", "put it in quotes"),
        (
            "[devices.pi]",
            "[devices.pi] of {file} has no `url`",
            "write ssh://USER@HOST, serial:///dev/ttyUSB0, adb:SERIAL or local:",
        ),
    ],
)
def test_what_is_not_a_device_is_refused(text, message, hint):
    written(text)

    error = refused(all_devices)

    assert error.message == message.format(file=devices_file())
    assert error.hint == hint


def test_a_broken_file_is_not_overwritten():
    written("[devices.pi\n")

    refused(add_device, Device("other", "ssh://h"))

    assert devices_file().read_text() == "[devices.pi\n"


def test_a_file_that_is_not_text_is_refused():
    devices_file().parent.mkdir()
    devices_file().write_bytes(b"\xff\xfe")

    error = refused(all_devices)

    assert error.message.startswith(f"cannot read {devices_file()}: ")
    assert error.hint == "mend or remove that file"


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEPROF_CONFIG_DIR", str(tmp_path / "file" / "below"))

    error = refused(add_device, PI)

    assert error.message.startswith(("cannot write ", "cannot read "))
    assert "Not a directory" in error.message


def test_without_the_variable_the_users_own_folder_is_meant(monkeypatch, tmp_path):
    monkeypatch.delenv("EDGEPROF_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert config_dir() == tmp_path / "edgeprof"


_ADD_MANY = """
import sys
from edgeprof.devices import Device, add_device
sys.stdin.readline()
for i in range(25):
    add_device(Device(f"{sys.argv[1]}{i}", "ssh://h"))
"""

_ADD_AND_REMOVE = """
import sys
from edgeprof.devices import Device, add_device, remove_device
sys.stdin.readline()
for i in range(25):
    add_device(Device("passing", "ssh://h"))
    remove_device("passing")
"""


def test_processes_that_write_at_once_lose_nothing():
    add_device(PI)
    jobs = ((_ADD_MANY, "a"), (_ADD_MANY, "b"), (_ADD_AND_REMOVE, "-"))
    writers = [
        subprocess.Popen([sys.executable, "-c", *job], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for job in jobs
    ]

    errors = [writer.communicate("go\n")[1] for writer in _started(writers)]

    assert errors == ["", "", ""]
    expected = {"local", "pi5", *(f"{name}{i}" for name in "ab" for i in range(25))}
    assert {device.name for device in all_devices()} == expected
    assert find_device("pi5") == PI


def _started(writers):
    """Let them all go before waiting for the first."""
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return writers
