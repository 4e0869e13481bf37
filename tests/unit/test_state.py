"""The board's state while it ran: from a sampler's lines to one record a launch, and its warnings."""

import json
from types import SimpleNamespace

import pytest

from edgeprof.profile import conditions, doubts
from edgeprof.profile.state import Watcher, Window, cost_ratio, parse_samples, state_in
from edgeprof.records import CoreClock, State

SECOND = 1_000_000_000


def lines(*samples):
    return b"".join(json.dumps(sample).encode() + b"\n" for sample in samples)


def sample(second, busy=0.5, temp=(40_000,), freq=(1_500_000,), cpu_ns=0):
    return {
        "monotonic_ns": int(second * SECOND), "temp_mc": list(temp), "freq_khz": list(freq), "busy_ratio": busy,
        "cpu_ns": cpu_ns,
    }  # fmt: skip


def test_the_hottest_zone_and_the_clocks_in_the_window_count():
    samples = parse_samples(
        lines(
            sample(0, temp=(99_000,)),
            sample(1, temp=(40_000, 52_000), freq=(600_000, 1_500_000)),
            sample(2, temp=(41_000, None), freq=(None, 1_400_000)),
            sample(9, temp=(99_000,)),
        )
    )

    found = state_in(samples, Window(SECOND, 3 * SECOND, 0), 2)

    assert (found.temp_mc, found.freq_khz_low, found.freq_khz_high) == (52_000, 600_000, 1_500_000)


def test_each_core_has_its_clock_before_meanwhile_and_after():
    samples = parse_samples(
        lines(
            sample(0, freq=(600_000, 700_000)),
            sample(1, freq=(1_500_000, None)),
            sample(2, freq=(1_400_000, None)),
            sample(9, freq=(800_000, 900_000)),
        )
    )

    found = state_in(samples, Window(SECOND, 3 * SECOND, 0), 2)

    assert found.core_khz == (
        CoreClock(600_000, 1_400_000, 1_500_000, 800_000),
        CoreClock(700_000, None, None, 900_000),
    )


def test_a_board_that_says_no_clock_has_none_by_core():
    assert state_in(parse_samples(lines(sample(1, freq=(None,)))), Window(0, 2 * SECOND, 0), 1).core_khz == ()


def test_others_are_what_all_cores_did_less_our_own_and_the_samplers():
    samples = parse_samples(lines(*(sample(t, busy=0.5, cpu_ns=t * SECOND // 100) for t in range(5))))

    found = state_in(samples, Window(0, 4 * SECOND, own_cpu_ns=4 * SECOND), cores=4)

    assert found.others_cores == pytest.approx(2.0 - 1.0 - 0.01)


def test_a_window_with_too_few_samples_says_nothing_of_others():
    samples = parse_samples(lines(sample(0), sample(1)))

    assert state_in(samples, Window(0, 10 * SECOND, 0), 4).others_cores is None
    assert state_in([], Window(0, SECOND, 0), 4) == State(None, None, None, None)


def test_lines_that_are_cut_or_foreign_are_left_out():
    data = lines(sample(0), sample(1)) + b'{"monotonic_ns": 2000'

    assert len(parse_samples(data)) == 2
    assert parse_samples(b"\xff\n[]\n{}\n") == []


def test_warnings_name_others_and_clocks_that_fell():
    busy = State(None, None, None, 0.8)
    fell = [State(60_000, 600_000, khz, 0.0) for khz in (2_400_000, 2_400_000, 1_500_000)]

    assert [w.code for w in doubts._state([busy, busy])] == ["other_load"]
    assert doubts._state(fell)[0].text.startswith("the fastest core ran at 1500 to 2400 MHz")
    assert doubts._state([None, State(None, None, None, None)]) == []


def test_latency_that_rises_in_one_launch_and_falls_in_another_does_not_drift():
    def run(*ends):
        launches = [SimpleNamespace(latency_ns=[round(1000 + end * i / 8) for i in range(80)]) for end in ends]
        return SimpleNamespace(launches=launches)

    (rising,) = doubts._drift(run(20, 20, -20))

    assert rising.text.startswith("latency rises by 17.")
    assert doubts._drift(run(20, -20, 0)) == doubts._drift(run(20, 0, 0)) == []


def test_what_watching_took_is_a_share_of_a_core_and_unknown_where_samples_do_not_say():
    samples = parse_samples(lines(sample(0, cpu_ns=1_000_000), sample(1), sample(2, cpu_ns=7_000_000)))

    assert cost_ratio(samples) == pytest.approx(0.003)
    assert cost_ratio(samples[:1]) is None
    assert dict(conditions.with_sampler((), 0.003)) == {"sampler_cost": "0.3 % of a core"}
    assert conditions.with_sampler((), None) == ()


def test_rounds_of_before_a_restart_take_no_sample_of_after_it():
    """The board's clock begins at zero again, so that the same seconds come twice."""
    agent = SimpleNamespace(sampler_start=lambda _hz: 1, sampler_stop=lambda _: SimpleNamespace(file="f", sha256="s"))
    board = SimpleNamespace(agent=agent, pull=lambda *_: lines(sample(100, temp=(90_000,)), sample(101)))
    watcher = Watcher(2)

    watcher.start(board)
    watcher.mark(0, Window(99 * SECOND, 102 * SECOND, 0, thermal_status=1))
    watcher.start(board)
    watcher.mark(1, Window(99 * SECOND, 102 * SECOND, 0))
    watcher.stop(board)

    before, after = watcher.states(2)
    assert (before.temp_mc, before.thermal_status, after.temp_mc) == (None, 1, 90_000)
