"""Steps that change what a model is made of: a student, fewer channels, lower rank, weights of two or three values."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from edgeprof.compress.step import Place, Taught, Trained
from edgeprof.errors import UsageError

CRITERIA = ("l1", "l2", "taylor", "fisher")
SCOPES = ("layer", "global")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distill(Trained):
    """A smaller model that learns from the model given.

    Attributes:
        student: A Keras file of one's own with the same inputs and outputs; none: the model itself, narrower.
        width: Of a student of our making: share of each layer's channels.
        multiple: Of such a student: channels of each layer are a multiple of this, or all.
        start: Of such a student: `teacher`, with the weights of its channels of the largest norm, or `fresh`.
        temperature: By which logits are divided; higher says more of what is not the answer.
        soft: Share of the teacher's word in the loss; the rest is the labels'.
        hints: Layers whose outputs are to be alike, `teacher_layer:student_layer` each, or one name for both.
        hint_weight: Of each hint in the loss.
    """

    kind: ClassVar[str] = "distill"
    place: ClassVar[Place] = Place.STUDENT

    epochs: int = 10
    patience: int = 4
    student: str = ""
    width: float = 0.5
    multiple: int = 1
    start: str = "teacher"
    temperature: float = 4.0
    soft: float = 0.9
    hints: tuple[str, ...] = ()
    hint_weight: float = 1.0

    def check(self) -> None:
        """See `Step`."""
        Trained.check(self)
        self._between("width", 0.01, 1)
        self._between("multiple", 1, 1024)
        self._one_of("start", ("teacher", "fresh"))
        self._between("temperature", 0.1, 1000)
        self._between("soft", 0, 1)
        self._between("hint_weight", 0, 1e6)
        if self.student and not Path(self.student).exists():
            raise UsageError(f"there is no student at `{self.student}`", "check the path in the recipe")

    def files(self) -> tuple[str, ...]:
        """See `Step`."""
        return (self.student,) if self.student else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels(Taught):
    """Whole channels removed, with all that depends on them: a smaller and a faster model.

    Attributes:
        share: What is to go at least.
        by: Of what: `macs` (multiply-accumulates) or `channels`.
        importance: What tells which: `l1`, `l2`, `taylor`, `fisher`; the last two need samples.
        scope: `layer`: the same share of each; `global`: the least important wherever they are.
        normalise: How layers are made comparable for `global`: `none`, `mean` or `l2`.
        multiple: What is left of each layer is a multiple of this, or all of it.
        least: Share of each layer's channels that stays at least.
        samples: How many the importance is computed from.
        leave: Layers that keep all their channels.
    """

    kind: ClassVar[str] = "channels"
    trains: ClassVar[bool] = False  # without data it removes them, and says so
    place: ClassVar[Place] = Place.STRUCTURE

    share: float = 0.5
    by: str = "macs"
    importance: str = "l2"
    scope: str = "layer"
    normalise: str = "mean"
    multiple: int = 1
    least: float = 0.1
    samples: int = 128
    leave: tuple[str, ...] = ()

    def check(self) -> None:
        """See `Step`."""
        Taught.check(self)
        self._between("share", 0.01, 0.99)
        self._one_of("by", ("macs", "channels"))
        self._one_of("importance", CRITERIA)
        self._one_of("scope", SCOPES)
        self._one_of("normalise", ("none", "mean", "l2"))
        self._between("multiple", 1, 1024)
        self._between("least", 0, 1)
        self._between("samples", 1, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank(Taught):
    """Dense layers by truncated SVD, convolutions by Tucker-2, where that saves multiply-accumulates.

    Attributes:
        energy: Share of each kernel's squared norm that its rank keeps.
        budget: Instead: share of the multiply-accumulates of Dense and Conv2D layers that may be left.
        leave: Layers to leave as they are.
    """

    kind: ClassVar[str] = "low_rank"
    trains: ClassVar[bool] = False  # without data it factorises, and says so
    place: ClassVar[Place] = Place.STRUCTURE

    energy: float = 0.9
    budget: float | None = None
    leave: tuple[str, ...] = ()

    def check(self) -> None:
        """See `Step`."""
        Taught.check(self)
        self._between("energy", 0.01, 0.9999)
        if self.budget is not None:
            self._between("budget", 0.01, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrete(Taught):
    """Kernels of two or three values a channel. It makes a small transfer; no runtime of ours is faster by it.

    Attributes:
        levels: `binary` or `ternary`.
        threshold: Of `ternary`: what becomes zero: `twn` or `ttq`.
        ends: The first and the last layer too.
        leave: Layers to leave as they are.
    """

    kind: ClassVar[str] = "discrete"
    place: ClassVar[Place] = Place.QUANTISATION

    epochs: int = 10
    patience: int = 4
    levels: str = "ternary"
    threshold: str = "twn"
    ends: bool = False
    leave: tuple[str, ...] = ()

    def check(self) -> None:
        """See `Step`."""
        Taught.check(self)
        self._one_of("levels", ("binary", "ternary"))
        self._one_of("threshold", ("twn", "ttq"))
