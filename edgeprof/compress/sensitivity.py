"""Which layers bear compression, and how much of it: one layer changed at a time, the rest as it is."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgeprof.compress.answering import answer
from edgeprof.compress.cache import content_sha256, place
from edgeprof.compress.calibration import check_calibration
from edgeprof.compress.inspection import check_model
from edgeprof.compress.jobs import Job
from edgeprof.compress.making import Progress
from edgeprof.compress.orders import job_for
from edgeprof.compress.request import CompressRequest
from edgeprof.compress.training_files import check_training
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

_CHILD = "edgeprof.compress.scanning"
# What is done to a layer, and the levels at which it is looked at when nobody says: shares, or bits a weight.
LEVELS: dict[str, tuple[float, ...]] = {"channels": (0.25, 0.5, 0.75), "prune": (0.5, 0.75, 0.9), "quantise": (8, 4, 2)}
_RESULT = "sensitivity.json"


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """What one change of one layer does.

    Attributes:
        layers: Its name; of channels, all layers that lose them together.
        level: Share removed, or bits a weight.
        score: Of the model with that change alone, by the scan's metric.
        lost: Samples that only the model as it was has right; `None` where samples are neither right nor wrong.
        won: Samples that only the changed model has right.
    """

    layers: tuple[str, ...]
    level: float
    score: float
    lost: int | None
    won: int | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A scan of a model's layers.

    Attributes:
        model: The model's name.
        what: `channels`, `prune` or `quantise` (weights only, a scale a channel).
        metric: `accuracy` by the user's labels, `agreement` with the model's own choice of class, or `sqnr_db`, the
            power of its outputs over that of what the change adds; higher is better in all.
        base: The score of the model as it is; `None` for `sqnr_db`.
        n: Samples it was computed on.
        data: Where they are from: `validation` (a split of the training data) or `calibration`.
        rows: In the model's order.
    """

    model: str
    what: str
    metric: str
    base: float | None
    n: int
    data: str
    rows: tuple[LayerSensitivity, ...]


def scan(request: CompressRequest, what: str, levels: tuple[float, ...], progress: Progress) -> Sensitivity:
    """Return how a model bears a change of each of its layers alone, out of the cache where nothing has changed.

    Args:
        request: The model, and training data (their validation split is used) or calibration data.
        what: `channels`, `prune` or `quantise`.
        levels: Shares, or bits a weight; none means those of `LEVELS`.
        progress: Told what goes on.

    Raises:
        UsageError: `what` or a level is unknown, data are missing, or the `compress` extra is not installed.
        ModelError: The model or its data are at fault.
    """
    levels = _checked(request, what, levels)
    data = [path and content_sha256(path) for path in (request.train, request.calibration)]
    options = (request.preprocessing, request.sampling.key, request.trust_model, request.seed)
    kept = place("sensitivity", content_sha256(request.model), what, levels, data, *options) / _RESULT

    def job(folder: Path) -> Job:
        return replace(job_for(request, "sensitivity", folder, ()), scan={"what": what, "levels": list(levels)})

    return _read(answer(_CHILD, job, kept, progress))


def written(found: Sensitivity) -> str:
    """Return a scan as text that `scan` reads."""
    return json.dumps(asdict(found))


def _read(text: str) -> Sensitivity:
    fields = json.loads(text)
    rows = tuple(LayerSensitivity(**{**row, "layers": tuple(row["layers"])}) for row in fields.pop("rows"))
    return Sensitivity(**fields, rows=rows)


def _checked(request: CompressRequest, what: str, levels: tuple[float, ...]) -> tuple[float, ...]:
    if what not in LEVELS:
        hint = f"{did_you_mean(what, LEVELS)}known: {', '.join(LEVELS)}"
        raise UsageError(f"unknown kind of sensitivity: `{what}`", hint)
    for level in levels:
        fits = level == int(level) and 2 <= level <= 16 if what == "quantise" else 0 < level < 1
        if not fits:
            wanted = "bits a weight, 2 to 16" if what == "quantise" else "shares between 0 and 1"
            raise UsageError(f"`--at {level:g}` is no level of `{what}`", f"give {wanted}, such as {LEVELS[what][0]:g}")
    check_model(request.model)
    if request.train is None and request.calibration is None:
        raise UsageError(
            "a sensitivity scan needs samples",
            "add `--train data.npz` with x and y for accuracy, or `--calibration data.npz` for agreement",
        )
    if request.train is not None:
        check_training(request.train)
    elif request.calibration is not None:
        check_calibration(request.calibration, request.preprocessing, request.sampling)
    return tuple(dict.fromkeys(levels)) or LEVELS[what]
