"""The edgeprof agent for Linux boards: Python 3.7 to 3.13, standard library only. Contract: docs/agent-protocol.md."""

VERSION = "0.1.0"
PROTOCOL = 1
