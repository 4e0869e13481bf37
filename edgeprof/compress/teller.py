"""What a step says while it works: how far it is, and what the user ought to know of its result. Child only."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Teller:
    """Passes on progress; keeps warnings and notes, which become the artifact's.

    Attributes:
        tell: Takes a text and the share of the step that is done, 0 to 1, or `None` where nobody knows.
        warnings: Pairs of code and text.
        notes: Pairs of code and text.
    """

    tell: Callable[[str, float | None], None]
    warnings: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def progress(self, text: str, fraction: float | None = None) -> None:
        """Say what goes on."""
        self.tell(text, fraction)

    def warn(self, code: str, text: str) -> None:
        """Say what is doubtful about the model that the step returns."""
        self.warnings.append((code, text))

    def note(self, code: str, text: str) -> None:
        """Say what the step did, where it did what was asked: nothing to worry about."""
        self.notes.append((code, text))
