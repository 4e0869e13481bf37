"""What a foreign tool printed, before anybody said of what."""

from dataclasses import dataclass

from edgeprof.records import ACCELERATOR_CPU, Estimate


@dataclass(frozen=True, slots=True)
class Printed:
    """A result's content.

    Attributes:
        tool: Who measured.
        figures: Its figures; each is of one process, so none has an interval.
        threads: Threads, if it says so.
        model_mb: Size of the model, if it says so.
        accelerator: What it says it ran on.
        facts: Pairs of fact and value worth keeping.
    """

    tool: str
    figures: tuple[Estimate, ...]
    threads: int | None = None
    model_mb: float | None = None
    accelerator: str = ACCELERATOR_CPU
    facts: tuple[tuple[str, str], ...] = ()
