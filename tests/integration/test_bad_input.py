"""Whatever is typed, brought or broken: a clear error with a next step, and no traceback (the `cli` fixture looks)."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeprof.store import open_store

QUICK = ("--launches", "1", "--runs", "5")


def assert_refused(done, code: int, message: str, hint: str) -> None:
    """Assert the exit code, the error's text and its next step."""
    assert done.code == code, done.err
    assert f"error: {message}" in done.err or message in done.err
    assert hint in done.err, done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (("--threads", "0"), "error: --threads 0 is out of range", "hint: from 1 to 256"),
        (("--threads", "100000"), "error: --threads 100000 is out of range", "hint: from 1 to 256"),
        (("--runs", "0"), "error: --runs 0 is out of range", "hint: from 1 to 2 000 000"),
        (("--launches", "0"), "error: --launches 0 is out of range", "hint: from 1 to 1 000"),
        (("--wheel", "nope.whl"), "error: there is no wheel at `nope.whl`", "check the path given to --wheel"),
        (("--cpus", "few"), "error: --cpus `few` names no cores", "write `all`, `big`, `little`, `0-3` or `0,2`"),
        (("--device", "locl"), "error: unknown device: `locl`", "did you mean `local`?"),
        (("--recipe", "int9"), "error: unknown recipe: `int9`", "did you mean `int8`?"),
        (
            ("--rail", "VDD", "--no-energy"),
            "error: `--no-energy` leaves out what `--rail` is for",
            "leave one of the two",
        ),
        (("--metric", "f1"), "error: `--metric` needs samples to judge", "add `--eval test.npz`"),
        (("--runtime", "litter"), "error: unknown runtime: `litter`", "did you mean `litert`?"),
    ],
)
def test_an_option_that_no_board_can_follow_is_refused_with_its_range(cli, example, options, message, hint):
    done = cli("profile", example / "fashion_cnn.keras", *options)

    assert_refused(done, 2, message, hint)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_without_room_is_an_error(cli):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            cli.command("target", "list", "--json"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=cli.env,
            check=False,
        )

    assert done.returncode == 1
    assert "no room to write" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_target_is_refused_with_the_nearest_name(cli):
    done = cli("device", "add", "pi5", "ssh://pi@192.0.2.10", "--target", "raspbery-pi-5")

    assert_refused(
        done,
        2,
        "error: unknown target: `raspbery-pi-5`",
        "did you mean `raspberry-pi-5`? `edgeprof target list` shows all",
    )


def test_an_unknown_host_is_told_apart_from_a_silent_one(cli):
    done = cli("device", "add", "pi5", "ssh://pi@no-such-host.invalid")

    assert_refused(done, 1, "error: unknown host: `no-such-host.invalid`", "hint: ")


def test_no_route_to_a_board_is_told_apart_too(cli):
    command = ["unshare", "--net", "--map-root-user", *cli.command("device", "add", "pi5", "ssh://pi@192.0.2.10")]

    done = subprocess.run(command, env=cli.env, capture_output=True, text=True, check=False)

    if "unshare" in done.stderr:
        pytest.skip("no network namespace of our own here")
    assert done.returncode == 1
    assert "error: 192.0.2.10:22 cannot be reached: " in done.stderr
    assert "Network is unreachable" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_name_that_is_none_is_refused(cli):
    done = cli("device", "add", "pi5", f"ssh://pi@{'a' * 80}")

    assert_refused(done, 1, "error: unknown host: `aaa", "hint: ")


def test_a_port_where_nobody_listens_is_named(cli):
    from tests.sshd import free_port

    port = free_port()
    done = cli("device", "add", "pi5", f"ssh://pi@127.0.0.1:{port}")

    assert_refused(done, 1, f"error: 127.0.0.1:{port} refuses connections", "is the SSH server running there?")


def test_a_model_that_is_not_there_is_named(cli):
    done = cli("profile", "missing.keras")

    assert_refused(done, 1, "missing.keras", "hint: ")


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, os.urandom(4096)], ids=["empty", "zeros", "random"])
@pytest.mark.parametrize("name", ["m.tflite", "m.keras", "m.h5"])
def test_a_file_that_is_no_model_is_refused(cli, name, content):
    (cli.folder / name).write_bytes(content)

    done = cli("profile", name, *QUICK)

    assert_refused(done, 1, name, "hint: ")


@pytest.mark.tensorflow
def test_a_truncated_model_is_refused(cli, example):
    made = cli("compress", example / "fashion_cnn.keras", "-r", "fp32", "-o", "b")
    whole = (cli.folder / "b/fashion_cnn-fp32.tflite").read_bytes()
    for share in (0.1, 0.5, 0.9):
        (cli.folder / "cut.tflite").write_bytes(whole[: int(len(whole) * share)])

        done = cli("profile", "cut.tflite", *QUICK)

        assert_refused(done, 1, "cut.tflite", "hint: ")
    assert made.code == 0


def test_an_unknown_custom_operator_is_named(cli, data):
    done = cli("profile", data / "models/coral/model_invoking_error.tflite", *QUICK)

    assert done.code == 1
    assert "custom" in done.err.lower() or "operator" in done.err.lower() or "op" in done.err.lower()
    assert "hint: " in done.err


def test_a_model_that_the_converter_of_today_refuses_gives_a_clear_error(cli, data):
    done = cli("profile", data / "models/tflm/person_detect.tflite", *QUICK)

    assert done.code in (0, 1)
    assert done.code == 0 or "hint: " in done.err


class TestCalibration:
    """Calibration data that do not fit."""

    def convert(self, cli, example, **arrays):
        np.savez(cli.folder / "c.npz", **arrays)
        return cli("compress", example / "fashion_cnn.keras", "-r", "int8", "--calibration", "c.npz", "-o", "b")

    def test_int8_without_calibration_names_the_option(self, cli, example):
        done = cli("compress", example / "fashion_cnn.keras", "-r", "int8")

        assert_refused(done, 2, "int8", "--calibration")

    @pytest.mark.tensorflow
    def test_a_wrong_shape_says_which_was_expected(self, cli, example):
        done = self.convert(cli, example, x=np.zeros((8, 32, 32, 3), np.float32))

        assert done.code in (1, 2)
        assert "28" in done.err
        assert "32" in done.err

    def test_words_are_no_samples(self, cli, example):
        done = self.convert(cli, example, x=np.array(["a", "b"]))

        assert done.code in (1, 2)
        assert "hint: " in done.err

    def test_nan_is_refused(self, cli, example):
        done = self.convert(cli, example, x=np.full((8, 28, 28, 1), np.nan, np.float32))

        assert done.code in (1, 2)
        assert "NaN" in done.err

    def test_no_samples_are_refused(self, cli, example):
        done = self.convert(cli, example, x=np.zeros((0, 28, 28, 1), np.float32))

        assert done.code in (1, 2)
        assert "hint: " in done.err

    @pytest.mark.tensorflow
    def test_a_range_255_times_too_large_is_warned_of(self, cli, example):
        calibration = np.load(example / "calibration.npz")
        np.savez(cli.folder / "c.npz", x=calibration["x"].astype(np.float32) * 255)
        options = ("--calibration", "c.npz", "--eval", example / "test.npz")

        done = cli("profile", example / "fashion_cnn.keras", "-r", "int8", *options, *QUICK)

        assert done.code == 0, done.err
        assert "[calibration_range]" in done.out


def test_a_board_whose_key_is_not_known_shows_it_and_says_how_to_accept(cli, bare_board):
    done = cli("device", "add", "pi5", bare_board.url)

    assert_refused(done, 1, bare_board.sshd.fingerprint, f"--host-key {bare_board.sshd.fingerprint}")


def test_another_key_than_the_one_given_is_refused(cli, bare_board):
    done = cli(
        "device", "add", "pi5", bare_board.url, "--host-key", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )

    assert_refused(done, 1, bare_board.sshd.fingerprint, "hint: ")
    assert "pi5" not in cli("device", "list").out


def test_a_board_whose_key_has_changed_is_refused(cli, board, tmp_path):
    folder = board.sshd.folder
    for name in ("host_key", "host_key.pub"):
        (folder / name).unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key")], check=True)
    board.sshd.process.terminate()
    board.sshd.process.wait(60)
    from tests.sshd import SSHD, _wait

    board.sshd.process = subprocess.Popen(
        [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
    )
    _wait(board.sshd.port, board.sshd.process)

    done = cli("device", "setup", "board")

    assert_refused(done, 1, board.sshd.fingerprint, "hint: ")


def test_a_board_without_python_that_litert_does_not_fit_says_what_is_needed(cli, bare_board):
    bare_board.install("getconf", 'case $1 in GNU_LIBC_VERSION) echo "glibc 2.31";; *) echo 64;; esac')
    cli("device", "add", "board", bare_board.url, "--host-key", bare_board.sshd.fingerprint)

    done = cli("device", "setup", "board")

    words = "error: the board has no Python 3, and without one it would run `litert`; but `litert` needs glibc 2.34"
    assert_refused(done, 1, words, "install one of Python 3.8 to 3.11 there")


def test_a_board_without_python_needs_the_compiler_here_and_is_told_so(cli, bare_board, tmp_path):
    """Where the extra `native` is not installed: a module that cannot be found is shown the host's Python."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ziglang'] = None\n")
    cli("device", "add", "board", bare_board.url, "--host-key", bare_board.sshd.fingerprint)

    done = cli("device", "setup", "board", PYTHONPATH=str(tmp_path), EDGEPROF_CACHE_DIR=str(tmp_path / "cache"))

    assert_refused(done, 2, "error: boards without Python need the native agent", "pip install 'edgeprof[native]'")


def test_a_board_with_too_old_a_python_is_run_by_the_native_agent(cli, bare_board):
    old = old_python()
    if old is None:
        pytest.skip("no Python 3.6 on this machine")
    bare_board.link("python3", old)
    cli("device", "add", "board", bare_board.url, "--host-key", bare_board.sshd.fingerprint)

    done = cli("device", "setup", "board")

    assert done.code == 0, done.err
    assert "none: the native agent" in done.out


def test_a_board_with_too_old_a_c_library_says_which_it_has(cli, board):
    board.install("getconf", 'case $1 in GNU_LIBC_VERSION) echo "glibc 2.24";; *) echo 64;; esac')

    done = cli("device", "setup", "board")

    assert_refused(done, 1, "2.24", "hint: ")


def test_a_stripped_board_without_getconf_and_gzip_is_set_up_all_the_same(cli, board):
    for name in ("getconf", "gzip", "tar"):
        (board.bin / name).unlink(missing_ok=True)

    done = cli("device", "setup", "board")

    assert done.code == 0, done.err


def test_a_board_without_room_says_how_much_is_free(cli, board, tmp_path):
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        cli("device", "add", "full", board.url, "--host-key", board.sshd.fingerprint, "--home", mounted / "e")

        done = cli("device", "setup", "full")
    finally:
        subprocess.run(["umount", str(mounted)], check=True)

    assert_refused(done, 1, "error: no room on the board", "--home")


@pytest.mark.parametrize("there", [False, True], ids=["before the first use", "after it"])
def test_a_board_whose_home_is_read_only_says_so(cli, board, there):
    if there:
        (board.home / ".edgeprof").mkdir()
    bound = ["mount", "--bind", str(board.home), str(board.home)]
    if os.geteuid() != 0 or subprocess.run(bound, capture_output=True, check=False).returncode != 0:
        pytest.skip("making a home read-only needs root")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(board.home)], check=True)

        done = cli("device", "probe", "board")
    finally:
        subprocess.run(["umount", str(board.home)], check=True)

    assert_refused(done, 1, f"the folder {board.home}/.edgeprof: Read-only file system", "`mount` and `dmesg` on the")
    assert list(board.home.glob(".edgeprof/*")) == []


def test_a_store_from_a_newer_version_is_left_alone(cli):
    import sqlalchemy as sa

    open_store(cli.env["EDGEPROF_STORE"]).close()
    engine = sa.create_engine(f"sqlite:///{cli.env['EDGEPROF_STORE']}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE edgeprof_schema SET version = 99"))
    engine.dispose()

    done = cli("run", "list")

    assert_refused(done, 1, "has schema 99", "pip install --upgrade edgeprof")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_json_is_not_written_under_another_formats_name(cli, kind):
    done = cli("run", "export", "5445", "-o", f"runs.{kind}")

    assert_refused(done, 2, f"error: `runs.{kind}` would hold JSON", f"hint: add `--format {kind}`")
    assert not (cli.folder / f"runs.{kind}").exists()


def test_an_evaluation_set_of_another_shape_is_refused_before_any_board(cli, example):
    np.savez(cli.folder / "e.npz", x=np.zeros((4, 8, 8, 1), np.float32), y=np.zeros(4, np.int64))

    done = cli("profile", example / "fashion_cnn.keras", "--eval", "e.npz", *QUICK)

    assert done.code in (1, 2)
    assert "28" in done.err
    assert "hint: " in done.err


def old_python() -> str | None:
    """Return a Python 3.6, if this machine has one."""
    found = shutil.which("python3.6")
    roots = [os.environ.get("PYENV_ROOT"), str(Path("~/.pyenv").expanduser())]
    candidates = [
        found,
        *(str(path) for root in roots if root for path in Path(root).glob("versions/3.6*/bin/python3.6")),
    ]
    for path in filter(None, candidates):
        tried = subprocess.run([path, "--version"], capture_output=True, check=False)
        if tried.returncode == 0:
            return path
    return None
