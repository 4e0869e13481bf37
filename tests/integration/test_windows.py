"""Where the windows of energy lie, by a real process: clear of its model's load, of its warm-up and of its runs' edges."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from edgeprof import resources
from edgeprof.devices import LOCAL
from edgeprof.power import power_estimates
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell
from edgeprof.profile.phases import live_child, run_phases
from edgeprof.records import PowerTrace, RunPlan
from edgeprof.remote import SetupOptions, connect_board
from tests.unit.test_reports import RUN

MODEL = resources.folder("device_agents") / "selftest.tflite"
SETTLED_NS = 500_000_000
PERIOD_NS = 20_000_000


def test_trap_window_with_the_model_load_in_it_on_the_products_own_path(tmp_path, cache_dir, monkeypatch):
    """A rail that took 50 W while the model was loaded and warmed, and 3 W ever since, reads 3 W."""
    monkeypatch.setenv("EDGEPROF_CACHE_DIR", str(cache_dir))
    sha256 = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    cell = LiveCell(RUN, Cell(sha256, RunPlan(), None, None, stateful=False))
    board_here = replace(LOCAL, home=str(tmp_path / "board"))
    with connect_board(board_here, SetupOptions(), lambda _: None, lambda _done, _total: None) as board:
        board.push_model(MODEL, sha256, lambda _done, _total: None)
        begun_ns = board.agent.clock()
        with live_child(board, cell) as child:
            warm_ns = board.agent.clock()
            phases = run_phases(board, cell, child, 50.0)
        ended_ns = board.agent.clock()

    chance = np.random.default_rng(1)
    times = np.arange(begun_ns, ended_ns, PERIOD_NS)
    watts = np.where(times < warm_ns, 50.0, 3.0) + chance.normal(0, 0.02, len(times))
    seen = PowerTrace(
        "VDD_IN", "board", None, PERIOD_NS, tuple(map(int, times)), tuple(int(w * 1e6) for w in watts),
        phases.idle_before_ns, phases.run_ns, phases.idle_after_ns, phases.runs, 0.0,
    )  # fmt: skip
    _, _, power, idle = power_estimates(seen)

    assert warm_ns - begun_ns >= 1_000_000_000  # there is a load and a warm-up to keep out
    assert phases.idle_before_ns[0] - warm_ns >= SETTLED_NS
    assert phases.run_ns[0] >= phases.idle_before_ns[1]
    assert phases.idle_after_ns[0] - phases.run_ns[1] >= SETTLED_NS
    assert power.point == pytest.approx(3000, rel=0.01)
    assert idle.point == pytest.approx(3000, rel=0.01)
