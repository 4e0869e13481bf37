"""The agent's contract on a virtual board without Python: all that its answers alone show, on another processor.

The tests are those of `tests/contract/agent`; here they speak by SSH to one agent, on the board of `test_restarted`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgeprof.remote import SetupOptions, connect_board
from edgeprof.transport import Transport
from edgeprof.transport.files import pull_bytes, push_bytes
from tests.contract.agent import client
from tests.contract.agent.test_requests import (  # noqa: F401 - collected here once more
    test_a_line_above_1_mib_is_refused_once,
    test_a_plan_that_contradicts_itself_is_a_bad_request,
    test_an_answer_carries_the_id_as_it_came,
    test_an_unknown_method_is_named,
    test_garbage_is_a_bad_request_and_the_next_line_is_heard,
    test_requests_may_come_in_pieces_and_many_at_once,
    test_wrong_counts_are_bad_requests_and_the_child_lives,
)
from tests.contract.agent.test_runs import (  # noqa: F401 - collected here once more
    test_a_duration_of_nothing_still_runs_once,
    test_a_duration_runs_at_least_the_least_count,
    test_an_input_shorter_than_a_sample_cannot_be_opened,
    test_an_unknown_batch_is_one,
    test_fewer_samples_than_the_file_holds_may_be_asked_for,
    test_fresh_forgets_variables_before_each_sample,
    test_inputs_and_outputs_are_in_the_models_order,
    test_int8_goes_in_and_out_as_int8,
    test_many_latencies_come_as_a_file_alone,
    test_more_samples_than_the_file_holds_are_a_bad_request_and_the_child_lives,
    test_open_says_what_was_opened_and_what_it_took,
    test_outputs_come_sample_by_sample,
    test_runs_over_samples_do_not_change_what_is_timed,
    test_the_graphs_order_counts_not_the_signatures,
    test_variables_live_from_sample_to_sample,
)

PATIENCE_S = 120.0  # an emulated processor is slow


class FarBoard(client.Board):
    """The folder on the virtual board, and one here for what the agent writes to standard error."""

    def __init__(self, scratch: Path, place: str, way: Transport) -> None:
        self.home, self._place, self._way = scratch, place, way

    @property
    def place(self) -> str:
        return self._place

    def read(self, file: str) -> bytes:
        return pull_bytes(self._way, f"{self._place}/{file}")

    def _push(self, folder: str, data: bytes, suffix: str) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        push_bytes(self._way, data, f"{self._place}/{folder}/{sha256}{suffix}")
        return sha256


class FarAgent(client.Agent):
    """An agent whose children end with each test; it is given the time that an emulated processor takes."""

    def answer(self, number: int | None, patience_s: float = PATIENCE_S) -> dict:
        return super().answer(number, patience_s)

    def open(self, model: object, **params: object) -> dict:
        opened = super().open(model, **params)
        self.children.append(opened["child"])
        return opened


@pytest.fixture(scope="module")
def far(standing, cache_dir, tmp_path_factory) -> Iterator[FarAgent]:
    """An agent on the board, greeted, with LiteRT."""
    up = standing("no-python")
    scratch = tmp_path_factory.mktemp("far")
    login = ("-i", str(up.identity), "-p", str(up.ssh_port), "-o", "StrictHostKeyChecking=no")
    quiet = ("-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes")
    with closing(connect_board(up.device("board"), SetupOptions(), print)) as connected:
        prepared, way = connected.prepared, connected.transport
        connected.agent.shut()
        program = prepared.agent.command[: prepared.agent.command.index("serve")]
        board = FarBoard(scratch, prepared.survey.home, way)
        agent = FarAgent(board, ("ssh", *login, *quiet, "edge@127.0.0.1", *program), prepared.package.folder)
        agent.children = []
        try:
            assert client.wait_until(lambda: greeted(agent))
            yield agent
        finally:
            agent.dispose()


def greeted(agent: client.Agent) -> bool:
    """Greet it; return `False` while the one before it still holds the board."""
    try:
        agent.hello()
    except client.Refused:
        return False
    return True


@pytest.fixture
def agent(far: FarAgent) -> Iterator[FarAgent]:
    yield far
    for child in far.children:
        far.call("close", child=child, acknowledged=True)
    far.children.clear()
    far.unasked.clear()


@pytest.fixture
def either(agent: FarAgent) -> FarAgent:
    return agent


@pytest.fixture
def child(agent: FarAgent, selftest: Path) -> int:
    return agent.open(selftest)["child"]


@pytest.fixture
def selftest() -> Path:
    return Path(__file__).parents[2] / "device_agents" / "selftest.tflite"
