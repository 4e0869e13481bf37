"""Which layers int8 spoils, and which of them to leave in float: measured, tried, and converted again to see."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from edgeprof.compress.answering import answer
from edgeprof.compress.cache import content_sha256, place
from edgeprof.compress.compression import check_request
from edgeprof.compress.making import Progress
from edgeprof.compress.orders import job_for, order
from edgeprof.compress.recipes import find_recipes
from edgeprof.compress.request import CompressRequest
from edgeprof.errors import UsageError

_CHILD = "edgeprof.compress.reporting"
RESULT = "errors.json"
# What `ErrorReport.verdict` may be.
FINE, REPAIRED, IMPROVED, NOTHING = ("fine", "repaired", "improved", "nothing")


@dataclass(frozen=True, slots=True)
class OpError:
    """What int8 adds at one operator, given the same inputs as its float twin.

    Attributes:
        layer: The Keras layer, or the output's name where the model has no layers.
        op: Such as `CONV_2D`.
        output: What the file calls its output.
        rmse_steps: Root of the mean squared difference, in steps of the output's scale; rounding alone leaves 0.29.
        largest_steps: The largest difference of a sample, its mean over samples.
        spread_steps: How many steps a typical channel of the output is wide (its standard deviation); under one, int8
            hardly sees what it says. `None` of an output that never changes.
    """

    layer: str
    op: str
    output: str
    rmse_steps: float
    largest_steps: float
    spread_steps: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A conversion held against the float model.

    Attributes:
        leave_float: The layers left in float.
        size_bytes: Of the file.
        sqnr_db: Signal to error of the worst output; `None` where all are equal.
        agreed: Samples with the float model's highest output; `None` of a model of one value.
    """

    leave_float: tuple[str, ...]
    size_bytes: int
    sqnr_db: float | None
    agreed: int | None


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Where int8 goes wrong in a model.

    Attributes:
        model: The model's name.
        recipe: The recipe's name.
        n: Calibration samples it was computed on: those that the ranges were fitted to.
        rows: The worst first.
        before: The recipe as it is.
        tried: Other conversions, in the order tried, from the same ranges.
        after: The suggestion, converted from the start; `None` where there is none.
        verdict: `fine` (nothing need stay in float), `repaired`, `improved` (better, and not yet fine) or `nothing`
            (no layer that was left in float helped).
        suggestion: A recipe with those layers in float, as JSON and TOML have it; `None` where there is none.
    """

    model: str
    recipe: str
    n: int
    rows: tuple[OpError, ...]
    before: Trial
    tried: tuple[Trial, ...]
    after: Trial | None
    verdict: str
    suggestion: dict[str, Any] | None


def report_errors(request: CompressRequest, progress: Progress) -> ErrorReport:
    """Return where int8 goes wrong in a model, and what leaving layers in float does; out of the cache if known.

    Args:
        request: The model, calibration data, and one recipe that converts to int8 (`int8`, if none is named).
        progress: Told what goes on.

    Raises:
        UsageError: The recipe makes no int8 file, data are missing, or the `compress` extra is not installed.
        ModelError: The model or its data are at fault, or the converter failed.
    """
    recipes = find_recipes(request.recipes or ("int8",))
    if len(recipes) != 1 or recipes[0].conversion.type != "int8":
        names = ", ".join(f"`{recipe.name}`" for recipe in recipes)
        raise UsageError(f"an error report is of one int8 recipe, not of {names}", "give one, such as `--recipe int8`")
    check_request(request, recipes)
    asked = order(request, content_sha256(request.model), recipes[0])
    kept = place("errors", str(asked.place)) / RESULT
    return _read(answer(_CHILD, lambda folder: job_for(request, "errors", folder, [asked]), kept, progress))


def written(found: ErrorReport) -> str:
    """Return a report as text that `report_errors` reads."""
    return json.dumps(asdict(found))


def _read(text: str) -> ErrorReport:
    fields = json.loads(text)
    fields["rows"] = tuple(OpError(**row) for row in fields["rows"])
    fields["tried"] = tuple(_trial(trial) for trial in fields["tried"])
    fields["before"] = _trial(fields["before"])
    fields["after"] = None if fields["after"] is None else _trial(fields["after"])
    return ErrorReport(**fields)


def _trial(fields: dict[str, object]) -> Trial:
    return Trial(**{**fields, "leave_float": tuple(fields["leave_float"])})  # type: ignore[arg-type] # our own JSON
