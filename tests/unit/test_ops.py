"""Time by operator adds up to the latency that was measured without the profiler."""

from dataclasses import replace

import pytest

from edgeprof.records import OpProfile, OpTime, RawLaunch, RunPlan, StartUp
from edgeprof.stats import op_shares

START_UP = StartUp(1, 2, 3, 4, 5)
LAUNCHES = tuple(RawLaunch(i, (100_000,) * 5, (), START_UP, 1, 1, 1) for i in range(3))
CONV = OpTime("Convolution (NHWC, F32)", True, 0, "CONV_2D", (1, 8, 8, 4), "float32", 1000, (60_000,) * 8)
ADD = OpTime("ADD", False, 1, "ADD", (1, 4), "float32", 1, (20_000,) * 8)
GONE = OpTime(None, True, 2, "RESHAPE", (1, 4), "float32", 1, ())
PROFILE = OpProfile((CONV, ADD, GONE), (130_000,) * 8)


def amounts(profile: OpProfile, plan: RunPlan | None = None) -> list[float | None]:
    return [row.amount for row in op_shares(profile, LAUNCHES, plan or RunPlan()).rows]


def test_operators_keep_their_times_and_the_rest_is_what_the_latency_leaves():
    found = op_shares(PROFILE, LAUNCHES, RunPlan())

    assert [row.amount for row in found.rows] == [60_000, 20_000, None, 20_000]
    assert [row.share_ratio for row in found.rows] == pytest.approx([0.6, 0.2, None, 0.2])
    assert found.rows[-1].op is None
    assert (found.total, found.profiled, found.scale_ratio) == (100_000, 130_000, 1.0)
    assert found.overhead_ratio == pytest.approx(0.3)


@pytest.mark.parametrize("conv_ns", [0, 1_000, 79_999, 80_001, 500_000])
@pytest.mark.parametrize("latency_ns", [50_000, 100_000, 900_000])
def test_rows_sum_to_the_latency_and_shares_to_one_whatever_the_profiler_did(conv_ns: int, latency_ns: int):
    profile = OpProfile((replace(CONV, runs_ns=(conv_ns,) * 8), ADD, GONE), (latency_ns,) * 8)

    found = op_shares(profile, LAUNCHES, RunPlan())

    assert sum(row.amount for row in found.rows if row.amount is not None) == pytest.approx(found.total)
    assert sum(row.share_ratio for row in found.rows if row.share_ratio is not None) == pytest.approx(1)


def test_operators_slower_than_the_whole_run_are_scaled_to_it_and_leave_no_rest():
    profile = OpProfile((replace(CONV, runs_ns=(180_000,) * 8), ADD), (300_000,) * 8)

    found = op_shares(profile, LAUNCHES, RunPlan())

    assert [row.amount for row in found.rows] == pytest.approx([90_000, 10_000, 0])
    assert found.scale_ratio == pytest.approx(0.5)


def test_profiled_runs_faster_than_the_others_are_scaled_up():
    profile = OpProfile((replace(CONV, runs_ns=(40_000,) * 8),), (50_000,) * 8)

    assert amounts(profile) == pytest.approx([80_000, 20_000])


def test_a_slow_run_does_not_move_the_figures():
    slow = OpProfile((replace(CONV, runs_ns=(60_000,) * 8 + (9_000_000,)),), (130_000,) * 8 + (9_000_000,))

    found = op_shares(slow, LAUNCHES, RunPlan())

    assert [row.amount for row in found.rows] == pytest.approx([60_000, 40_000])
    assert (found.n_runs, found.n_used) == (9, 8)


def test_a_board_that_counts_instructions_gives_instructions():
    counted = RunPlan(clock="instructions", ns_per_instruction=2)

    assert amounts(PROFILE, counted) == [30_000, 10_000, None, 10_000]


def test_without_launches_there_is_nothing_to_share():
    assert op_shares(PROFILE, (), RunPlan()) is None
