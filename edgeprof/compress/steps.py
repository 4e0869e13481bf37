"""The steps of a recipe: what each one is called, takes and needs. No TensorFlow here.

A recipe is a sequence of steps, each a change of a tf_keras model, and then a conversion. To add a step:

1. Write a frozen dataclass below `step.Step` (or `Taught`, if it fine-tunes) and put it into `STEPS`. Its fields, with
   their annotations and defaults, are what a recipe's TOML may set; types may be `int`, `float`, `str`, `bool` and
   `tuple[str, ...]`. `check` refuses values out of range.
2. Write a module with `apply(model, step, training, teller)` and name it in the one `match` of
   `edgeprof.compress.stages.apply_step`, whose docstring has the contract.

`place` gives the order that steps must stand in: a later one may undo an earlier one, never the other way round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from edgeprof.compress.step import Place, Step, Taught, Trained
from edgeprof.compress.structure_steps import SCOPES, Channels, Discrete, Distill, LowRank
from edgeprof.compress.tables import from_table
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

__all__ = [
    "STEPS", "Channels", "Cluster", "Discrete", "Distill", "LowRank", "Place", "Prune", "Qat", "Step", "Taught",
    "Trained", "check_order", "parse_step",
]  # fmt: skip

KEEP = ("nothing", "zeros", "clusters", "zeros+clusters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune(Taught):
    """Unstructured pruning of Dense and Conv kernels.

    It follows a polynomial schedule while it fine-tunes; an importance by gradients is computed anew each time, of what
    is left. 2:4 by gradients goes at once.

    Attributes:
        sparsity: Share of zeros in each kernel at the end.
        pattern: `any`, or `2:4`: two zeros in each four input channels, where those divide into fours.
        importance: What tells which: `l1` (magnitude), `taylor` or `fisher`; the last two need samples.
        scope: `layer`: the same share of each kernel; `global`: the least important of all.
        samples: How many the importance is computed from.
        begin: Share of the steps after which pruning begins.
        end: Share of the steps at which the full sparsity is reached; the rest recovers.
        leave: Layers to leave dense.
    """

    kind: ClassVar[str] = "prune"
    trains: ClassVar[bool] = False  # without data it prunes once, and says so
    place: ClassVar[Place] = Place.SPARSITY
    makes: ClassVar[str] = "zeros"

    sparsity: float = 0.5
    pattern: str = "any"
    importance: str = "l1"
    scope: str = "layer"
    samples: int = 128
    begin: float = 0.0
    end: float = 0.6
    leave: tuple[str, ...] = ()

    def check(self) -> None:
        """See `Step`."""
        Taught.check(self)
        self._between("sparsity", 0.01, 0.99)
        self._one_of("pattern", ("any", "2:4"))
        self._one_of("importance", ("l1", "taylor", "fisher"))
        self._one_of("scope", SCOPES)
        self._between("samples", 1, 100_000)
        if self.pattern == "2:4" and self.scope == "global":
            raise UsageError("2:4 takes the same share everywhere", "leave `scope` out")
        self._between("begin", 0, 0.9)
        self._between("end", 0.05, 1)
        if self.begin >= self.end:
            raise UsageError(f"step `prune` ends at {self.end} before it begins at {self.begin}", "begin < end")
        if self.pattern == "2:4" and self.sparsity != 0.5:
            raise UsageError(
                f"2:4 has two zeros in four: `sparsity = {self.sparsity}` cannot be", "leave `sparsity` out"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster(Taught):
    """Weights of each Dense and Conv kernel share few values.

    Attributes:
        clusters: Distinct values a kernel, its zeros included where they are kept.
        keep: `nothing` or `zeros`: those that pruning made stay zero.
        leave: Layers to leave as they are.
    """

    kind: ClassVar[str] = "cluster"
    trains: ClassVar[bool] = False  # without data it clusters once, and says so
    place: ClassVar[Place] = Place.CODEBOOK
    makes: ClassVar[str] = "clusters"

    clusters: int = 16
    keep: str = "nothing"
    leave: tuple[str, ...] = ()

    def check(self) -> None:
        """See `Step`."""
        Taught.check(self)
        self._between("clusters", 2, 256)
        self._one_of("keep", KEEP[:2])

    def keeps(self) -> frozenset[str] | None:
        """See `Step`."""
        return _parts(self.keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Qat(Taught):
    """Quantisation-aware training to int8.

    Attributes:
        keep: What earlier steps made and training must not undo: `nothing`, `zeros`, `clusters`, `zeros+clusters`.
        leave: Layers to leave in floating point.
    """

    kind: ClassVar[str] = "qat"
    place: ClassVar[Place] = Place.QUANTISATION

    keep: str = "nothing"
    leave: tuple[str, ...] = ()

    def check(self) -> None:
        """See `Step`."""
        Taught.check(self)
        self._one_of("keep", KEEP)

    def keeps(self) -> frozenset[str] | None:
        """See `Step`."""
        return _parts(self.keep)


STEPS: dict[str, type[Step]] = {step.kind: step for step in (Distill, Channels, LowRank, Prune, Cluster, Discrete, Qat)}


def parse_step(table: Mapping[str, object]) -> Step:
    """Return the step that a TOML or JSON table describes.

    Raises:
        UsageError: Its kind or a key is unknown, or a value is of another type or out of range.
    """
    kind = str(table.get("kind", ""))
    if kind not in STEPS:
        hint = f"{did_you_mean(kind, STEPS)}known steps: {', '.join(STEPS)}"
        raise UsageError(f"unknown step: `{kind}`" if kind else "a step has no `kind`", hint)
    step = from_table(STEPS[kind], {key: value for key, value in table.items() if key != "kind"}, f"step `{kind}`")
    step.check()
    return step


def check_order(recipe: str, steps: Sequence[Step]) -> None:
    """Refuse an order of steps in which one would undo another.

    Raises:
        UsageError: Names the steps and what to do.
    """
    made: set[str] = set()
    for i, step in enumerate(steps):
        if i and step.place < steps[i - 1].place:
            raise UsageError(
                f"recipe `{recipe}`: step `{step.kind}` after `{steps[i - 1].kind}` would undo it",
                "the order is: student, structure (channels, low rank), zeros, clusters, quantisation",
            )
        kept = step.keeps()
        if kept is not None and kept != made:
            wanted = "+".join(sorted(made, reverse=True)) or "nothing"
            lost = f"would lose the {' and '.join(sorted(made - kept, reverse=True))} that earlier steps made"
            extra = f"is to keep {' and '.join(sorted(kept - made))}, and no step before it makes any"
            raise UsageError(
                f"recipe `{recipe}`: step `{step.kind}` {lost if made - kept else extra}",
                f'set `keep = "{wanted}"` in step `{step.kind}`',
            )
        made |= {step.makes} - {""}


def _parts(keep: str) -> frozenset[str]:
    return frozenset(keep.split("+")) - {"nothing"}
