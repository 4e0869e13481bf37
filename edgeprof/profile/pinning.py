"""Clocks and power mode of a board for the time of a run: set before it, set back after it, and watched meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from edgeprof.boards import (
    PERFORMANCE,
    BoardFacts,
    ClockPolicy,
    PowerMode,
    clocks_text,
    find_mode,
    parse_facts,
    parse_modes,
    settings,
)
from edgeprof.errors import LinkLost
from edgeprof.records import CoreClock, RunPlan, State, Warning_
from edgeprof.remote import Board, ClockHold, Restored, hold_clocks, new_token, power_modes
from edgeprof.units import megahertz
from edgeprof.warnings_ import warning

# A core that never came nearer to the clock it is pinned to was held back.
_REACHED_RATIO = 0.95
_BACK = "clocks set back as they were"

Say = Callable[[str], None]
Pairs = tuple[tuple[str, str], ...]


class Pinning:
    """What is done to a board's clocks for one session; nothing, where nobody asked.

    Args:
        plan: Its `pin_clocks` and `power_mode`.
        say: Told each step.
    """

    def __init__(self, plan: RunPlan, say: Say) -> None:
        self._plan = plan
        self._say = say
        self._token = new_token()
        self._hold: ClockHold | None = None
        self._policies: tuple[ClockPolicy, ...] = ()
        self._jetson_clocks = False
        self._lost = ""

    @contextmanager
    def held(self, board: Board) -> Iterator[None]:
        """Hold a board's clocks while the block lasts; whatever ends it, they are set back.

        Raises:
            DeviceError: They cannot be set, or not be set back.
            LinkLost: The way is gone.
        """
        try:
            self.begin(board)
            yield
        except BaseException:
            if self._hold:
                self._hold.let_go()
            raise
        self._end()

    def begin(self, board: Board) -> None:
        """Set what was asked for; after a cut of the link, again.

        Raises:
            DeviceError: The board cannot do it, or this login may not.
            LinkLost: The way is gone.
        """
        if self._plan.pin_clocks is None and self._plan.power_mode is None:
            return
        before, name = parse_facts(board.agent.probe()), board.device.name
        if self._hold:
            self._hold.let_go()
        # What cannot be is refused before anything is touched; which clocks there are, a mode may change.
        mode = self._mode(board)
        if mode is None and self._plan.pin_clocks is not None:
            settings(before.policies, self._plan.pin_clocks, name)
        self._hold = hold_clocks(board, self._say, self._token)
        self._set(board, self._hold, before, mode)

    def environment(self, facts: BoardFacts) -> Pairs:
        """Return what is set and by whom, as conditions of a run."""
        held = self._hold is not None
        pairs = []
        if facts.policies:
            pairs.append(("clocks_set_by", "edgeprof" if held and self._plan.pin_clocks else "not edgeprof"))
        if facts.power_mode is not None:
            pairs.append(("jetson_clocks", "run by edgeprof" if self._jetson_clocks else "not run by edgeprof"))
        return tuple(pairs)

    def doubts(self, after: BoardFacts, states: Sequence[State | None]) -> tuple[Warning_, ...]:
        """Return the warnings that clocks did not stay where they were pinned."""
        return pin_doubts(self._policies, after.policies, states)

    def _end(self) -> None:
        if self._hold is None:
            return
        hold, self._hold = self._hold, None
        try:
            restored = hold.release()
        except LinkLost:
            self._say("the link is lost; the board sets its clocks back by itself")
        else:
            self._say(_told(restored))

    def _mode(self, board: Board) -> PowerMode | None:
        wanted = self._plan.power_mode
        if wanted is None:
            return None
        return find_mode(parse_modes(power_modes(board, self._say)), wanted, board.device.name)

    def _set(self, board: Board, hold: ClockHold, before: BoardFacts, mode: PowerMode | None) -> None:
        plan, facts, name = self._plan, before, board.device.name
        if mode is not None:
            hold.set_mode(mode.number)
            self._say(f"power mode {mode.name}; before: {before.power_mode}")
            facts = parse_facts(board.agent.probe())
        if plan.pin_clocks is None:
            return
        if plan.pin_clocks == PERFORMANCE and facts.power_mode is not None:
            self._jetson_clocks = hold.run_jetson_clocks()
        if not self._jetson_clocks:
            for setting in settings(facts.policies, plan.pin_clocks, name):
                hold.set_policy(setting)
        self._policies = parse_facts(board.agent.probe()).policies
        self._say(f"clocks pinned: {clocks_text(self._policies) or 'the kernel names none'}")


def pin_doubts(
    pinned: Sequence[ClockPolicy], after: Sequence[ClockPolicy], states: Sequence[State | None]
) -> tuple[Warning_, ...]:
    """Return the warnings that clocks did not stay where they were pinned.

    Args:
        pinned: What was set; empty where nothing was.
        after: What is set after the runs.
        states: What the board's clocks were in each launch.
    """
    return tuple(warning("pin_not_held", text) for text in (*_changed(pinned, after), *_missed(pinned, states)))


def _told(restored: Restored) -> str:
    if restored.why != "end":
        return "the board had set its clocks back by itself already"
    return f"{_BACK}: {'; '.join(restored.done)}" if restored.done else _BACK


def _changed(pinned: Sequence[ClockPolicy], after: Sequence[ClockPolicy]) -> list[str]:
    """Say what is set otherwise than it was; a hot board's highest clock is lower for a while, and that counts too."""
    now = {policy.name: policy for policy in after}
    return [
        f"clocks were set to {policy.text()}, and at the end are {now[policy.name].text()}: heat, or somebody else"
        for policy in pinned
        if policy.name in now and now[policy.name].text() != policy.text()
    ]


def _missed(pinned: Sequence[ClockPolicy], states: Sequence[State | None]) -> list[str]:
    found = []
    for policy in pinned:
        wanted = policy.pinned_khz
        reached = [clock.high for state in states if state for clock in _of(state, policy) if clock.high is not None]
        if wanted is not None and reached and min(reached) < _REACHED_RATIO * wanted:
            text = f"{policy.cores()} is pinned to {megahertz(wanted)} and ran at {megahertz(min(reached))} in a launch"
            found.append(f"{text}: heat or the supply held it back")
    return found


def _of(state: State, policy: ClockPolicy) -> list[CoreClock]:
    return [state.core_khz[cpu] for cpu in policy.cpus if cpu < len(state.core_khz)]
