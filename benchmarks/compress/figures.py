"""What is read of what was measured: a row for each recipe, and the answers to the issue's two questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.compress.ledger import ACCURACY, INSTRUCTIONS, LATENCY, Entry, cell_key
from benchmarks.compress.measuring import COUNTING, Bench, artifacts, groups, turns_key
from benchmarks.compress.subjects import BASE, FLOAT, Subject
from edgeprof.analysis.weights import StaticCost, static_cost
from edgeprof.compress.recipes import Recipe, find_recipes
from edgeprof.devices import LOCAL
from edgeprof.metrics import estimates
from edgeprof.records import Comparison, Estimate, RunResult
from edgeprof.scores import FLOAT_MODEL
from edgeprof.stats.comparisons import compare, comparison
from edgeprof.stats.paired import extra_loss, loss, score_range
from edgeprof.stats.proportions import Range, wilson

# The issue's: what compression must win, and how much accuracy it may cost.
SMALLER, FASTER, MOST_DROP = 0.70, 1.5, 0.01
UNREACHED = "not reached yet"
_STRUCTURE = ("channels", "distill")


@dataclass(frozen=True, slots=True)
class Timed:
    """An artifact's turns on a device.

    Attributes:
        cost: The median over launches: latency, or instructions.
        ratio: Against the base in the same turns; `None` for the base, or where there is none.
        run: The run.
        entry: When and by which code.
    """

    cost: Estimate
    ratio: Comparison | None
    run: RunResult
    entry: Entry


@dataclass(frozen=True, slots=True)
class Scored:
    """What an artifact's outputs are worth.

    Attributes:
        share: On the clean set: top-1, or agreement with the float model where there are no labels.
        drop: Top-1 of the float model less this one's, paired; `None` without labels.
        corrupted: For each spoilt set: its name, top-1, and what was lost there beyond the loss on the clean one.
        floats: Top-1 of the float model on each set, by name.
        sqnr_db: Signal to error against the float model, where there are no labels.
        alike: What is to be said where nearly all samples are of one class to the float model, or `None`.
    """

    share: Range
    drop: Range | None = None
    corrupted: tuple[tuple[str, Range, Range | None], ...] = ()
    floats: tuple[tuple[str, float | None], ...] = ()
    sqnr_db: float | None = None
    alike: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A recipe's figures; what was not measured is `None`.

    Attributes:
        recipe: How the artifact was made.
        failure: Why there is nothing, or nothing but the file.
        static: What the file says.
        scored: What its outputs are worth.
        latency: On this machine.
        instructions: On the virtual board.
        entry: When and by which code accuracy was measured.
    """

    recipe: Recipe
    failure: str | None
    static: StaticCost | None
    scored: Scored | None
    latency: Timed | None
    instructions: Timed | None
    entry: Entry | None

    @property
    def drop(self) -> Range | None:
        """Return the paired drop of top-1."""
        return self.scored.drop if self.scored else None

    @property
    def bears(self) -> bool:
        """Return whether the drop is at most a point, by the far end of its interval."""
        return self.drop is not None and self.drop.high <= MOST_DROP

    @property
    def structural(self) -> bool:
        """Return whether whole channels went, and the arithmetic is int8."""
        return self.recipe.conversion.type == "int8" and any(step.kind in _STRUCTURE for step in self.recipe.steps)


@dataclass(frozen=True, slots=True)
class Answer:
    """A question of the issue, answered by the far ends of intervals.

    Attributes:
        question: As it is asked.
        verdict: `yes`, `no`, `not so far` while recipes are left, or `not measured`.
        best: The recipe that answers it; of a `no`, the nearest.
        figure: Of that recipe, by the far end of its interval where it has one: a ratio to the base.
    """

    question: str
    verdict: str
    best: Row | None
    figure: float | None


def rows(bench: Bench, subject: Subject) -> list[Row]:
    """Return a row for each recipe of a subject, whatever is there of it."""
    latencies = _timed(bench, subject, LATENCY, LOCAL.name)
    counts = _timed(bench, subject, INSTRUCTIONS, COUNTING)
    found = artifacts(bench, subject)
    made = []
    for recipe in find_recipes(subject.recipes):
        entry = bench.ledger.find(ACCURACY, cell_key(subject, recipe))
        run = bench.store.load_run(entry.run_ids[0]) if entry and entry.run_ids else None
        artifact = found.get(recipe.name)
        made.append(
            Row(
                recipe,
                entry.failure if entry else UNREACHED,
                static_cost(artifact.path) if artifact else None,
                _scored(run, labelled=subject.labelled) if run else None,
                latencies.get(recipe.name),
                counts.get(recipe.name),
                entry,
            )
        )
    return made


def answers(found: Sequence[Row]) -> list[Answer]:
    """Return what the rows say to the issue's questions."""
    base = next((row for row in found if row.recipe.name == BASE), None)
    structural = [row for row in found if row.structural]
    return [
        _answer(
            f"transfer size (gzip) at least {1 - SMALLER:.0%} below int8 alone, at most a point of drop",
            [row for row in found if row is not base],
            lambda row: row.static.gzip_bytes / base.static.gzip_bytes if row.static and base and base.static else None,
            SMALLER,
        ),
        _answer(
            f"at least {FASTER:g} times as fast as int8 alone by structured pruning, at most a point of drop",
            structural,
            lambda row: _far(row.latency),
            1 / FASTER,
        ),
        _answer(
            f"the same in instructions of a virtual {COUNTING.removeprefix('lab-')}: {FASTER:g} times fewer",
            structural,
            lambda row: _far(row.instructions),
            1 / FASTER,
        ),
    ]


def in_float(found: Sequence[Row]) -> list[tuple[Row, Comparison]]:
    """Return the rows of float models without some of their channels, each against the whole in float."""
    base = next((row.latency for row in found if row.recipe.name == FLOAT), None)
    pruned = [row for row in found if row.recipe.steps and row.recipe.conversion.type == FLOAT and row.latency]
    pairs = [(row, _against(base, row.latency)) for row in pruned if base and row.latency]
    return [(row, pair) for row, pair in pairs if pair is not None]


def load_of(timed: Sequence[Timed]) -> tuple[float, float] | None:
    """Return the least and the most of others' load, in cores, over all launches; `None` if nobody saw it."""
    seen = [state.others_cores for one in timed for state in one.run.states if state and state.others_cores is not None]
    return (min(seen), max(seen)) if seen else None


def middle_load(timed: Sequence[Timed]) -> float | None:
    """Return the median of others' load, in cores."""
    seen = [state.others_cores for one in timed for state in one.run.states if state and state.others_cores is not None]
    return median(seen) if seen else None


def _answer(question: str, found: Sequence[Row], figure: Callable[[Row], float | None], wanted: float) -> Answer:
    known = [(value, row) for row in found if (value := figure(row)) is not None and row.drop is not None]
    if not known:
        return Answer(question, "not measured", None, None)
    bearing = [pair for pair in known if pair[1].bears] or known
    value, row = min(bearing, key=lambda pair: pair[0])
    left = [row for row in found if not (row.entry and row.entry.failure)]
    verdict = "yes" if row.bears and value <= wanted else "not so far" if len(known) < len(left) else "no"
    return Answer(question, verdict, row, value)


def _far(timed: Timed | None) -> float | None:
    return timed.ratio.high if timed and timed.ratio else None


def _scored(run: RunResult, *, labelled: bool) -> Scored:
    clean, *others = run.evaluations
    if not labelled or not clean.scores:
        agreed = next(one for one in clean.agreements if one.against == FLOAT_MODEL)
        count = agreed.n_agreed or 0
        alike = next((warning.text for warning in run.warnings if warning.code == "one_class"), None)
        share = Range(count / agreed.n_samples, *wilson(count, agreed.n_samples))
        return Scored(share, sqnr_db=agreed.sqnr_db, alike=alike)
    score, lost = clean.scores[0], loss(clean.scores[0])
    corrupted = [
        (one.data, score_range(one.scores[0]), extra_loss(score, one.scores[0], paired=True)) for one in others
    ]
    floats = tuple((one.data, one.scores[0].float_point) for one in run.evaluations)
    return Scored(score_range(score), lost.worse if lost else None, tuple(corrupted), floats)


def _timed(bench: Bench, subject: Subject, kind: str, device: str) -> dict[str, Timed]:
    found: dict[str, Timed] = {}
    for group in groups(subject, artifacts(bench, subject)):
        entry = bench.ledger.find(kind, turns_key(device, group))
        runs = [bench.store.load_run(run_id) for run_id in entry.run_ids] if entry else []
        base = next((run for run in runs if run.artifact.recipe == BASE), None)
        for run in runs:
            if entry and run.artifact.recipe not in found:
                cost = next(one for one in estimates(run) if (one.name, one.statistic) == (run.plan.metric, "median"))
                alone = Timed(cost, None, run, entry)
                found[run.artifact.recipe] = Timed(cost, _compared(base, run), run, entry) if base else alone
    return found


def _against(base: Timed, other: Timed) -> Comparison | None:
    return _compared(base.run, other.run)


def _compared(base: RunResult, run: RunResult) -> Comparison | None:
    """Return how a run relates to one that it took turns with; `None` if it is the same, or they did not."""
    if base.run_id == run.run_id or base.group is None or base.group != run.group:
        return None
    found = comparison(base, run, compare(base.launches, run.launches, len(run.plan.looks)), "inconclusive")
    return None if found.ratio is None else found
