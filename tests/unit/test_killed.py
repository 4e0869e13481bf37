"""Who ended a process on a phone: what its logs say, and what they do not."""

import pytest

from edgeprof.errors import ChildError, LinkLost
from edgeprof.remote.killed import explained, read_kills
from tests.recorded import recorded, synthetic

DIED = ChildError("on `phone`: the process died of SIGKILL", None, code="child_crashed", signal="SIGKILL", pid=18624)
NOW = 1_761_301_450
KERNEL, OOM, GROUP = synthetic("kernel-kills.txt").splitlines()
MEMORY = [("memory_total_kib", "4194304"), ("memory_available_kib", "102400")]


def said(*log: str, age_s: float = 1.0, kernel: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """What `agent.sh killed` answers; the recorded lines get the stamp of the format that it asks for."""
    stamped = [("log", f"{NOW - age_s:.3f}   710   710 I {line.partition(' I ')[2]}") for line in log]
    clocks = [("now_unix_s", str(NOW)), ("uptime_s", "5001.00")]
    return [*clocks, *MEMORY, ("log_read", "logcat"), *stamped, *(("dmesg", line) for line in kernel)]


def lines() -> list[str]:
    return recorded("android-lmkd.txt").splitlines()


def test_the_low_memory_killer_s_own_lines_name_the_process_and_when():
    kills = read_kills(said(*lines()))

    assert [(kill.pid, round(kill.age_s or -1)) for kill in kills] == [(18624, 1), (17933, 1)]
    assert kills[0].line.startswith("lowmemorykiller: Kill 'com.android.vending' (18624), uid 10453")


def test_a_process_that_the_log_names_was_ended_for_want_of_memory():
    found = explained(DIED, lambda: said(*lines()), 10)

    assert found.code == "child_out_of_memory"
    assert "Android's low-memory killer (lmkd) ended it (`lowmemorykiller: Kill " in found.message
    assert "free memory" in (found.hint or "")


@pytest.mark.parametrize(
    ("line", "by"),
    [(KERNEL, "the kernel's low-memory killer"), (OOM, "the kernel, for want"), (GROUP, "the kernel, for want")],
)
def test_the_kernel_s_log_counts_as_well(line, by):
    found = explained(DIED, lambda: said(kernel=(line,)), 10)

    assert found.code == "child_out_of_memory"
    assert by in found.message


def test_a_line_that_is_older_than_the_process_is_about_another_with_its_number():
    found = explained(DIED, lambda: said(*lines(), age_s=60.0), 10)

    assert found.code == "child_crashed"
    assert "cause not known (logcat does not name it, 100 MiB of 4.00 GiB are free now)" in found.message


def test_a_line_without_a_time_proves_nothing():
    found = explained(DIED, lambda: said(kernel=(OOM.partition("] ")[2],)), 10)

    assert found.code == "child_crashed"


def test_others_that_were_ended_are_told_and_are_no_cause():
    found = explained(DIED, lambda: said(lines()[-1]), 10)

    assert found.code == "child_crashed"
    assert "1 other process was ended for want of memory meanwhile" in found.message


def test_a_phone_that_cannot_be_asked_leaves_the_cause_unknown():
    def gone():
        raise LinkLost("away")

    found = explained(DIED, gone, 10)

    assert "cause not known (the phone could not be asked)" in found.message
    assert found.signal == "SIGKILL"


def test_without_any_log_that_is_said():
    found = explained(DIED, lambda: MEMORY, 10)

    assert "no log can be read" in found.message
