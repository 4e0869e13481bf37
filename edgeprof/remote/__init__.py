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
from edgeprof.remote.board import Board, connect_board
from edgeprof.remote.bootstrap import Prepared, SetupOptions
from edgeprof.remote.clocks import ClockHold, hold_clocks, new_token, power_modes
from edgeprof.remote.clockscript import Restored
from edgeprof.remote.given import GivenLibrary, parse_library
from edgeprof.remote.reaching import probe_board
from edgeprof.remote.restoring import restore_clocks
from edgeprof.remote.stopping import Stopped

__all__ = [
    "Agent",
    "Board",
    "ClockHold",
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
    "Restored",
    "SetupOptions",
    "Snapshot",
    "Stopped",
    "Streamed",
    "connect_board",
    "hold_clocks",
    "new_token",
    "parse_library",
    "power_modes",
    "probe_board",
    "restore_clocks",
]
