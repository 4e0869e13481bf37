"""A board with our agent as a device of MLPerf Tiny's protocol: whoever drives such devices may drive it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from edgeprof.accuracy import decode_outputs
from edgeprof.devices import Device
from edgeprof.errors import ModelError
from edgeprof.profile.tinyports import open_port
from edgeprof.profile.tinyspeaker import Speaker
from edgeprof.records import Artifact
from edgeprof.remote import Board, DataRequest, OpenedChild, OpenRequest, SetupOptions, connect_board
from edgeprof.tiny import Responder, as_answered, as_tensor, form_of, sent_bytes
from edgeprof.units import NS_PER_US

_VENDOR = "edgeprof"
_READ_S = 0.5
_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and how.

    Attributes:
        artifact: The model.
        name: What the device calls it, such as `ic01`; the runner picks its data by that.
        form: How samples come: one of `tiny.FORMS`, or `None` for what goes with the name.
        threads: Threads of the runtime.
    """

    artifact: Artifact
    name: str
    form: str | None = None
    threads: int = 1


class BoardRunner:
    """Runs one model on a board; see `tiny.Runner`. A sample has a process of its own, until the next one is loaded."""

    def __init__(self, board: Board, served: Served) -> None:
        self._board, self._served = board, served
        self._form = served.form or form_of(served.name)
        self._child: OpenedChild | None = None
        self._loaded, self._inputs = b"", ""

    def load(self, sample: bytes) -> None:
        """See `Runner`."""
        if self._child is not None and sample == self._loaded:
            return
        self.close()
        artifact = self._served.artifact
        self._inputs = self._board.push_input(as_tensor(artifact.inputs[0], self._form, sample))
        request = OpenRequest(
            self._board.prepared.package.folder,
            artifact.sha256,
            threads=self._served.threads,
            input_sha256=self._inputs,
        )
        self._child, self._loaded = self._board.agent.open(request), sample

    def run(self, count: int) -> int:
        """See `Runner`: what the board's own clock says of the loop."""
        if not count or self._child is None:
            return 0
        return self._board.agent.invoke_count(self._child.child, count, _TIMEOUT_S).wall_time_ns // NS_PER_US

    def results(self) -> tuple[float, ...]:
        """See `Runner`."""
        if self._child is None:
            return ()
        request = DataRequest(self._child.child, self._inputs, 1, self._served.artifact.stateful, _TIMEOUT_S)
        done = self._board.agent.invoke_data(request)
        raw = self._board.pull(done.file, done.sha256)
        outputs = decode_outputs(self._served.artifact, raw, 1)[0][0]
        return as_answered(self._served.name, self._form, self._loaded, outputs)

    def clock_us(self) -> int:
        """See `Runner`."""
        return self._board.agent.clock() // NS_PER_US

    def close(self) -> None:
        """End the process that holds a sample."""
        if self._child is not None:
            self._board.agent.close(self._child.child, acknowledged=True)
            self._child = None


def serve(device: Device, served: Served, port: str, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Answer as a device until interrupted.

    Args:
        device: The board that runs the model.
        served: Which model.
        port: `pty`, `tcp:PORT` on loopback, or a serial port of this machine.
        say: Told each step that takes a while.
        ready: Told the place where the device answers now.

    Raises:
        UsageError: The port is none of these.
        ModelError: The model has several inputs.
        TransportError: The port cannot be opened, or the board not be reached.
        DeviceError: The board cannot run the model.
    """
    if len(served.artifact.inputs) != 1:
        raise ModelError(f"{served.artifact.path.name} has several inputs", "the protocol loads one")
    with closing(open_port(port)) as end, connect_board(device, SetupOptions(), say) as board:
        board.push_model(served.artifact.path, served.artifact.sha256)
        runner = BoardRunner(board, served)
        spec = served.artifact.inputs[0]
        size = sent_bytes(spec, served.form or form_of(served.name))
        responder = Responder(_VENDOR, served.name, size, runner)
        ready(end.place)
        with closing(Speaker(end.write, lambda: responder.doing)) as speaker:
            while True:
                for answer in responder.heard(end.read(_READ_S)):
                    speaker.say(answer)
