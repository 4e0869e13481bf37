"""Energy of a pair, where one of the two has none."""

from dataclasses import replace
from typing import NoReturn

import pytest

from edgeprof.boards import BoardFacts
from edgeprof.pairs import ENERGY, ENERGY_TURNS
from edgeprof.profile import energy_turns
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell
from edgeprof.profile.request import ProfileRequest
from edgeprof.records import RunPlan
from tests.unit.test_energy import trace
from tests.unit.test_reports import RUN


def cell(name: str, status: str, **changes) -> LiveCell:
    run = replace(RUN, run_id=name, status=status, not_measured=(), warnings=(), **changes)
    return LiveCell(run, Cell("ab" * 32, RunPlan(), None, None, stateful=False))


def never(*_: object) -> NoReturn:
    raise AssertionError("it was measured alone")


def after(cells: list[LiveCell]) -> None:
    request = ProfileRequest((RUN.artifact,), RunPlan(), verdict_only=True)
    energy_turns.energy_in_turns(None, cells, BoardFacts(), request, never, never)


@pytest.mark.parametrize("failed", [0, 1])
def test_the_partner_of_one_that_failed_is_not_measured_alone_and_says_so(failed):
    cells = [cell(str(index), "failed" if index == failed else "running") for index in (0, 1)]

    after(cells)

    left = cells[1 - failed].run
    assert left.not_measured == ((ENERGY, "partner_failed"), (ENERGY_TURNS, "partner_failed"))
    assert [one.code for one in left.warnings] == ["energy_not_measured"]
    assert cells[failed].run.not_measured == ()


def test_windows_from_before_the_partner_failed_stay():
    left = cell("b", "running", energy_turns=(trace(),))

    after([cell("a", "failed"), left])

    assert left.run.energy_turns
    assert left.run.not_measured == ()
