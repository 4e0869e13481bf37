"""The on-board agent of edgeprof for Linux: it measures and returns raw integers.

The contract is docs/agent-protocol.md. Python 3.7 to 3.13, standard library only.
"""

from __future__ import annotations

VERSION = "0.1.0"
PROTOCOL = 1
