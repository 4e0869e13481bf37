"""The host's end of an agent: bootstrap, the protocol, and the board as one thing to talk to."""

from edgeprof.remote.agent import Agent, LinuxAgent
from edgeprof.remote.answers import (
    DataRequest,
    Evicted,
    InvokeData,
    InvokePerOp,
    InvokeTimed,
    OpenedChild,
    OpenRequest,
    OpEvent,
    Snapshot,
    Streamed,
)
from edgeprof.remote.board import Board, connect_board, probe_board
from edgeprof.remote.bootstrap import Prepared, SetupOptions
from edgeprof.remote.given import GivenLibrary, parse_library
from edgeprof.remote.stopping import Stopped

__all__ = [
    "Agent",
    "Board",
    "DataRequest",
    "Evicted",
    "GivenLibrary",
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
    "Streamed",
    "connect_board",
    "parse_library",
    "probe_board",
]
