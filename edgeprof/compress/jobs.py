"""What host and child tell one another: a job on the way in, lines of JSON on the way back."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """What a child has to do; paths are strings, for they travel as JSON.

    Attributes:
        kind: `convert`, `reference`, `golden`, `outputs`, `layers` or `sensitivity`.
        model: The model file or folder.
        folder: Where results go; for `convert`, a folder a recipe.
        recipes: Recipes to make, as `Recipe.fields` has them.
        stages: For each recipe, where the models after its steps are kept.
        train: Training data, or `None`.
        seed: As `CompressRequest`.
        calibration: Representative data, or `None`.
        preprocessing: As `CompressRequest`.
        sampling: Which samples of it are used: how many, the choice, the seed.
        io: As `CompressRequest`.
        trust_model: As `CompressRequest`.
        data: For `reference`: how many sets of samples there are, `0.npy` and so on in `folder`; outputs go to `0/`, …
        scan: For `sensitivity`: `what` is changed and at which `levels`.
        other: For `layers`: the model that `model` is held against.
    """

    kind: str
    model: str
    folder: str
    recipes: tuple[dict[str, Any], ...] = ()
    stages: tuple[tuple[str, ...], ...] = ()
    train: str | None = None
    seed: int = 0
    calibration: str | None = None
    preprocessing: str | None = None
    sampling: tuple[int | None, str, int] = (None, "even", 0)
    io: str = "int8"
    trust_model: bool = False
    data: int = 0
    scan: dict[str, Any] | None = None
    other: str | None = None

    def write(self, path: Path) -> None:
        """Write the job for the child."""
        path.write_text(json.dumps(asdict(self)))


@dataclass(frozen=True, slots=True)
class Line:
    """One line from the child.

    Attributes:
        kind: `progress`, `ready` (it waits for recipes), `began`, `made`, `failed`, `model_error` or `usage_error`.
        text: What goes on; the name of the recipe that is begun or ready; the error's message, after the recipe's
            name and a line break where it has ended that recipe only.
        fraction: How far it is, 0 to 1, or `None`; of `convert`, how far that recipe is.
        hint: The error's hint.
        warnings: Pairs of code and text about what was made.
        notes: As many more that are nothing to worry about.
        samples: Of `made`: how many calibration samples its ranges come from; `None` without any.
        peak_bytes: Of `ready`: the most memory that the child has held, or `None` where the system does not tell.
    """

    kind: str
    text: str
    fraction: float | None = None
    hint: str | None = None
    warnings: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    samples: int | None = None
    peak_bytes: int | None = None


def read_job(path: Path) -> Job:
    """Return the job in a file the host wrote."""
    fields = json.loads(path.read_text())
    stages = tuple(tuple(places) for places in fields["stages"])
    return Job(
        **{**fields, "recipes": tuple(fields["recipes"]), "stages": stages, "sampling": tuple(fields["sampling"])}
    )


def format_line(line: Line) -> bytes:
    """Return a line as the child writes it."""
    return json.dumps(asdict(line)).encode() + b"\n"


def parse_line(raw: str) -> Line:
    """Return a line as the host reads it."""
    fields = json.loads(raw)
    pairs = {kind: tuple((code, text) for code, text in fields[kind]) for kind in ("warnings", "notes")}
    return Line(**{**fields, **pairs})
