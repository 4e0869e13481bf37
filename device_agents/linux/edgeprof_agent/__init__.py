"""The on-board agent of edgeprof for Linux: it measures and returns raw integers. The contract is docs/agent-protocol.md."""

from __future__ import annotations

VERSION = "0.1.0"
PROTOCOL = 1
