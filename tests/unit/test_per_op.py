"""Time by operator that cannot be had leaves a reason, and a run that is whole otherwise."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeprof.errors import ChildError, LinkLost
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import Cell
from edgeprof.profile.per_op import measure_per_op
from edgeprof.records import RunPlan
from edgeprof.remote import OpenRequest
from tests.contract.agent.client import MODELS
from tests.unit.test_reports import LAUNCHES, RUN


class Refusing:
    """An agent whose children never come up."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[OpenRequest] = []

    def open(self, request: OpenRequest):
        self.asked.append(request)
        raise self.error


def cell_of(model: Path) -> LiveCell:
    run = replace(RUN, artifact=replace(RUN.artifact, path=model), launches=LAUNCHES, warnings=())
    return LiveCell(run, Cell("ab" * 32, RunPlan(), None, None, stateful=False))


def board_of(agent: Refusing) -> SimpleNamespace:
    return SimpleNamespace(agent=agent, prepared=SimpleNamespace(package=SimpleNamespace(folder="litert")))


@pytest.mark.parametrize("code", ["no_profiler", "child_crashed", "child_out_of_memory"])
def test_a_child_that_fails_leaves_its_code_as_the_reason(code: str):
    agent = Refusing(ChildError("on `pi5`: it has none", code=code))
    cell = cell_of(MODELS / "int8.tflite")

    measure_per_op(board_of(agent), cell)

    assert cell.run.op_profile is None
    assert ("ops", code) in cell.run.not_measured
    assert [warning.code for warning in cell.run.warnings] == ["per_op_failed"]
    assert [request.per_op for request in agent.asked] == [True]


def test_a_lost_link_is_for_the_session_to_mend():
    with pytest.raises(LinkLost):
        measure_per_op(board_of(Refusing(LinkLost("gone"))), cell_of(MODELS / "int8.tflite"))
