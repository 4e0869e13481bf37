"""`agent.pyz serve HOME`, and the two kinds of process that the agent starts itself."""

from __future__ import annotations

import sys


def main() -> None:
    """Run what the command line names."""
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        from edgeprof_agent.server import serve

        sys.exit(serve(sys.argv[2]))
    elif sys.argv[1:] == ["child"]:
        from edgeprof_agent.child import main as run_child

        run_child()
    elif sys.argv[1:] == ["sampler"]:
        from edgeprof_agent.sampler import main as run_sampler

        run_sampler()
    else:
        sys.exit("usage: agent.pyz serve HOME")


if __name__ == "__main__":
    main()
