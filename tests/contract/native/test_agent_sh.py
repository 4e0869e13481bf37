"""`agent.sh` in every shell that a board may have."""

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprof import resources
from edgeprof.boards import parse_facts
from edgeprof.power.battery import feeding_fault
from edgeprof.remote.killed import read_kills
from edgeprof.remote.said import parse_pairs
from edgeprof.remote.shellprobe import parse_probe
from tests import phones
from tests.contract.agent.client import Agent, Board, Runtime
from tests.recorded import recorded, synthetic

SHELLS = (("dash",), ("busybox", "sh"), ("mksh",), ("bash", "--posix"))
# Android's shell, and the only programs that a phone has: toybox's applets, beside what answers for Android itself.
PHONE = ("mksh", "on toybox")
SCRIPT = resources.folder("device_agents") / "oneshot" / "agent.sh"
# What passes between two looks.
MOVES = ("uptime_s", "load_1min", "memory_available_bytes", "disk_free_bytes", "thermal_zones")
# What only a program in Python, or of the board's own, says.
SILENT = ("python", "pointer_bits", "throttled", "power_mode")


@pytest.fixture(params=(*SHELLS, PHONE), ids=" ".join)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs the script in one of the shells."""
    name, *rest = request.param
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} here")
    programs = os.environ["PATH"]
    if request.param == PHONE:
        if phones.missing():
            pytest.skip(f"no phone's userland here: {phones.missing()}")
        programs, rest = str(phones.applets(tmp_path / "toybox")), []

    def run(*args: object, path_before: str = "", **env: str) -> subprocess.CompletedProcess:
        path_here = f"{path_before}:{programs}" if path_before else programs
        return subprocess.run(
            [path, *rest, str(SCRIPT), *map(str, args)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PATH": path_here, **env},
            stdin=subprocess.DEVNULL,
        )

    return run


def test_shellcheck_finds_nothing():
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")

    done = subprocess.run(["shellcheck", "-s", "sh", str(SCRIPT)], capture_output=True, text=True, check=False)

    assert done.stdout == ""


def test_the_probe_says_what_the_agent_in_python_says(shell, tmp_path: Path):
    board = Board(tmp_path / "home")
    agent = Agent(board, board.linux_agent(sys.executable))
    try:
        agent.hello()
        theirs = agent.call("probe")
    finally:
        agent.dispose()

    done = shell("probe", f"home={board.home}")
    ours = parse_probe(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert set(ours) == set(theirs)
    for name in set(theirs) - set(MOVES) - set(SILENT):
        assert ours[name] == theirs[name], name
    assert [zone["type"] for zone in ours["thermal_zones"]] == [zone["type"] for zone in theirs["thermal_zones"]]
    assert all(ours[name] is None for name in SILENT)
    assert 0.5 < ours["memory_available_bytes"] / theirs["memory_available_bytes"] < 2
    disk = os.statvfs(board.home)
    kept = (disk.f_bfree - disk.f_bavail) * disk.f_frsize  # for root, to whom toybox counts it
    assert 0.5 < ours["disk_free_bytes"] / theirs["disk_free_bytes"] < 2 * (1 + kept / theirs["disk_free_bytes"])
    assert parse_facts(ours).cpus == parse_facts(theirs).cpus


def test_without_getconf_glibc_says_itself_which_it_is(shell, tmp_path: Path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("uname", "df", "tr", "cat", "ls", "printf"):
        (programs / name).symlink_to(shutil.which(name))

    with_, without = shell("probe"), shell("probe", PATH=str(programs))

    assert parse_probe(without.stdout)["libc_version"] == parse_probe(with_.stdout)["libc_version"] is not None


def test_samples_are_lines_of_whole_numbers(shell):
    done = shell("sample", "count=2", "interval_s=1")

    lines = [line.partition("=")[::2] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [key for key, _ in lines].count("uptime_s") == 2
    assert all(re.fullmatch(r"[0-9. -]+", value) for _, value in lines)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "usage: "),
        (("dance",), "usage: "),
        (("probe", "home"), "give options as key=value, not home"),
        (("probe", "house=1"), "unknown option house"),
        (("sample", "count=0"), "`count` must be a whole number above 0, not 0"),
        (("sample", "count=-1"), "`count` must be"),
        (("sample", "interval_s=1;echo"), "`interval_s` must be"),
        (("sample", "count=99999999999999999999"), "`count` must be"),
        (("serve", "home=/tmp"), "give runner=PROGRAM"),
        (("load", "interval_s=0"), "`interval_s` must be"),
        (("traced", "pid=1;echo"), "`pid` must be"),
        (("run", "runner=/no/where", "model=x"), "give runner=PROGRAM"),
    ],
)
def test_what_makes_no_sense_is_refused(shell, args: tuple, words: str):
    done = shell(*args)

    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_it_runs_a_model_by_the_native_agent(
    shell, native_program: Path, provision: Callable[[str, str], Runtime], selftest: Path, tmp_path: Path
):
    runtime = provision("litert", "3.11")
    (tmp_path / "in").write_bytes(struct.pack("<8f", 0, 1, -2, 0.5, 1, 2, 3, 4))
    files = [f"inputs={tmp_path / 'in'}", f"outputs={tmp_path / 'out'}", f"latencies={tmp_path / 'ns'}"]
    what = [f"library={runtime.path / 'libLiteRt.so'}", "version=2.3.0", f"model={selftest}", "count=50"]

    done = shell("run", f"runner={native_program}", *what, *files)

    said = dict(line.split("=", 1) for line in done.stdout.splitlines())
    latencies = struct.unpack("<50q", (tmp_path / "ns").read_bytes())
    assert done.returncode == 0, done.stderr
    assert (said["count"], said["samples"]) == ("50", "2")
    assert struct.unpack("<8f", (tmp_path / "out").read_bytes()) == (1, 3, -3, 2, 3, 5, 7, 9)
    assert min(latencies) > 0
    assert sum(latencies) <= int(said["wall_time_ns"])


@pytest.fixture
def phone_path(tmp_path: Path) -> Callable[..., str]:
    """A function that returns a folder of a phone's programs, which say what they are given."""

    def path(**said: str) -> str:
        for name, text in said.items():
            (tmp_path / f"{name}.txt").write_text(text)
            (tmp_path / name).write_text(f'#!/bin/sh\ncat "{tmp_path / name}.txt"\n')
            (tmp_path / name).chmod(0o755)
        return str(tmp_path)

    return path


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("android-battery-oneplus7.txt", None),
        ("android-battery-xiaomi.txt", None),
        ("android-battery-samsung.txt", "on_charger"),
    ],
)
def test_a_recorded_battery_is_read_as_what_it_is(shell, phone_path, name: str, fault: str | None):
    dump, stopped = recorded(name), synthetic("android-battery-faked.txt").splitlines()[1]
    done = shell("battery", path_before=phone_path(dumpsys=dump.replace("\n", "\r\n")))
    faked = shell("battery", path_before=phone_path(dumpsys=f"{stopped}\n{dump}"))

    assert (done.returncode, done.stderr) == (0, "")
    assert feeding_fault(parse_pairs(done.stdout)) == fault
    assert feeding_fault(parse_pairs(faked.stdout)) == "battery_faked"


def test_a_recorded_log_gives_its_kills_and_nothing_else(shell, phone_path):
    stamped = "".join(
        f"1761301450.{number}00   710   710 I {line.partition(' I ')[2]}\n"
        for number, line in enumerate(recorded("android-lmkd.txt").splitlines(), 1)
    )
    done = shell(
        "killed",
        path_before=phone_path(
            logcat=stamped, dmesg=synthetic("kernel-kills.txt").splitlines()[1].replace("18624", "77") + "\n"
        ),
    )

    said = parse_pairs(done.stdout)
    assert done.returncode == 0
    assert [(kill.pid, kill.by.partition(" ")[0]) for kill in read_kills(said)] == [
        (18624, "Android's"), (17933, "Android's"), (77, "the"),
    ]  # fmt: skip
    assert [value for key, value in said if key == "log_read"] == ["logcat", "dmesg"]
    assert not [value for key, value in said if "WifiHAL" in value]


def test_a_load_ends_by_itself(shell):
    done = shell("load", "interval_s=1")

    assert (done.returncode, done.stdout) == (0, "")


def test_without_perfetto_there_is_no_trace(shell):
    done = shell("trace", "interval_s=1")

    assert parse_pairs(done.stdout) == [("refused", "this phone has no `perfetto`")]
