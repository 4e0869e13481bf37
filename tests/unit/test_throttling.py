"""The bits in which a Raspberry Pi's firmware says that it holds the board back."""

import pytest

from edgeprof.boards import BoardFacts, throttled_meanwhile, throttling_text, throttling_words
from edgeprof.profile import conditions
from edgeprof.profile.state import Window, parse_samples, state_in
from edgeprof.records import State
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


def test_a_board_that_was_held_back_gets_the_warning_and_one_that_was_once_does_not():
    states = (State(None, None, None, None, throttled=HELD), None)

    held = conditions.throttling(BoardFacts(throttled=WARM), states, BoardFacts(throttled=WARM))
    once = conditions.throttling(BoardFacts(throttled=WARM), (), BoardFacts(throttled=WARM))

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
