"""Waiting for a condition before a launch, with a limit: a board that is cool and left alone."""

import time
from collections.abc import Callable

from edgeprof.boards import parse_facts
from edgeprof.errors import UsageError
from edgeprof.profile.state import SAMPLE_HZ, Window, parse_samples, state_in
from edgeprof.records import RunPlan
from edgeprof.remote import Board
from edgeprof.units import celsius

# Others that keep more of a core busy than this are somebody at work.
BUSY_CORES = 0.25
_LOOK_S = 1.0
_PAUSE_S = 1.0


class Gate:
    """What must hold before a launch begins.

    Args:
        plan: Its `max_temp_mc` and `idle` say what; nothing is asked of the board where both are not given.
        device: The board's name, for messages.
        say: Told what is waited for.
    """

    def __init__(self, plan: RunPlan, device: str, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._device = device
        self._say = say

    def wait(self, board: Board) -> str | None:
        """Wait until it holds, for `gate_s` at most; return what still does not then, or `None`.

        Raises:
            UsageError: The board says no temperature, so that nothing could be waited for.
            LinkLost: The way is gone.
        """
        end = time.monotonic() + self._plan.gate_s
        while True:
            reason = self._reason(board)
            if reason is None:
                return None
            left_s = end - time.monotonic()
            if left_s <= 0:
                return reason
            self._say(f"waiting: {reason}; {left_s:.0f} s at most")
            time.sleep(min(_PAUSE_S, left_s))

    def _reason(self, board: Board) -> str | None:
        return self._too_hot(board) or self._too_busy(board)

    def _too_hot(self, board: Board) -> str | None:
        limit_mc = self._plan.max_temp_mc
        if limit_mc is None:
            return None
        temp_mc = parse_facts(board.agent.probe()).hottest_mc()
        if temp_mc is None:
            raise UsageError(f"`{self._device}` says no temperature to wait for", "leave out --max-temp")
        return None if temp_mc <= limit_mc else f"{celsius(temp_mc)} is above {limit_mc / 1000:g} °C"

    def _too_busy(self, board: Board) -> str | None:
        if not self._plan.idle:
            return None
        cores = max(1, len(parse_facts(board.agent.probe()).running()))
        start_ns = board.agent.clock()
        sampler = board.agent.sampler_start(SAMPLE_HZ)
        time.sleep(_LOOK_S)
        left = board.agent.sampler_stop(sampler)
        samples = parse_samples(board.pull(left.file, left.sha256))
        others = state_in(samples, Window(start_ns, board.agent.clock(), 0), cores).others_cores
        return f"others keep {others:.2f} cores busy" if others is not None and others > BUSY_CORES else None
