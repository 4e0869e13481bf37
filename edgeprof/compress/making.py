"""Recipes made by children, several at once where cores and free memory let: one that is free takes the next."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from edgeprof.compress import room
from edgeprof.compress.artifacts import keep
from edgeprof.compress.cache import partial
from edgeprof.compress.child import WORKER, Child, require_extra
from edgeprof.compress.jobs import Line
from edgeprof.compress.orders import Order, described, job_for
from edgeprof.compress.request import CompressRequest
from edgeprof.compress.tally import Tally
from edgeprof.errors import EdgeprofError, ModelError

Progress = Callable[[str, float | None], None]
# How often it is looked whether there is room for another child.
_LOOK_S = 0.5


def make(request: CompressRequest, parent: str, orders: Sequence[Order], progress: Progress) -> dict[str, ModelError]:
    """Make every recipe ordered, keeping each as soon as it is ready; return the errors of those that failed.

    Where a child crashes, the recipe it was at has failed, and another child goes on with the rest. Ctrl-C ends all
    children; what was kept stays.

    Raises:
        EdgeprofError: No child could begin: it is the model or its data.
    """
    require_extra()
    crew = _Crew(request, parent, orders, progress)
    try:
        crew.work()
    finally:
        crew.close()
    return crew.failed


class _Hand:
    """A child, the recipe it is at, and those that it has been given and not begun."""

    def __init__(self, child: Child, folder: Path, started_s: float) -> None:
        self.child, self.folder, self.started_s = child, folder, started_s
        self.at: str | None = None
        self.left: deque[int] = deque()


class _Crew:
    """All children of one request. Threads only pass on what the children say: everything is decided in one place."""

    def __init__(self, request: CompressRequest, parent: str, orders: Sequence[Order], progress: Progress) -> None:
        self.failed: dict[str, ModelError] = {}
        self._request, self._parent, self._orders, self._progress = request, parent, orders, progress
        self._left = deque(_alike(orders))
        self._tally = Tally({one.recipe.name: bool(one.recipe.steps) for one in orders})
        self._said: SimpleQueue[tuple[_Hand, Line | None]] = SimpleQueue()
        self._hands: dict[int, tuple[_Hand, ExitStack]] = {}
        self._most = request.jobs or room.cores()
        self._each_bytes = room.CHILD_BYTES
        self._count = 0
        self._hired_s = 0.0
        self._start_up_s: float | None = None

    def work(self) -> None:
        """Let children work until nothing is left."""
        while self._left or self._hands:
            if self._wants_another():
                self._hire()
            try:
                hand, line = self._said.get(timeout=_LOOK_S)
            except Empty:
                continue
            if line is None:
                self._ended(hand)
            else:
                self._heard(hand, line)

    def close(self) -> None:
        """End every child that is left."""
        for _, stack in self._hands.values():
            stack.close()

    def _wants_another(self) -> bool:
        if not self._left or not self._hands:
            return bool(self._left)
        if len(self._hands) >= self._most or not (self._request.jobs or self._pays(time.monotonic())):
            return False
        held = [room.resident_bytes(number) for number in self._hands]
        return room.fits(self._each_bytes, held, room.free_bytes())

    def _pays(self, now_s: float) -> bool:
        """Return whether recipes have waited for as long as another child takes to start; before, it may not pay."""
        return self._start_up_s is not None and now_s - self._hired_s >= 2 * self._start_up_s

    def _hire(self) -> None:
        if not self._count:
            self._progress("starting TensorFlow", None)
        self._hired_s = time.monotonic()
        with ExitStack() as stack:
            folder = stack.enter_context(partial(self._orders[0].place))
            job = job_for(self._request, "convert", folder, self._orders)
            child = stack.enter_context(closing(Child(WORKER, job, self._count)))
            hand = _Hand(child, folder, self._hired_s)
            self._hands[child.pid] = hand, stack.pop_all()
        self._count += 1
        Thread(target=self._listen, args=(hand,), daemon=True).start()

    def _listen(self, hand: _Hand) -> None:
        with suppress(ValueError):  # the pipe was closed: all is over
            for line in hand.child.lines():
                self._said.put((hand, line))
        self._said.put((hand, None))

    def _heard(self, hand: _Hand, line: Line) -> None:
        match line.kind:
            case "ready":
                self._start_up_s = self._start_up_s or time.monotonic() - hand.started_s
                self._each_bytes = max(self._each_bytes, line.peak_bytes or 0)
                hand.left = deque(self._left.popleft() if self._left else ())
                hand.child.give(",".join(map(str, hand.left)) or None)
            case "began":
                hand.at, _ = line.text, hand.left.popleft()
                self._tally.began(line.text, time.monotonic())
            case "failed":
                name, _, message = line.text.partition("\n")
                self._over(hand, name, ModelError(message, line.hint))
            case "made":
                (one,) = (one for one in self._orders if one.recipe.name == line.text)
                made = hand.folder / line.text
                keep(made, one.place, described(self._request, self._parent, one.recipe, made, line))
                self._over(hand, line.text, None)
            case _:
                self._tell(hand, line)

    def _tell(self, hand: _Hand, line: Line) -> None:
        if hand.at is None:
            if self._count == 1:
                self._progress(line.text, None)
            return
        self._tally.reached(hand.at, line.fraction or 0)
        words = self._tally.words(time.monotonic(), len(self._hands))
        self._progress(line.text + words, self._tally.share)

    def _over(self, hand: _Hand, name: str, error: ModelError | None) -> None:
        hand.at = None
        self._tally.ended(name, time.monotonic())
        if error is not None:
            self.failed[name] = error

    def _ended(self, hand: _Hand) -> None:
        """Take note of a child's end, and of what it leaves undone."""
        _, stack = self._hands.pop(hand.child.pid)
        error = hand.child.error()
        stack.close()
        if hand.left:
            self._left.appendleft(tuple(hand.left))
        if hand.at is not None:
            self._broke_off(hand, hand.at, error)
        elif error is not None:
            self._never_began(error)

    def _broke_off(self, hand: _Hand, name: str, error: EdgeprofError | None) -> None:
        if hand.child.killed and self._hands:
            # Most likely memory ran short: the rest goes on with fewer at once, this recipe too.
            self._most = len(self._hands)
            self._tally.again(name)
            self._left.appendleft((self._index(name),))
            return
        said = error or ModelError(f"the converter ended while making {name}")
        self._over(hand, name, ModelError(said.message, said.hint))

    def _never_began(self, error: EdgeprofError) -> None:
        """Go on with the other children, where there are any; else the rest has failed."""
        if self._hands:
            self._most = len(self._hands)
        elif not self._tally.share and not self.failed:
            raise error
        else:
            rest = [self._orders[i].recipe.name for unit in self._left for i in unit]
            self.failed |= {name: ModelError(error.message, error.hint) for name in rest}
            self._left.clear()

    def _index(self, name: str) -> int:
        return next(i for i, one in enumerate(self._orders) if one.recipe.name == name)


def _alike(orders: Sequence[Order]) -> list[tuple[int, ...]]:
    """Return numbers of orders, those together that begin with the same step: one child does that once."""
    units: dict[str, list[int]] = {}
    for i, one in enumerate(orders):
        units.setdefault(one.stages[0] if one.stages else str(one.place), []).append(i)
    return [tuple(unit) for unit in units.values()]
