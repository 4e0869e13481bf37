"""Power rails out of a trace of Perfetto's; the traces are made by Google's protobuf, none was recorded on a phone."""

import pytest

from edgeprof.power.perfetto import read_rails
from tests.perfetto_program import RAILS, add_clocks, add_counts, add_rails, trace_message

pytest.importorskip("google.protobuf")
MS = 1_000_000
# A phone that has slept for an hour since it started: its two clocks are that far apart.
SLEPT_MS = 3_600_000


def trace(*, clocks: bool = True, woke_ms: int = 0) -> bytes:
    made = trace_message()()
    if clocks:
        add_clocks(made, 10_000 * MS, (10_000 + SLEPT_MS) * MS)
    add_rails(made)
    for turn in range(20):
        add_counts(made, SLEPT_MS + 10_000 + 100 * turn)
    if woke_ms:
        add_clocks(made, 12_000 * MS, (12_000 + SLEPT_MS + woke_ms) * MS)
    return made.SerializeToString()


def test_every_rail_has_its_counts_on_the_board_s_monotonic_clock():
    first, second = read_rails(trace())

    assert [(rail.name, rail.subsystem) for rail in (first, second)] == [(name, what) for name, what, _ in RAILS]
    assert first.time_ns[:2] == (10_000 * MS, 10_100 * MS)
    seconds = (first.time_ns[-1] - first.time_ns[0]) / 1e9
    assert (first.energy_uj[-1] - first.energy_uj[0]) / seconds / 1000 == pytest.approx(RAILS[0][2], rel=0.01)
    assert (second.energy_uj[-1] - second.energy_uj[0]) / seconds / 1000 == pytest.approx(RAILS[1][2], rel=0.01)


def test_a_trace_during_which_the_phone_slept_is_refused():
    with pytest.raises(ValueError, match="the phone slept meanwhile"):
        read_rails(trace(woke_ms=50))


def test_a_trace_without_clocks_is_refused():
    with pytest.raises(ValueError, match="says nothing of its clocks"):
        read_rails(trace(clocks=False))


def test_a_count_that_was_read_twice_is_one_count():
    made = trace_message()()
    add_clocks(made, 0, 0)
    add_rails(made)
    for _ in range(3):
        add_counts(made, 500)

    assert read_rails(made.SerializeToString())[0].time_ns == (500 * MS,)


def test_a_phone_that_counts_nothing_has_no_rails():
    made = trace_message()()
    add_clocks(made, 0, 0)

    assert read_rails(made.SerializeToString()) == ()


@pytest.mark.parametrize("length", [0, 1, 7, 60, 200])
def test_a_trace_that_was_cut_is_refused_or_shorter_and_never_wrong(length):
    whole = read_rails(trace())
    try:
        found = read_rails(trace()[:length])
    except ValueError:
        return

    for rail, full in zip(found, whole, strict=False):
        assert set(rail.energy_uj) <= set(full.energy_uj)
