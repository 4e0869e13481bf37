"""`agent.pyz serve HOME`, and the two kinds of process that the agent starts itself."""

from __future__ import annotations

import sys
import time


def main() -> None:
    """Run what the command line names."""
    born_ns = time.monotonic_ns()
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        from edgeprof_agent.server import serve

        serve(sys.argv[2])
    elif sys.argv[1:] == ["child"]:
        from edgeprof_agent.child import run_child

        run_child(born_ns)
    elif sys.argv[1:] == ["sampler"]:
        from edgeprof_agent.sampler import run_sampler

        run_sampler()
    else:
        sys.exit("usage: agent.pyz serve HOME")


if __name__ == "__main__":
    main()
