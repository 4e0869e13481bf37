"""Does a board that was set up really run a model? One tiny model through agent, protocol and runtime."""

import hashlib
import struct
from dataclasses import dataclass

from edgeprof import resources
from edgeprof.boards import parse_facts
from edgeprof.errors import DeviceError
from edgeprof.records import RuntimeInfo
from edgeprof.remote.answers import DataRequest, OpenRequest
from edgeprof.remote.board import Board

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the try gave.

    Attributes:
        home: Our folder on the board.
        python: The Python that runs the agent; `None`: the native agent, which needs none.
        runtime: What ran the model.
        empty_call_ns: The cost of timing a call that does nothing; `None` where the clock counts instructions.
        empty_call_instructions: The same on a virtual board whose clock counts them, else `None`.
        pushed_bytes: What setting up had to send.
    """

    home: str
    python: str | None
    runtime: RuntimeInfo
    empty_call_ns: int | None
    empty_call_instructions: float | None
    pushed_bytes: int


def self_test(board: Board) -> SelfTest:
    """Run the tiny model `y = 2 x + 1` on the board and compare.

    Raises:
        DeviceError: The runtime computes something else, or does not load.
    """
    model = resources.folder("device_agents") / "selftest.tflite"
    data = model.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    board.push_model(model, sha256)
    inputs = board.push_input(struct.pack("<4f", 0.0, 1.0, -2.0, 0.5))
    child = board.agent.open(OpenRequest(board.prepared.package.folder, sha256, timeout_s=_TIMEOUT_S))
    done = board.agent.invoke_data(DataRequest(child.child, inputs, 1, fresh=False, timeout_s=_TIMEOUT_S))
    got = struct.unpack("<4f", board.pull(done.file, done.sha256))
    board.agent.close(child.child, acknowledged=True)
    if got != (1.0, 3.0, -3.0, 2.0):
        raise DeviceError(
            f"the runtime on `{board.device.name}` computes something else: 2x+1 gave {got}",
            "`edgeprof device setup NAME --runtime litert|tflite-runtime` tries the other runtime",
        )
    counted = parse_facts(board.agent.probe()).ns_per_instruction
    return SelfTest(
        home=board.prepared.survey.home,
        python=board.agent.python,
        runtime=child.runtime,
        empty_call_ns=None if counted else child.empty_call_ns,
        empty_call_instructions=child.empty_call_ns / counted if counted else None,
        pushed_bytes=board.prepared.pushed_bytes,
    )
