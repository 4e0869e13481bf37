"""The agent's side of its samplers."""

from __future__ import annotations

import json
import os
import subprocess

from edgeprof_agent import checks
from edgeprof_agent.children import pin, spawn
from edgeprof_agent.errors import AgentError
from edgeprof_agent.files import Home, described

_MOST_HZ = 1000
_MOST_RAILS = 1000
_GRACE_S = 5.0


class Sampler:
    """A process that samples the board.

    Args:
        home: Our folder.
        params: Those of `sampler_start`.
        taken: Cores that children were confined to.

    Attributes:
        launch: The name of the folder of its file.
    """

    def __init__(self, home: Home, params: dict, taken: set) -> None:
        hz, cpus = checks.number(params, "hz", _MOST_HZ), checks.cores(params)
        rail = checks.optional_whole(params, "rail", 0, _MOST_RAILS)
        self._home = home
        self.launch = home.new_launch()
        self._path = os.path.join(home.launch_path(self.launch), "samples.jsonl")
        self._process = spawn(["-S", "sampler"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0)
        try:
            pin(self._process, cpus if cpus is not None else _away_from(taken))
        except AgentError:
            self.close()
            home.forget(self.launch)
            raise
        task = {"path": self._path, "hz": hz, "rail": rail, "parent": os.getpid()}
        self._process.stdin.write(json.dumps(task).encode() + b"\n")

    def stop(self) -> dict:
        """End it and return the result of `sampler_stop`.

        Raises:
            OSError: It left no file.
        """
        self._process.stdin.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            pass
        self.close()
        with open(self._path, "rb") as file:
            count = sum(1 for _ in file)
        return dict(described(self._home.path, self._path), count=count)

    def close(self) -> None:
        """End it at once."""
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()


def _away_from(taken: set) -> object:
    free = os.sched_getaffinity(0) - taken
    return sorted(free) if taken and free else None
