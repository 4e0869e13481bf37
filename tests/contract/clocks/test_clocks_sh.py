"""`clocks.sh` in every shell that a board may have, on a tree of plain files; tests/boards has a kernel's own."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeprof import resources
from tests.recorded import recorded

SHELLS = (("dash",), ("busybox", "sh"), ("mksh",), ("bash", "--posix"))
SCRIPT = resources.folder("device_agents") / "clocks" / "clocks.sh"
SYNTHETIC = Path(__file__).parents[2] / "data" / "synthetic"
BEFORE = {"policy0": ("ondemand", "600000", "1200000"), "policy4": ("schedutil", "600000", "1800000")}
PINNED = "policy policy0 performance:900000:900000"


@dataclass
class Tree:
    """A board's clocks as files, and the script's own folder."""

    folder: Path
    shell: tuple[str, ...]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def command(self, method: str, *options: str) -> list[str]:
        places = (f"folder={self.state}", f"tree={self.folder}", f"cooling={self.folder}/cooling")
        return [*self.shell, str(SCRIPT), method, *places, "lease_s=2", "tick_s=1", *options]

    def hold(self, run: str = "first", **options: str) -> "Hold":
        extra = [f"{name}={value}" for name, value in options.items()]
        return Hold(self.command("hold", f"token={run}", "owner=somebody@host", *extra), self.environment())

    def run(self, method: str, *options: str) -> list[str]:
        done = subprocess.run(
            self.command(method, *options),
            capture_output=True,
            text=True,
            timeout=120,
            env=self.environment(),
            check=False,
        )
        return done.stdout.splitlines()

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "NVP": str(self.folder / "nvp"),
            "TREE": str(self.folder),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        }

    def values(self, policy: str) -> tuple[str, ...]:
        names = ("governor", "min_freq", "max_freq")
        return tuple((self.folder / policy / f"scaling_{name}").read_text().strip() for name in names)

    def is_as_before(self) -> bool:
        return all(self.values(policy) == values for policy, values in BEFORE.items())

    def comes_back(self) -> bool:
        """Say whether all is as before within the lease and some more."""
        end = time.monotonic() + 60
        while time.monotonic() < end and not (self.is_as_before() and not (self.state / "state").exists()):
            time.sleep(0.05)
        return self.is_as_before()

    def pid(self, what: str) -> int:
        return int((self.state / what).read_text())


class Hold:
    """A hold under way, as a host has it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        return self.process.stdout.readline().strip()

    def end(self) -> list[str]:
        out, _ = self.process.communicate("end\n", timeout=120)
        return out.splitlines()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


@pytest.fixture(params=SHELLS, ids=[" ".join(shell) for shell in SHELLS])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """A board with two groups of cores, and one of the shells."""
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"no {request.param[0]} here")
    return made(tmp_path, request.param)


@pytest.fixture
def one(tmp_path: Path) -> Tree:
    """The same in `sh` alone, for what does not differ from shell to shell."""
    return made(tmp_path, ("sh",))


@pytest.fixture
def holds() -> Iterator[Callable[..., Hold]]:
    """Keep holds, and end those that are left."""
    kept: list[Hold] = []

    def keep(hold: Hold) -> Hold:
        kept.append(hold)
        assert hold.answer() == "held=yes"
        return hold

    yield keep
    for hold in kept:
        hold.close()


def made(folder: Path, shell: tuple[str, ...]) -> Tree:
    for policy, values in BEFORE.items():
        (folder / policy).mkdir()
        for name, value in zip(("governor", "min_freq", "max_freq"), values, strict=True):
            (folder / policy / f"scaling_{name}").write_text(value + "\n")
        (folder / policy / "cpuinfo_min_freq").write_text("600000\n")
    (folder / "bin").mkdir()
    return Tree(folder, shell)


def test_shellcheck_finds_nothing():
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")

    done = subprocess.run(["shellcheck", "-s", "sh", str(SCRIPT)], capture_output=True, text=True, check=False)

    assert done.stdout == ""


def test_what_was_set_is_set_back_at_the_end_and_said(tree, holds):
    hold = holds(tree.hold())

    answer = hold.ask(PINNED)
    meanwhile = tree.values("policy0")
    said = hold.end()

    assert (answer, meanwhile) == ("ok=yes", ("performance", "900000", "900000"))
    assert said == ["restored=policy0 ondemand:600000:1200000", "end=end"]
    assert tree.is_as_before()
    assert tree.run("restore") == ["why=end", "restored=policy0 ondemand:600000:1200000", "end=nothing"]


def test_a_host_whose_link_ends_has_its_clocks_set_back_at_once(tree, holds):
    hold = holds(tree.hold())
    hold.ask(PINNED)

    hold.process.stdin.close()
    hold.process.stdout.close()  # nobody hears what the board says then
    hold.process.wait(30)

    assert tree.is_as_before()


def test_a_host_that_falls_silent_has_its_clocks_set_back_by_the_watchdog(tree, holds):
    hold = holds(tree.hold())
    hold.ask(PINNED)

    assert tree.comes_back()
    assert hold.process.wait(30) == -signal.SIGKILL
    assert tree.run("restore")[0] == "why=silence"


def test_a_sign_of_life_keeps_them(one, holds):
    hold = holds(one.hold())
    hold.ask(PINNED)

    for _ in range(8):
        hold.process.stdin.write("beat\n")
        hold.process.stdin.flush()
        time.sleep(0.5)

    assert one.values("policy0")[1] == "900000"


def test_a_hold_that_is_killed_has_its_clocks_set_back_by_the_watchdog(tree, holds):
    hold = holds(tree.hold(lease_s="60"))
    hold.ask(PINNED)

    hold.process.kill()

    assert tree.comes_back()


def test_after_the_longest_time_they_are_set_back_whatever_the_host_says(one, holds):
    hold = holds(one.hold(limit_s="1"))
    hold.ask(PINNED)

    assert one.comes_back()
    assert one.run("restore")[0] == "why=limit"


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_a_signal_sets_them_back(one, holds, name):
    hold = holds(one.hold(lease_s="60"))
    hold.ask(PINNED)

    hold.process.send_signal(getattr(signal, f"SIG{name}"))

    assert hold.process.wait(30) == 0
    assert one.is_as_before()


def killed_both(tree: Tree, hold: Hold) -> None:
    os.kill(tree.pid("watchdog"), signal.SIGKILL)
    hold.process.kill()
    hold.process.wait()


def test_by_hand_after_hold_and_watchdog_were_killed(tree, holds):
    hold = holds(tree.hold())
    hold.ask(PINNED)
    killed_both(tree, hold)

    look = tree.run("look")
    said = tree.run("restore")

    assert look == ["owner=somebody@host", "end=held"]
    assert said == ["owner=somebody@host", "restored=policy0 ondemand:600000:1200000", "end=hand"]
    assert tree.is_as_before()


def test_by_hand_while_a_run_holds_them_only_if_forced(one, holds):
    hold = holds(one.hold())
    hold.ask(PINNED)

    refused = one.run("restore")
    meanwhile = one.values("policy0")
    forced = one.run("restore", "force=yes")

    assert refused == ["error=held somebody@host"]
    assert meanwhile[1] == "900000"
    assert forced[-1] == "end=hand"
    assert one.is_as_before()
    assert hold.process.wait(30) == -signal.SIGKILL


def test_a_second_host_is_refused_and_the_same_one_goes_on_without_taking_ours_for_theirs(tree, holds):
    first = holds(tree.hold("first", lease_s="60"))
    first.ask(PINNED)

    second = tree.hold("second")
    refused = second.answer()
    second.close()
    again = holds(tree.hold("first", lease_s="60"))
    again.ask(PINNED)
    again.end()

    assert refused == "error=held somebody@host"
    assert tree.is_as_before()


def test_what_a_dead_run_left_is_set_back_before_another_begins(one, holds):
    hold = holds(one.hold("dead"))
    hold.ask(PINNED)
    killed_both(one, hold)

    after = holds(one.hold("next"))
    as_stored = (one.state / "state").read_text()
    after.end()

    assert "policy0=ondemand:600000:1200000" in as_stored
    assert one.is_as_before()


def test_after_a_reboot_clocks_are_the_boards_own_and_stay(one, holds):
    hold = holds(one.hold())
    hold.ask(PINNED)
    killed_both(one, hold)
    state = one.state / "state"
    state.write_text(
        "".join(
            "boot=another\n" if line.startswith("boot=") else f"{line}\n" for line in state.read_text().splitlines()
        )
    )

    said = one.run("restore")

    assert said == ["owner=somebody@host", "rebooted=yes", "end=hand"]
    assert one.values("policy0")[1] == "900000"
    assert one.run("restore")[-1] == "end=nothing"


def test_a_board_that_heat_holds_back_is_refused_for_its_limits_are_not_its_owners(one):
    device = one.folder / "cooling" / "cooling_device0"
    device.mkdir(parents=True)
    (device / "type").write_text("cpufreq-cpu0\n")
    (device / "cur_state").write_text("2\n")

    hold = one.hold()
    answer = hold.answer()
    hold.close()

    assert answer == "error=heat"
    assert not one.state.exists()


@pytest.mark.parametrize("name", ["policy9", "policy0/../policy4", ".."])
def test_only_policies_that_are_there_are_written(one, holds, name):
    hold = holds(one.hold())

    answer = hold.ask(f"policy {name} performance:1:1")

    assert answer.startswith("error=policy")
    assert one.is_as_before()


def test_what_cannot_be_set_back_is_kept_for_another_try(one, holds):
    hold = holds(one.hold())
    hold.ask(PINNED)
    shutil.move(one.folder / "policy0", one.folder / "away")  # a core that somebody took offline

    said = hold.end()
    shutil.move(one.folder / "away", one.folder / "policy0")
    again = one.run("restore")

    assert said == ["failed=policy0 ondemand:600000:1200000", "end=end"]
    assert again == ["owner=somebody@host", "restored=policy0 ondemand:600000:1200000", "end=hand"]
    assert one.is_as_before()


def test_what_can_never_be_set_back_is_forgotten_by_force_alone(one, holds):
    hold = holds(one.hold())
    hold.ask(PINNED)
    killed_both(one, hold)
    shutil.rmtree(one.folder / "policy0")

    tries = [one.run("restore"), one.run("restore", "force=yes"), one.run("restore")]

    assert [lines[-1] for lines in tries] == ["end=hand", "end=hand", "end=nothing"]
    assert all("failed=policy0 ondemand:600000:1200000" in lines for lines in tries)


def test_never_held_is_nothing_to_set_back(one):
    assert one.run("restore") == one.run("look") == ["why=never", "end=nothing"]


@pytest.fixture
def jetson(one: Tree) -> Tree:
    """A stand-in that says what Jetsons were recorded to say; written by hand, so it verifies nothing of a Jetson."""
    nvp = one.folder / "nvp"
    nvp.mkdir()
    (nvp / "mode").write_text("2\n")
    (nvp / "modes").write_text(recorded("jetson-nvpmodel-p.txt"))
    (nvp / "failed").write_text(recorded("jetson-nvpmodel-m-failed.txt"))
    for name in ("nvpmodel", "jetson_clocks"):
        shutil.copy(SYNTHETIC / name, one.folder / "bin" / name)
    return one


def mode(tree: Tree) -> str:
    return (tree.folder / "nvp" / "mode").read_text().strip()


def test_a_jetsons_mode_and_clocks_come_back_in_the_order_in_which_they_depend(jetson, holds):
    hold = holds(jetson.hold())

    answers = [hold.ask("mode 4"), hold.ask("jetson")]
    meanwhile = (mode(jetson), jetson.values("policy4"))
    said = hold.end()

    assert answers == ["ok=yes", "ok=yes"]
    assert meanwhile == ("4", ("schedutil", "1800000", "1800000"))
    assert said == ["restored=jetson_clocks", "restored=mode 2", "end=end"]
    assert mode(jetson) == "2"
    assert jetson.is_as_before()


def test_a_mode_that_takes_a_reboot_is_refused_and_the_board_told_no(jetson, holds):
    hold = holds(jetson.hold())

    answer = hold.ask("mode 5")

    assert answer.startswith("error=mode reboot NVPM WARN: Reboot required")
    assert (mode(jetson), (jetson.folder / "nvp" / "rebooted").exists()) == ("2", False)


def test_a_mode_that_does_not_come_about_is_refused_with_what_the_tool_said(jetson, holds):
    answer = holds(jetson.hold()).ask("mode 8")

    assert answer.startswith("error=mode failed NVPM ERROR: Error writing 2")


def test_after_a_reboot_a_jetson_is_still_in_the_mode_that_it_was_set_to(jetson, holds):
    hold = holds(jetson.hold())
    hold.ask("mode 4")
    killed_both(jetson, hold)
    state = jetson.state / "state"
    state.write_text(
        "".join(
            "boot=another\n" if line.startswith("boot=") else f"{line}\n" for line in state.read_text().splitlines()
        )
    )

    said = jetson.run("restore")

    assert said == ["owner=somebody@host", "rebooted=yes", "restored=mode 2", "end=hand"]
    assert mode(jetson) == "2"


def test_a_board_without_jetson_clocks_says_so(one, holds):
    assert holds(one.hold()).ask("jetson") == "error=jetson missing"


@pytest.mark.parametrize(
    "options", [(), ("dance",), ("hold", "house=1"), ("hold", "lease_s=soon"), ("hold", "tick_s=")]
)
def test_what_makes_no_sense_is_refused(one, options):
    done = subprocess.run(["sh", str(SCRIPT), *options], capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert "usage: " in done.stderr
