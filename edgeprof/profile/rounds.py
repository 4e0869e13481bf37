"""Which cells are live together, in which order they take turns, and when enough launches have been made."""

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from edgeprof.boards import BoardFacts
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.request import ProfileRequest
from edgeprof.records import RunResult
from edgeprof.stats import is_narrow, latency_estimates, verdicts
from edgeprof.stats.comparisons import CONFIDENCE

# As many children as an agent has open at once.
MOST_LIVE = 8
# What a child takes besides its model: Python and runtime; and a model's copies in it: file, packed weights, arena.
_CHILD_BYTES = 40 << 20
_COPIES = 3

T = TypeVar("T")


def groups(cells: Sequence[LiveCell], facts: BoardFacts) -> list[list[LiveCell]]:
    """Return the cells in groups that fit into half of the board's free memory together; within one they take turns."""
    room = None if facts.memory_available_bytes is None else facts.memory_available_bytes // 2
    found: list[list[LiveCell]] = []
    taken = 0
    for cell in cells:
        need = _CHILD_BYTES + _COPIES * cell.run.artifact.size_bytes
        if found and len(found[-1]) < MOST_LIVE and (room is None or taken + need <= room):
            found[-1].append(cell)
            taken += need
        else:
            found.append([cell])
            taken = need
    return found


def order(items: Sequence[T], turns: int, chance: random.Random) -> Iterator[T]:
    """Yield the items turn by turn: in random order, then in reverse, block by block, until each had its turns."""
    for turn in range(turns):
        if turn % 2 == 0:
            shuffled = chance.sample(list(items), len(items))
        yield from shuffled if turn % 2 == 0 else reversed(shuffled)


def is_enough(runs: Sequence[RunResult], request: ProfileRequest) -> bool:
    """Return whether measuring may end at this look: every verdict is there, or every interval is narrow."""
    if request.verdict_only:
        # A verdict on energy, which comes later, shares the chance of error: so much of it is left for this one.
        confidence = 1 - (1 - CONFIDENCE) / 2 if request.energy else CONFIDENCE
        found = verdicts(runs, request.margin_ratio, confidence)
        return all(one.verdict != "inconclusive" for one in found)
    return all(is_narrow(latency_estimates(run.launches, run.plan)[0], run.plan.precision_ratio) for run in runs)
