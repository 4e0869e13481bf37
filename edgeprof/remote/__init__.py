"""The host's end of an agent: bootstrap, the protocol, and the board as one thing to talk to."""

from edgeprof.remote.agent import (
    Agent,
    DataRequest,
    InvokeData,
    InvokePerOp,
    InvokeTimed,
    LinuxAgent,
    OpenedChild,
    OpenRequest,
    OpEvent,
    Snapshot,
)
from edgeprof.remote.board import Board, connect_board, probe_board
from edgeprof.remote.bootstrap import Prepared, SetupOptions
from edgeprof.remote.stopping import Stopped

__all__ = [
    "Agent",
    "Board",
    "DataRequest",
    "InvokeData",
    "InvokePerOp",
    "InvokeTimed",
    "LinuxAgent",
    "OpEvent",
    "OpenRequest",
    "OpenedChild",
    "Prepared",
    "SetupOptions",
    "Snapshot",
    "Stopped",
    "connect_board",
    "probe_board",
]
