"""What every way to a board does alike."""

import hashlib
import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from edgeprof.errors import DeviceError, LinkLost, TransportError, UsageError
from edgeprof.transport import connect, offered_key
from edgeprof.transport.files import Pushed, pull_bytes, push, push_bytes, run


def part_of(dest: Path, data: bytes) -> Path:
    return dest.with_name(f"{dest.name}.{hashlib.sha256(data).hexdigest()[:12]}.part")


def test_a_command_prints_and_ends_with_its_status(way):
    done = run(way, ("sh", "-c", "echo out; echo err >&2; exit 3"), 60)

    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


def test_a_command_reads_its_input_to_the_end(way):
    data = os.urandom(300_000)

    done = run(way, ("cat",), 60, stdin=data)

    assert done.stdout == data


def test_arguments_arrive_as_they_are(way):
    words = ("", "two words", "it's", '"quoted"', "$HOME", "*", "back\\slash", "new\nline", "größe", "-n", "!", ";")

    done = run(way, ("printf", "%s|", *words), 60)

    assert done.stdout.decode() == "|".join(words) + "|"


def test_a_command_that_is_not_there_ends_with_127(way):
    done = run(way, ("no-such-command",), 60)

    assert done.returncode == 127
    assert b"no-such-command" in done.stderr


def test_a_command_killed_by_a_signal_has_a_negative_status(way):
    done = run(way, ("sh", "-c", "kill -9 $$"), 60)

    assert done.returncode < 0


def test_a_command_may_end_without_reading_its_input(way):
    done = run(way, ("true",), 60, stdin=bytes(4 << 20))

    assert done.returncode == 0


def test_nine_megabytes_of_errors_block_nothing_and_only_their_end_is_kept(way):
    script = "head -c 9000000 /dev/zero >&2; printf last >&2; echo out"

    done = run(way, ("sh", "-c", script), 60)

    assert done.stdout == b"out\n"
    assert len(done.stderr) == 64 << 10
    assert done.stderr.endswith(b"last")


def test_twenty_megabytes_of_output_arrive(way):
    done = run(way, ("head", "-c", "20000000", "/dev/zero"), 60)

    assert len(done.stdout) == 20_000_000


def test_a_command_that_runs_too_long_is_a_timeout(way):
    with pytest.raises(TimeoutError):
        run(way, ("cat", "/dev/zero"), 0.3)

    with closing(way.open(("sleep", "0.5"))) as channel, pytest.raises(TimeoutError):
        channel.wait(0.05)


def test_reading_waits_no_longer_than_it_may(way):
    with closing(way.open(("cat",))) as channel:
        with pytest.raises(TimeoutError):
            channel.read(0.05)
        channel.write(b"now")

        assert channel.read(60) == b"now"


def test_writing_to_a_command_that_has_ended_is_a_broken_pipe(way):
    with closing(way.open(("true",))) as channel:
        channel.wait(60)

        with pytest.raises(BrokenPipeError):
            channel.write(bytes(4 << 20))


def test_closing_a_channel_ends_the_commands_input(way, tmp_path):
    ended = tmp_path / "ended"
    channel = way.open(("sh", "-c", 'cat > /dev/null; echo > "$1"', "sh", str(ended)))

    channel.close()
    channel.close()

    deadline = time.monotonic() + 60
    while not ended.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ended.exists()


def test_a_closed_channel_is_at_its_end(way):
    channel = way.open(("cat",))

    channel.close()

    assert channel.read(1) == b""
    with pytest.raises(BrokenPipeError):
        channel.write(b"more")


def test_several_commands_run_at_once(way):
    with closing(way.open(("cat",))) as first, closing(way.open(("cat",))) as second:
        second.write(b"2")
        first.write(b"1")

        assert (first.read(60), second.read(60)) == (b"1", b"2")


def test_closing_a_way_twice_does_no_harm(way):
    way.close()
    way.close()


def test_a_file_is_pushed_and_progress_is_told(way, tmp_path):
    source, told = tmp_path / "source", []
    source.write_bytes(os.urandom(1_000_000))

    done = push(way, source, f"{tmp_path}/new/folder/dest", lambda sent, total: told.append((sent, total)))

    assert done == Pushed(1_000_000, 1_000_000)
    assert (tmp_path / "new/folder/dest").read_bytes() == source.read_bytes()
    assert told == sorted(told)
    assert told[-1] == (1_000_000, 1_000_000)
    assert os.listdir(tmp_path / "new/folder") == ["dest"]


def test_a_file_that_is_there_is_not_sent_again(way, tmp_path):
    push_bytes(way, b"same", f"{tmp_path}/dest")

    again = push_bytes(way, b"same", f"{tmp_path}/dest")

    assert again == Pushed(0, 4, skipped=True)


def test_a_file_with_other_content_is_replaced(way, tmp_path):
    push_bytes(way, b"old!", f"{tmp_path}/dest")

    push_bytes(way, b"new!", f"{tmp_path}/dest")

    assert (tmp_path / "dest").read_bytes() == b"new!"


def test_an_empty_file_is_pushed(way, tmp_path):
    assert push_bytes(way, b"", f"{tmp_path}/dest") == Pushed(0, 0)
    assert (tmp_path / "dest").read_bytes() == b""
    assert push_bytes(way, b"", f"{tmp_path}/dest").skipped


def test_a_push_goes_on_where_an_earlier_one_was_cut(way, tmp_path):
    data, dest = os.urandom(500_000), tmp_path / "dest"
    part_of(dest, data).write_bytes(data[:200_000])

    done = push_bytes(way, data, str(dest))

    assert done == Pushed(300_000, 500_000, resumed_from=200_000)
    assert dest.read_bytes() == data
    assert not part_of(dest, data).exists()


def test_a_part_that_is_whole_is_only_moved(way, tmp_path):
    data, dest = os.urandom(5_000), tmp_path / "dest"
    part_of(dest, data).write_bytes(data)

    assert push_bytes(way, data, str(dest)) == Pushed(0, 5_000, resumed_from=5_000)
    assert dest.read_bytes() == data


@pytest.mark.parametrize("length", [1, 200_000, 500_000, 600_000])
def test_a_corrupt_part_is_never_continued(way, tmp_path, length):
    data, dest = os.urandom(500_000), tmp_path / "dest"
    part_of(dest, data).write_bytes(bytes(length))

    done = push_bytes(way, data, str(dest))

    assert done == Pushed(500_000, 500_000)
    assert dest.read_bytes() == data


def test_a_file_that_changes_while_it_is_sent_is_refused(way, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(bytes(100_000))

    with pytest.raises(TransportError, match="arrived damaged: its hash differs") as caught:
        push(way, source, f"{tmp_path}/dest", sha256=hashlib.sha256(b"other").hexdigest())

    assert "run it again" in caught.value.hint
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize(
    "name", ["two words", "it's", '"q"', "$HOME", "`id`", "größe ✓ 日本", "*", "-dash", "a;b", "back\\slash", "tab\tin"]
)
def test_odd_names_are_kept(way, tmp_path, name):
    push_bytes(way, name.encode(), f"{tmp_path}/{name}")

    assert (tmp_path / name).read_bytes() == name.encode()
    assert pull_bytes(way, f"{tmp_path}/{name}") == name.encode()


def test_a_path_may_begin_at_the_home_there(way):
    name = f"edgeprof-{os.getpid()}"
    there = run(way, ("sh", "-c", "echo $HOME"), 60).stdout.decode().strip()

    push_bytes(way, b"home", f"~/{name}")

    assert Path(there, name).read_bytes() == b"home"
    Path(there, name).unlink()


def test_no_room_names_how_much_is_needed_and_leaves_nothing(way, tiny_disk):
    with pytest.raises(DeviceError) as caught:
        push_bytes(way, os.urandom(5_000_000), f"{tiny_disk}/dest")

    assert caught.value.message == f"no room on the board for `{tiny_disk}/dest`: 5.0 MB needed, 2.1 MB free"
    assert caught.value.hint.startswith("make room there, or give another folder")
    assert os.listdir(tiny_disk) == []


def test_a_place_that_cannot_be_written_is_named(way, tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(DeviceError) as caught:
        push_bytes(way, b"data", f"{tmp_path}/file/dest")

    assert caught.value.message == f"cannot write `{tmp_path}/file` on the board"
    assert caught.value.hint == "it is read-only or not yours: give another folder with `--home FOLDER`"


def test_a_read_only_file_system_is_named(way):
    with pytest.raises(DeviceError, match=r"cannot write `/proc/self/dest\.3a6eb0790f39\.part` on the board") as caught:
        push_bytes(way, b"data", "/proc/self/dest")

    assert "read-only or not yours" in caught.value.hint


def test_a_folder_is_not_taken_for_a_file(way, tmp_path):
    with pytest.raises(DeviceError) as caught:
        push_bytes(way, b"data", str(tmp_path))

    assert caught.value.message == f"`{tmp_path}` is a folder on the board"
    assert caught.value.hint == "give the file's own path"


def test_a_file_is_pulled(way, tmp_path):
    (tmp_path / "there").write_bytes(data := os.urandom(3_000_000))

    assert pull_bytes(way, f"{tmp_path}/there") == data


def test_a_file_that_is_not_there_cannot_be_pulled(way, tmp_path):
    with pytest.raises(DeviceError, match=f"cannot read `{tmp_path}/gone` on the board: .*No such file") as caught:
        pull_bytes(way, f"{tmp_path}/gone")

    assert caught.value.hint == "is it there, and may you read it?"


def test_a_local_command_that_takes_no_input_is_given_up():
    from edgeprof.transport.local import LocalTransport

    with (
        closing(LocalTransport(stall_s=0.2)) as way,
        closing(way.open(("sleep", "30"))) as channel,
        pytest.raises(LinkLost) as caught,
    ):
        channel.write(bytes(1 << 20))

    assert caught.value.message == "the command took nothing for 0.2 s"


@pytest.mark.parametrize("url", ["telnet://board", "board", "", "sssh://board"])
def test_an_unknown_kind_of_way_is_a_usage_error(url):
    for what in (connect, offered_key):
        with pytest.raises(UsageError) as caught:
            what(url)

        assert caught.value.message == f"unknown kind of connection: `{url}`"
        assert "ssh://user@host" in caught.value.hint


def test_this_machine_has_no_host_key():
    assert offered_key("local:") is None
