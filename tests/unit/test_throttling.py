"""The bits in which a Raspberry Pi's firmware says that it holds the board back."""

import pytest

from edgeprof.boards import BoardFacts, Cpu, throttled_meanwhile, throttling_text, throttling_words
from edgeprof.profile import conditions, doubts
from edgeprof.profile.state import Window, parse_samples, state_in
from edgeprof.records import MOMENTARY, State
from tests.recorded import recorded

WARM, HELD = (int(line.partition("=")[2], 16) for line in recorded("pi-get_throttled.txt").splitlines())


def test_bits_as_a_real_board_said_them_read_in_words():
    assert throttling_text(WARM) == "0x50000 (since its start: under-voltage, throttled)"
    assert throttling_text(HELD) == "0x50005 (under-voltage, throttled; since its start: under-voltage, throttled)"
    assert throttling_text(0) == "0x0"


@pytest.mark.parametrize(
    ("before", "seen", "after", "words"),
    [
        (0, [0], 0, ""),
        (WARM, [WARM], WARM, ""),
        (0, [0], 0x50000, "under-voltage, throttled"),
        (WARM, [HELD], WARM, "under-voltage, throttled"),
        (0, [0x8], 0, "soft temperature limit"),
        (0x2, [], 0, "Arm clock capped"),
        (None, [], None, ""),
    ],
)
def test_only_what_happened_meanwhile_counts(before, seen, after, words):
    assert throttling_words(throttled_meanwhile(before, seen, after)) == words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            {"cpus": (Cpu(0, governor="ondemand"),)},
            {"cpus": (Cpu(0, governor="performance"),)},
            "governor was `ondemand`",
        ),
        ({"power_mode": "15W"}, {"power_mode": "MAXN"}, "power mode was `15W` before the runs and is `MAXN`"),
        ({"power_mode": "15W"}, {"power_mode": "15W"}, None),
        ({"power_mode": "15W"}, {}, None),
    ],
)
def test_a_governor_or_a_power_mode_that_somebody_set_meanwhile_gives_a_warning(before, after, words):
    found = doubts.changed(BoardFacts(**before), BoardFacts(**after))

    assert [one.code for one in found] == (["clocks_changed"] if words else [])
    assert all(words in one.text for one in found)


def test_the_state_before_and_after_has_its_time_on_the_boards_clock_and_is_no_condition():
    facts = BoardFacts(uptime_s=12.5, cpus=(Cpu(0, governor="ondemand"),), power_mode="15W")
    later = BoardFacts(uptime_s=60.25, cpus=(Cpu(0, governor="performance"),), power_mode="MAXN")

    seen = dict(conditions.with_after(conditions.environment(facts), later))

    assert (seen["uptime_s_before"], seen["uptime_s_after"]) == ("12.5", "60.25")
    assert (seen["governor"], seen["governor_after"]) == ("ondemand", "performance")
    assert (seen["power_mode"], seen["power_mode_after"]) == ("15W", "MAXN")
    moving = {name for name in seen if name.startswith(MOMENTARY)}
    assert moving == {"uptime_s_before", "uptime_s_after", "governor_after", "power_mode_after"}


def test_a_board_that_was_held_back_gets_the_warning_and_one_that_was_once_does_not():
    states = (State(None, None, None, None, throttled=HELD), None)

    held = doubts.throttling(BoardFacts(throttled=WARM), states, BoardFacts(throttled=WARM))
    once = doubts.throttling(BoardFacts(throttled=WARM), (), BoardFacts(throttled=WARM))

    assert [found.code for found in held] == ["throttled"]
    assert "under-voltage" in held[0].text
    assert {"latency_ns", "energy_per_inference_uj"} <= set(held[0].spoils)
    assert once == ()


def test_a_launchs_state_holds_every_bit_that_was_seen_in_it():
    line = '{{"monotonic_ns": {}, "temp_mc": [], "freq_khz": [], "busy_ratio": null, "throttled": {}, "cpu_ns": 0}}\n'
    samples = parse_samples(
        "".join(line.format(at, bits) for at, bits in ((1, 1), (2, "null"), (3, 4), (9, 8))).encode()
    )

    assert state_in(samples, Window(0, 5, 0), 1).throttled == 5
    assert state_in(samples, Window(2, 2, 0), 1).throttled is None


def test_power_mode_is_a_condition_and_throttling_a_reading_of_a_moment():
    before = conditions.environment(BoardFacts(throttled=WARM, power_mode="MAXN"))

    assert dict(before) == {"power_mode": "MAXN", "throttled_before": throttling_text(WARM)}
    assert dict(conditions.with_after(before, BoardFacts(throttled=HELD)))["throttled_after"] == throttling_text(HELD)
