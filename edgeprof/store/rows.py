"""What lists of runs hold, and what they can be asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

STATUSES = ("complete", "interrupted", "abandoned", "failed", "running")


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line of `run list`.

    Attributes:
        run_id: Its name.
        created_unix_s: When it began.
        status: `running`, `complete`, `interrupted`, `failed`, or `abandoned`: its host has not been heard of.
        device: The board's name.
        model: The model's name.
        recipe: How the artifact was made.
        n_launches: Launches stored.
        artifact_sha256: What ran.
        origin: `edgeprof`, or the foreign tool whose result it is.
        metric: What `cost` is in, or `None` where no figure was kept for lists.
        cost: The headline: the median over launches.
        cost_low: Lower end of its interval, or `None`.
        cost_high: Upper end.
    """

    run_id: str
    created_unix_s: float
    status: str
    device: str
    model: str
    recipe: str
    n_launches: int
    artifact_sha256: str = ""
    origin: str = "edgeprof"
    metric: str | None = None
    cost: float | None = None
    cost_low: float | None = None
    cost_high: float | None = None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; `None` for any."""

    device: str | None = None
    model: str | None = None
    recipe: str | None = None
    artifact_sha256: str | None = None
    origin: str | None = None
    status: str | None = None

    def columns(self) -> Iterator[tuple[str, str]]:
        """Return what is asked of columns that are as they read."""
        for name in ("device", "model", "recipe", "artifact_sha256", "origin"):
            value = getattr(self, name)
            if value is not None:
                yield name, value


@dataclass(frozen=True, slots=True)
class CellRow:
    """A run of a cell: an artifact on a device under a plan, with data.

    Attributes:
        run_id: Its name.
        created_unix_s: When it began.
        status: As in `RunRow`.
        session: The `profile` it belongs to; `None` for runs of older stores.
        cell_sha256: Which cell.
        host: Name of the host that measures it, or did.
    """

    run_id: str
    created_unix_s: float
    status: str
    session: str | None
    cell_sha256: str
    host: str
