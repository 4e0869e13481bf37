"""Runs as MLflow runs: figures as metrics, conditions as parameters, the whole run as an artifact.

Source: mlflow-skinny 3.17.2, `mlflow/utils/validation.py` (lengths, and how many go at once) and
`mlflow/tracking/client.py`. An older server may take shorter values; `_MOST_CHARS` fits all since 1.28.
"""

import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgeprof.compare.conditions import conditions
from edgeprof.errors import StoreError, UsageError
from edgeprof.exchange.tables import figures
from edgeprof.records import Estimate, RunResult
from edgeprof.report.document import document
from edgeprof.report.items import run_item
from edgeprof.store import shown
from edgeprof.units import NS_PER_MS

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "edgeprof"
_ID, _STATUS = "edgeprof.run_id", "edgeprof.status"
_STATUSES = {"complete": "FINISHED", "failed": "FAILED", "running": "RUNNING"}
_UNDER_WAY = "RUNNING"
_MOST_CHARS = 500
_AT_ONCE = 100
_NOT_IN_NAMES = re.compile(r"[^\w\-./ ]")
# Said to MLflow where the user's environment says nothing: it tells its makers nothing of this export, a server that
# is not there is an error within seconds and not minutes, and a folder may be named where one was in use before.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of a run.

    Attributes:
        run_id: The run.
        mlflow_id: The MLflow run that holds it.
        new: It was written now; else it was there already.
    """

    run_id: str
    mlflow_id: str
    new: bool


@dataclass(slots=True)
class _Content:
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def export_runs(runs: Sequence[RunResult], tracking: str | None, experiment: str = EXPERIMENT) -> Iterator[Exported]:
    """Write each run as a run of MLflow, and yield it as it is written; one that is there already stays as it is.

    Of a run that was still measured when it was written last, or was written by half, the old MLflow run is deleted
    (MLflow can restore it) and a new one made.

    Args:
        runs: What to write.
        tracking: A server's address, `sqlite:///FILE`, or a folder; `None` for what `MLFLOW_TRACKING_URI` says.
        experiment: The name of the experiment; made if there is none.

    Raises:
        UsageError: mlflow is not installed, or the experiment cannot be written to.
        StoreError: MLflow's server or files cannot be reached, read or written.
    """
    library = _library()
    where = tracking or library.get_tracking_uri()
    if where.rstrip("/") == "sqlite:" or where.endswith(":memory:"):
        raise UsageError(f"`{where}` names no file: what is written there is gone at once", "sqlite:///mlflow.db")
    with _errors(where):
        client = library.MlflowClient(tracking_uri=where)
        place = _experiment(client, experiment)
    for run in runs:
        with _errors(where):
            made = _export(client, place, run)
        yield made


def _export(client: "MlflowClient", place: str, run: RunResult) -> Exported:
    for old in client.search_runs([place], filter_string=f"tags.`{_ID}` = '{run.run_id}'"):
        if old.info.status != _UNDER_WAY and old.data.tags.get(_STATUS) == run.status:
            return Exported(run.run_id, old.info.run_id, new=False)
        client.delete_run(old.info.run_id)
    started_ms = round(1000 * run.created_unix_s)
    name = f"{run.artifact.model} {run.artifact.recipe} on {run.device}"
    made = client.create_run(place, start_time=started_ms, run_name=name, tags={_ID: run.run_id, _STATUS: run.status})
    _write(client, made.info.run_id, _content(run), started_ms)
    text = document("runs", [run_item(run, raw=True)])
    client.log_text(made.info.run_id, text + "\n", f"edgeprof/{run.run_id}.json")
    # The last, so that an export that was cut off is told from a whole one.
    client.set_terminated(made.info.run_id, _STATUSES.get(run.status, "KILLED"), end_time=_ended_ms(run, started_ms))
    return Exported(run.run_id, made.info.run_id, new=True)


def _write(client: "MlflowClient", mlflow_id: str, content: _Content, time_ms: int) -> None:
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 - an extra

    metrics = [Metric(name, value, time_ms, 0) for name, value in content.metrics.items()]
    params = [Param(name, value) for name, value in content.params.items()]
    tags = [RunTag(name, value) for name, value in content.tags.items()]
    for start in range(0, max(len(metrics), len(params), len(tags)), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        client.log_batch(mlflow_id, metrics[part], params[part], tags[part])


def _content(run: RunResult) -> _Content:
    found = _Content()
    for one in figures(run):
        _add(found, one)
    for name, reason in run.not_measured:
        found.tags.setdefault(f"{name}.not_measured", reason)
    for warning in run.warnings:
        key = _key(f"warning.{warning.code}")
        found.tags[key] = "; ".join(filter(None, (found.tags.get(key), warning.text)))
    found.params = {_key(name): _cut(text) for name, text in conditions(run).items()}
    about = {
        "origin": run.origin,
        "artifact_sha256": run.artifact.sha256,
        "session": run.session,
        "group": run.group,
        "failure": run.failure,
    }
    found.tags |= {f"edgeprof.{name}": text for name, text in about.items() if text}
    found.tags = {_key(name): _cut(text) for name, text in found.tags.items()}
    return found


def _add(found: _Content, one: Estimate) -> None:
    name = f"{one.name}.{one.statistic}"
    if one.point is None or not math.isfinite(one.point):
        # MLflow keeps an infinite value as the largest number there is, which nobody measured.
        found.tags[f"{name}.not_measured"] = one.not_measured or "not_finite"
        return
    ends = {name: one.point, f"{name}.low": one.low, f"{name}.high": one.high}
    found.metrics |= {_key(key): value for key, value in ends.items() if value is not None and math.isfinite(value)}
    counts = f"{one.n_launches} launches, {one.n_samples} samples"
    found.tags[f"{name}.interval"] = f"none; {counts}" if one.confidence is None else f"{one.confidence:g}; {counts}"


def _key(name: str) -> str:
    """Return a name as MLflow takes it: `board's power mode` is `board.power_mode`."""
    return _NOT_IN_NAMES.sub("_", name.replace("'s ", ".").replace(" ", "_"))[:250]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"


def _ended_ms(run: RunResult, started_ms: int) -> int:
    """Return when the run was last known to be under way: when its last launch began."""
    return max([started_ms, *(round(launch.started_unix_ns / NS_PER_MS) for launch in run.launches)])


def _experiment(client: "MlflowClient", name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        hint = f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or name another with --experiment"
        raise UsageError(f"the experiment `{name}` was deleted in MLflow", hint)
    return str(found.experiment_id)


def _library() -> Any:  # noqa: ANN401 - a module
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow  # noqa: PLC0415 - an extra, and a second to import
    except ModuleNotFoundError as exc:
        hint = "pip install 'edgeprof[mlflow]'"
        raise UsageError("an export to MLflow needs mlflow-skinny, which is not installed", hint) from exc
    return mlflow


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Turn whatever the library says into an error of ours."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - an extra

    try:
        yield
    except (MlflowException, OSError, ImportError) as exc:
        lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
        said = (lines or [type(exc).__name__])[0].rstrip(".").replace(where, shown(where))
        hint = "a server's address, `sqlite:///mlflow.db` or a folder goes after --tracking or in MLFLOW_TRACKING_URI"
        raise StoreError(f"cannot write to MLflow at `{shown(where)}`: {said}", hint) from exc
