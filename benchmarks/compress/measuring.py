"""What is done with each subject, by the product's own parts: artifacts and accuracy first, then turns on a device."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.compress.ledger import ACCURACY, INSTRUCTIONS, LATENCY, Ledger, cell_key, group_key
from benchmarks.compress.subjects import BASE, FLOAT, URGENT, Subject, is_usual
from edgeprof import units
from edgeprof.accuracy import EvalSet
from edgeprof.cli.terminal import Terminal
from edgeprof.compress import CompressRequest, compress_each, load_artifact, references
from edgeprof.compress.recipes import Recipe, find_recipes
from edgeprof.compress.steps import Place
from edgeprof.devices import LOCAL, Device, all_devices
from edgeprof.errors import EdgeprofError
from edgeprof.profile import Outcome, ProfileRequest, profile
from edgeprof.profile.data import data_warnings, load_sets
from edgeprof.records import Artifact, Reference, RunPlan, Warning_
from edgeprof.store import Store

# A launch there is only so that outputs come from a device; nobody reads its latency.
_ACCURACY_PLAN = RunPlan(runs=8, min_runs=8, warmup_s=0.0)
_LAUNCHES = 16
# As many as take turns at once; the first of them is what the others are compared with.
_TOGETHER = 8
COUNTING = "lab-cortex-a76"


class OutOfTime(Exception):  # noqa: N818 - no error: the minutes are over
    """The minutes given are over; what is finished is kept."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part works with.

    Attributes:
        folder: Of all that the benchmark makes.
        ledger: What is finished.
        store: Where runs are kept.
        terminal: Who is told.
        pace: How many cells are left, and until when.
        launches: Of each latency.
    """

    folder: Path
    ledger: Ledger
    store: Store
    terminal: Terminal
    pace: "Pace"
    launches: int = _LAUNCHES

    def device(self) -> Device:
        """Return this machine, with a folder that nobody else holds."""
        return replace(LOCAL, home=str(self.board))

    @property
    def board(self) -> Path:
        """Return the folder of this process's board: several subjects may be measured at once."""
        return self.folder / f"board-{os.getpid()}"

    def add(self, kind: str, key: str, outcome: Outcome, artifact: Path | None = None) -> None:
        """Keep what a profile gave."""
        failure = outcome.failures[0].error.message if outcome.failures else None
        done = [run.run_id for run in outcome.runs if run.status == "complete"]
        file = None if artifact is None else str(artifact.relative_to(self.folder))
        self.ledger.add(kind, key, done, file, failure)


class Pace:
    """Begins no cell after the minutes are over, and says what is left."""

    def __init__(self, say: Callable[[str], None], minutes: float | None = None) -> None:
        self._say = say
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def check(self) -> None:
        """Refuse to begin anything more.

        Raises:
            OutOfTime: The minutes are over.
        """
        if self._end is not None and time.monotonic() > self._end:
            raise OutOfTime

    def over(self, what: str, cells: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Do cells one by one.

        Raises:
            OutOfTime: The minutes are over.
        """
        started = time.monotonic()
        for done, (name, do) in enumerate(cells):
            self.check()
            each = (time.monotonic() - started) / done if done else None
            left = f", about {units.clock(each * (len(cells) - done))} left" if each else ""
            self._say(f"{what} {done + 1} of {len(cells)}: {name}{left}")
            do()


@dataclass(frozen=True, slots=True)
class _Data:
    """A subject's evaluation sets, the float model's outputs on them, and what is doubtful about the data."""

    sets: tuple[EvalSet, ...]
    references: tuple[tuple[tuple[str, str], Reference], ...]
    warnings: tuple[Warning_, ...]


def measure_accuracies(bench: Bench, subject: Subject, *, everything: bool = True) -> None:
    """Make the artifacts of a subject and run its evaluation sets on them; what is finished is not done again."""
    recipes = [one for one in find_recipes(subject.recipes) if everything or is_usual(subject.name, one.name)]
    named = zip(find_recipes(subject.recipes), subject.recipes, strict=True)
    texts = {recipe.name: text for recipe, text in named}
    ordered = sorted(recipes, key=lambda recipe: recipe.name not in URGENT)
    left = [recipe for recipe in ordered if not bench.ledger.is_done(ACCURACY, cell_key(subject, recipe))]
    if not left:
        return
    bench.pace.check()
    request = CompressRequest(
        subject.model, (), subject.calibration, train=subject.train, out=bench.folder / "artifacts" / subject.name
    )
    data = _data(bench, subject, request)

    def cell(recipe: Recipe) -> Callable[[], None]:
        return lambda: _accuracy(bench, subject, recipe, replace(request, recipes=(texts[recipe.name],)), data)

    try:
        bench.pace.over(f"{subject.name}, accuracy", [(recipe.name, cell(recipe)) for recipe in left])
    finally:
        shutil.rmtree(bench.board / "inputs", ignore_errors=True)


def artifacts(bench: Bench, subject: Subject) -> dict[str, Artifact]:
    """Return the artifacts of a subject that are made, by recipe."""
    found = {}
    for recipe in find_recipes(subject.recipes):
        entry = bench.ledger.find(ACCURACY, cell_key(subject, recipe))
        if entry and entry.artifact and (bench.folder / entry.artifact).is_file():
            found[recipe.name] = load_artifact(bench.folder / entry.artifact)
    return found


def measure_latencies(bench: Bench, subject: Subject, *, again: bool = False) -> None:
    """Let the artifacts of a subject take turns on this machine, eight at once, the base among each eight."""
    plan = ProfileRequest((), RunPlan(), launches=bench.launches, energy=False)
    _turns(bench, subject, LATENCY, bench.device(), plan, again=again)


def count_instructions(bench: Bench, subject: Subject, *, again: bool = False) -> bool:
    """Count instructions on the virtual board; return whether there is one."""
    board = next((device for device in all_devices() if device.name == COUNTING), None)
    if board is not None:
        _turns(bench, subject, INSTRUCTIONS, board, ProfileRequest((), RunPlan(), energy=False), again=again)
    return board is not None


def groups(subject: Subject, found: dict[str, Artifact]) -> Iterator[tuple[Artifact, ...]]:
    """Yield the artifacts that take turns together, the base first; none without it.

    Each recipe has its place in one of them whatever else is made, so that one more spoils one group only.
    """
    base, *others = sorted(find_recipes(subject.recipes), key=_place)
    for start in range(0, len(others), _TOGETHER - 1):
        names = [recipe.name for recipe in (base, *others[start : start + _TOGETHER - 1]) if recipe.name in found]
        if base.name in found and len(names) > 1:
            yield tuple(found[name] for name in names)


def turns_key(device: str, group: Sequence[Artifact]) -> str:
    """Return the ledger's key of a group on a device."""
    return group_key(device, [artifact.sha256 for artifact in group])


def _place(recipe: Recipe) -> int:
    """Return where a recipe stands: the base, float, what changes the structure; the rest as listed."""
    structure = any(step.place <= Place.STRUCTURE for step in recipe.steps)
    return (BASE, FLOAT).index(recipe.name) if recipe.name in (BASE, FLOAT) else 2 if structure else 3


def _turns(bench: Bench, subject: Subject, kind: str, device: Device, request: ProfileRequest, *, again: bool) -> None:
    def cell(group: tuple[Artifact, ...]) -> Callable[[], None]:
        wanted, key = replace(request, artifacts=group), turns_key(device.name, group)
        return lambda: bench.add(kind, key, profile(wanted, [device], bench.store, bench.terminal))

    cells = [
        (", ".join(artifact.recipe for artifact in group), cell(group))
        for group in groups(subject, artifacts(bench, subject))
        if again or not bench.ledger.is_done(kind, turns_key(device.name, group))
    ]
    bench.pace.over(f"{subject.name}, {kind}", cells)


def _data(bench: Bench, subject: Subject, request: CompressRequest) -> _Data:
    sets = load_sets((("clean", subject.evaluation),), subject.corruptions)
    floats = references(request, [(one.x, one.sha256) for one in sets], bench.terminal.host)
    named = [(subject.name, one.name) for one in sets]
    return _Data(sets, tuple(zip(named, floats, strict=True)), data_warnings(request, sets))


def _accuracy(bench: Bench, subject: Subject, recipe: Recipe, request: CompressRequest, data: _Data) -> None:
    key = cell_key(subject, recipe)
    try:
        (artifact,) = compress_each(request, bench.terminal.host)[0]
    except EdgeprofError as exc:
        bench.ledger.add(ACCURACY, key, failure=exc.message)
        return
    wanted = ProfileRequest(
        (artifact,),
        _ACCURACY_PLAN,
        launches=1,
        energy=False,
        evaluations=data.sets,
        references=data.references,
        warnings=data.warnings,
    )
    bench.add(ACCURACY, key, profile(wanted, [bench.device()], bench.store, bench.terminal), artifact.path)
