"""Runs as CSV: a line a figure, or a line a timed run."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import StringIO

from edgeprof.metrics import estimates
from edgeprof.records import CLOCK_INSTRUCTIONS, Estimate, RunResult
from edgeprof.units import exported

ABOUT = (
    "run_id",
    "created_unix_s",
    "status",
    "origin",
    "device",
    "model",
    "recipe",
    "artifact_sha256",
    "threads",
    "cpus",
)
_FIGURE = ("name", "statistic", "point", "low", "high", "confidence", "n_launches", "n_samples", "not_measured")
_SAMPLE = ("launch", "run", "metric", "value")


def figures_csv(runs: Sequence[RunResult]) -> str:
    """Return every metric of every run, one a line; what was not measured has no point and a reason."""
    return _csv((*ABOUT, *_FIGURE), ((*about(run), *_figure(found)) for run in runs for found in figures(run)))


def samples_csv(runs: Sequence[RunResult]) -> str:
    """Return every timed run of every launch, one a line, in order."""
    rows = (
        (*about(run), launch.index, index, run.plan.metric, _amount(run, value))
        for run in runs
        for launch in run.launches
        for index, value in enumerate(launch.latency_ns)
    )
    return _csv((*ABOUT, *_SAMPLE), rows)


def _csv(names: Sequence[str], rows: Iterator[tuple[object, ...]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()


def about(run: RunResult) -> tuple[object, ...]:
    """Return what a run is: the values of `ABOUT`."""
    artifact, plan = run.artifact, run.plan
    names = (run.device, artifact.model, artifact.recipe, artifact.sha256)
    return (run.run_id, run.created_unix_s, run.status, run.origin, *names, plan.threads, plan.cpus)


def figures(run: RunResult) -> tuple[Estimate, ...]:
    """Return every metric of a run with as many digits as exports have."""
    return tuple(
        replace(one, point=_exported(one.point), low=_exported(one.low), high=_exported(one.high))
        for one in estimates(run)
    )


def _exported(value: float | None) -> float | None:
    return None if value is None else exported(value)


def _figure(found: Estimate) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in _FIGURE)


def _amount(run: RunResult, value: int) -> float:
    return run.plan.amount(value) if run.plan.clock == CLOCK_INSTRUCTIONS else value
