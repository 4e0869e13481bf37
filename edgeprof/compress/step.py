"""What every step of a recipe is and what a step that fine-tunes takes; see `edgeprof.compress.steps`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

# Of a setting that came after artifacts were made without it: at its default it is in no recipe's fields, so that those
# artifacts, their caches and their stored runs still are of the same recipe.
LATER = {"later": True}
TEACHERS = ("none", "float")


class Place(IntEnum):
    """Where a kind of step stands in a recipe; equal places may follow one another in any order."""

    STUDENT = 0
    STRUCTURE = 1
    SPARSITY = 2
    CODEBOOK = 3
    QUANTISATION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of a Keras model.

    Class attributes:
        kind: What it is called in a recipe's TOML.
        place: Where it stands.
        trains: It cannot do its work without `--train`; what merely does better with it says so in a warning.
        makes: What a later step may undo: `zeros`, `clusters` or nothing.
    """

    kind: ClassVar[str]
    place: ClassVar[Place]
    trains: ClassVar[bool] = False
    makes: ClassVar[str] = ""

    def keeps(self) -> frozenset[str] | None:
        """Return which of what earlier steps made this one keeps; `None` for all of it."""
        return None

    def check(self) -> None:
        """Refuse values out of range.

        Raises:
            UsageError: Names the value and what it may be.
        """

    def files(self) -> tuple[str, ...]:
        """Return the paths of files that it reads besides the model and the training data."""
        return ()

    def fields(self) -> dict[str, Any]:
        """Return its kind and settings, as JSON and TOML have them; without what came `LATER` and is at its default."""
        known = {one: getattr(self, one.name) for one in fields(self)}
        settings = {one.name: v for one, v in known.items() if "later" not in one.metadata or v != one.default}
        return {"kind": self.kind, **{name: list(v) if isinstance(v, tuple) else v for name, v in settings.items()}}

    def _between(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise UsageError(f"`{name} = {value}` of step `{self.kind}` is out of range", f"from {low:g} to {high:g}")

    def _one_of(self, name: str, known: Sequence[object]) -> None:
        value = getattr(self, name)
        if value not in known:
            hint = f"{did_you_mean(str(value), [str(k) for k in known])}known: {', '.join(map(str, known))}"
            raise UsageError(f"`{name} = {value!r}` of step `{self.kind}` is unknown", hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained(Step):
    """A step that fine-tunes; see `edgeprof.compress.training.fine_tune`.

    Attributes:
        epochs: At most so many passes over the training split.
        learning_rate: Of Adam, at the beginning; it falls to nothing along half a cosine.
        batch_size: Samples a gradient.
        patience: Epochs without a better validation loss after which it stops.
    """

    trains: ClassVar[bool] = True

    epochs: int = 3
    learning_rate: float = 0.001
    batch_size: int = 64
    patience: int = 2

    def check(self) -> None:
        """See `Step`."""
        self._between("epochs", 0, 10_000)
        self._between("learning_rate", 1e-9, 10)
        self._between("batch_size", 1, 1_000_000)
        self._between("patience", 1, 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught(Trained):
    """A step that fine-tunes by the labels, and by a teacher's outputs if asked to.

    Attributes:
        teacher: `float`: the model that the recipe began with; `none`: the labels alone.
        temperature: By which logits are divided; higher says more of what is not the answer.
        soft: Share of the teacher's word in the loss; the rest is the labels'.
    """

    teacher: str = field(default="none", metadata=LATER)
    temperature: float = field(default=4.0, metadata=LATER)
    soft: float = field(default=0.9, metadata=LATER)

    def check(self) -> None:
        """See `Step`."""
        Trained.check(self)
        self._one_of("teacher", TEACHERS)
        self._between("temperature", 0.1, 1000)
        self._between("soft", 0, 1)
        for one in fields(Taught):
            if self.teacher == "none" and "later" in one.metadata and getattr(self, one.name) != one.default:
                raise UsageError(
                    f"`{one.name}` of step `{self.kind}` is said of a teacher, and there is none",
                    'add `teacher = "float"`, or leave it out',
                )
