"""Clocks of a board: what they are set to, what they are to be pinned to, and whether they stayed there."""

import pytest

from edgeprof.boards import (
    BoardFacts,
    ClockPolicy,
    Cpu,
    advice,
    clocks_text,
    find_mode,
    parse_facts,
    parse_modes,
    settings,
    wishes,
)
from edgeprof.compare.conditions import differing
from edgeprof.errors import DeviceError, UsageError
from edgeprof.profile import conditions, doubts
from edgeprof.profile.pinning import Pinning, pin_doubts
from edgeprof.profile.state import Window, parse_samples, state_in
from edgeprof.profile.sustained import throttled_in
from edgeprof.records import CoreClock, RunPlan, State, SustainedWindow
from edgeprof.remote.clockscript import LEASE_VARIABLE, lease_seconds, parse_restored, refusal
from edgeprof.remote.shellprobe import parse_probe
from tests.recorded import recorded

LITTLE = ClockPolicy(
    "policy0", (0, 1, 2, 3), "ondemand", ("ondemand", "performance"), 600_000, 1_200_000, 600_000, 1_200_000,
    (600_000, 900_000, 1_200_000),
)  # fmt: skip
BIG = ClockPolicy(
    "policy4",
    (4, 5),
    "schedutil",
    (),
    408_000,
    1_800_000,
    408_000,
    1_800_000,
    (408_000, 1_200_000, 1_479_000, 1_800_000),
)
FREE = ClockPolicy("policy0", (0,), "powersave", ("performance", "powersave"), 400_000, 4_000_000, 400_000, 4_000_000)
BOTH = (LITTLE, BIG)


def pinned(policy: ClockPolicy, khz: int) -> ClockPolicy:
    return ClockPolicy(
        policy.name, policy.cpus, "performance", min_khz=khz, max_khz=khz, highest_khz=policy.highest_khz
    )


def test_what_clocks_are_set_to_reads_group_by_group():
    highest = ClockPolicy("policy6", (6, 8), "performance", min_khz=600_000, max_khz=2_000_000)

    text = clocks_text((LITTLE, pinned(BIG, 1_479_000), highest, ClockPolicy("policy9")))

    assert text == (
        "cpu0-3 600-1200 MHz by ondemand; cpu4-5 at 1479 MHz; cpu6,8 at its highest, 2000 MHz; "
        "policy9 by nobody knows which governor"
    )
    assert clocks_text(()) is None


@pytest.mark.parametrize(
    ("pin", "mhz", "wish"),
    [
        (False, (), None),
        (True, (), "performance"),
        (False, ("1500",), "1500"),
        (True, ("little=1200", "big=1800"), "big=1800 little=1200"),
    ],
)
def test_options_become_one_wish(pin, mhz, wish):
    assert wishes(pin, mhz) == wish


@pytest.mark.parametrize(
    "mhz", [("fast",), ("1.5",), ("big",), ("middle=1000",), ("1500", "1200"), ("big=1", "big=2"), ("1500", "big=1800")]
)
def test_a_wish_that_names_no_clock_or_some_cores_twice_is_refused(mhz):
    with pytest.raises(UsageError):
        wishes(False, mhz)


def texts(policies, wish):
    return {setting.policy: setting.text() for setting in settings(policies, wish, "board")}


def test_each_group_is_set_to_the_clock_that_a_person_means():
    assert texts(BOTH, "performance") == {
        "policy0": "performance:600000:1200000",
        "policy4": "performance:408000:1800000",
    }
    assert texts(BOTH, "1200") == {"policy0": "performance:1200000:1200000", "policy4": "performance:1200000:1200000"}
    assert texts(BOTH, "big=1479 little=900") == {
        "policy0": "performance:900000:900000",
        "policy4": "performance:1479000:1479000",
    }
    assert texts(BOTH, "policy4=1800") == {"policy4": "performance:1800000:1800000"}
    assert texts((FREE,), "2345") == {"policy0": "performance:2345000:2345000"}


@pytest.mark.parametrize(
    ("policies", "wish", "message", "hint"),
    [
        ((), "performance", "its kernel has no cpufreq", "leave out --pin-clocks"),
        ((), "1500", "its kernel has no cpufreq", "leave out --pin-mhz"),
        (BOTH, "1000", "cpu0-3 of `board` has no clock of 1000 MHz", "it has 600, 900, 1200 MHz"),
        ((FREE,), "5000", "does not run at 5000 MHz", "400 to 4000 MHz"),
        ((LITTLE,), "big=1200", "the cores of `board` are all alike", "--pin-mhz 1500"),
        (BOTH, "policy1=1200", "`board` has no policy1", "did you mean `policy"),
        (
            (ClockPolicy("policy0", governors=("schedutil",)),),
            "performance",
            "has no governor `performance`",
            "schedutil",
        ),
        ((ClockPolicy("policy0"),), "performance", "does not say its limits", "leave out"),
    ],
)
def test_what_a_board_cannot_do_is_refused_with_what_it_can(policies, wish, message, hint):
    with pytest.raises(DeviceError) as caught:
        settings(policies, wish, "board")

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_advice_holds_the_groups_that_may_move_and_no_others():
    assert advice((pinned(LITTLE, 900_000), pinned(BIG, 1_800_000))) is None
    assert advice(BOTH).endswith("echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor")
    assert advice((pinned(LITTLE, 900_000), BIG)).endswith(
        "tee /sys/devices/system/cpu/cpufreq/policy4/scaling_governor"
    )


def test_a_run_warns_of_each_group_whose_clock_may_move():
    loose = doubts.before(BoardFacts(policies=BOTH), device(), artifact(), RunPlan())
    held = doubts.before(BoardFacts(policies=(pinned(LITTLE, 900_000),)), device(), artifact(), RunPlan())
    phone = doubts.before(BoardFacts(policies=BOTH, libc="bionic"), device(), artifact(), RunPlan())
    old = doubts.before(BoardFacts(cpus=(Cpu(0, governor="ondemand"),)), device(), artifact(), RunPlan())

    assert [found.code for found in loose] == ["powersave_governor"]
    assert "cpu0-3 600-1200 MHz by ondemand; cpu4-5 408-1800 MHz by schedutil" in loose[0].text
    assert "sudo tee" in loose[0].text
    assert held == ()
    assert "only root" in phone[0].text
    assert "governor ondemand" in old[0].text


def test_a_probe_of_either_agent_gives_the_same_policies():
    python = {
        "policies": [
            {
                "name": "policy0", "cpus": [0, 1, 2, 3], "governor": "ondemand", "governors": ["ondemand", "performance"],
                "min_khz": 600000, "max_khz": 1200000, "lowest_khz": 600000, "highest_khz": 1200000,
                "steps_khz": [1200000, 900000, 600000],
            }
        ]
    }  # fmt: skip
    shell = parse_probe(
        "policy.0.name=policy0\npolicy.0.cpus=0 1 2 3\npolicy.0.governor=ondemand\npolicy.0.governors=ondemand performance\n"
        "policy.0.min_khz=600000\npolicy.0.max_khz=1200000\npolicy.0.lowest_khz=600000\npolicy.0.highest_khz=1200000\n"
        "policy.0.steps_khz=1200000 900000 600000 \n"
    )

    assert parse_facts(python).policies == parse_facts(shell).policies == (LITTLE,)
    assert parse_facts(
        {"policies": [{}, {"name": 3}, {"name": "policy1", "cpus": "all", "min_khz": "x"}]}
    ).policies == (ClockPolicy("policy1"),)


def test_clocks_are_a_condition_and_who_set_them_is_none():
    by_us = dict(conditions.environment(BoardFacts(policies=(pinned(LITTLE, 900_000),))))
    free = dict(conditions.environment(BoardFacts(policies=(LITTLE,))))
    nobody = dict(Pinning(RunPlan(), print).environment(BoardFacts(policies=(LITTLE,), power_mode="15W")))

    assert [change.name for change in differing(by_us, free)] == ["clocks"]
    assert nobody == {"clocks_set_by": "not edgeprof", "jetson_clocks": "not run by edgeprof"}


def state(*khz) -> State:
    return State(None, None, None, None, core_khz=tuple(CoreClock(None, value, value, None) for value in khz))


def test_clocks_that_stayed_where_they_were_pinned_give_no_doubt():
    policies = (pinned(LITTLE, 900_000),)

    assert pin_doubts(policies, policies, [state(*[900_000] * 4), None]) == ()
    assert pin_doubts((), BOTH, [state(600_000)]) == ()


def test_clocks_that_somebody_changed_or_heat_held_back_are_a_warning():
    policies = (pinned(LITTLE, 900_000),)

    changed = pin_doubts(policies, (LITTLE,), [])
    hot = pin_doubts(policies, policies, [state(*[900_000] * 4), state(900_000, 600_000, 900_000, 900_000)])

    assert [found.code for found in (*changed, *hot)] == ["pin_not_held"] * 2
    assert "were set to cpu0-3 at 900 MHz, and at the end are cpu0-3 600-1200 MHz by ondemand" in changed[0].text
    assert "cpu0-3 is pinned to 900 MHz and ran at 600 MHz in a launch" in hot[0].text
    assert {"latency_ns", "power_mw"} <= set(hot[0].spoils)


@pytest.mark.parametrize("wanted", ["2", "MODE_15W_6CORE", "mode_15w_6core", "15W_6CORE", "15w_6core"])
def test_a_power_mode_is_found_by_number_or_name(wanted):
    modes = parse_modes(recorded("jetson-nvpmodel-p.txt"))

    assert len(modes) == 9
    assert find_mode(modes, wanted, "board").number == 2


def test_a_power_mode_that_the_board_has_not_is_refused_with_those_that_it_has():
    with pytest.raises(DeviceError) as caught:
        find_mode(parse_modes(recorded("jetson-nvpmodel-p.txt")), "15W", "board")

    assert "MODE_15W_2CORE (0), MODE_15W_4CORE (1)" in caught.value.hint
    with pytest.raises(DeviceError, match="names no power modes"):
        find_mode((), "15W", "board")


@pytest.mark.parametrize(
    ("what", "rest", "message", "hint"),
    [
        ("mode", "reboot NVPM WARN: Reboot required", "takes a reboot", "sudo nvpmodel -m"),
        ("mode", "failed NVPM ERROR: x", "did not change: failed NVPM ERROR: x", "nvpmodel"),
        ("held", "ann@desk", "held by ann@desk", "edgeprof device restore board --force"),
        ("heat", "", "heat", "cool"),
        ("nonsense", "x", "clocks: nonsense x", "restore board"),
    ],
)
def test_what_a_board_refuses_is_said_with_the_next_step(what, rest, message, hint):
    error = refusal(what, rest, "board")

    assert message in error.message
    assert hint in error.hint


def test_what_was_set_back_is_read_from_what_the_board_says():
    lines = ["owner=ann@desk", "rebooted=yes", "restored=mode 2", "failed=policy0 ondemand:1:2", "end=hand"]

    found = parse_restored(lines, now=True)

    assert (found.why, found.by, found.rebooted) == ("hand", "ann@desk", True)
    assert (found.done, found.failed) == (("mode 2",), ("policy0 ondemand:1:2",))


def test_the_lease_may_be_set_within_reason(monkeypatch):
    assert lease_seconds() == 30
    monkeypatch.setenv(LEASE_VARIABLE, "3")
    assert lease_seconds() == 3
    for nonsense in ("0", "1", "soon", "-5", ""):
        monkeypatch.setenv(LEASE_VARIABLE, nonsense)
        with pytest.raises(UsageError):
            lease_seconds()


def test_throttling_in_a_long_run_is_seen_second_by_second():
    windows = [
        SustainedWindow(float(i), 9, 1.0, 1.0, None, None, bits) for i, bits in enumerate((None, 0, 0x50005, 0x50000))
    ]

    assert throttled_in(windows) == 0x5
    assert throttled_in(windows[:2]) == 0
    assert doubts.held_back(0) == ()
    found = doubts.held_back(0x5, "in the sustained run ")
    assert found[0].code == "throttled"
    assert found[0].text.startswith("in the sustained run the firmware held the board back (under-voltage, throttled)")


def test_a_second_of_a_long_run_holds_the_bits_that_were_seen_in_it():
    line = '{"monotonic_ns": 5, "temp_mc": [], "freq_khz": [], "busy_ratio": null, "throttled": 4, "cpu_ns": 0}\n'

    assert state_in(parse_samples(line.encode()), Window(0, 9, 0), 1).throttled == 4


def device():
    from edgeprof.devices import Device

    return Device("board", "ssh://pi@192.0.2.1")


def artifact():
    from pathlib import Path

    from edgeprof.records import Artifact

    return Artifact(Path("m.tflite"), "0" * 64, 1, "m", "as-is", (), ())
