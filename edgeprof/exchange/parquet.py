"""Runs as Parquet, for notebooks and data lakes: a row a run, or a row a timed run; units in the columns' names."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprof.errors import UsageError
from edgeprof.exchange.tables import ABOUT, about, figures
from edgeprof.records import CLOCK_INSTRUCTIONS, RunResult

if TYPE_CHECKING:
    import pyarrow as pa


def write_cells(runs: Sequence[RunResult], path: Path) -> None:
    """Write a row a run: what it is, and each figure as `latency_ns.median`, with `….low`, `….high`, `….not_measured`.

    Raises:
        UsageError: pyarrow is not installed, or the file cannot be written.
    """
    arrow = _arrow()
    rows = [{**dict(zip(ABOUT, about(run), strict=True)), **_figures(run)} for run in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: arrow.array([row.get(name) for row in rows], _type(name, arrow)) for name in names}
    _write(arrow.table(columns), path)


def write_samples(runs: Sequence[RunResult], path: Path) -> None:
    """Write a row a timed run, in order: what it is of, `launch`, `run`, and `latency_ns` or `guest_instructions`.

    Raises:
        UsageError: As `write_cells`.
    """
    arrow = _arrow()
    parts = [_samples(run, arrow) for run in runs if run.launches]
    if not parts:
        raise UsageError(
            "these runs have no samples", "a run without launches has figures of its model alone: `-f parquet`"
        )
    _write(arrow.concat_tables(parts), path)


def _figures(run: RunResult) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in figures(run):
        name = f"{one.name}.{one.statistic}"
        found |= {name: one.point, f"{name}.low": one.low, f"{name}.high": one.high}
        found[f"{name}.not_measured"] = one.not_measured
    return found


def _type(name: str, arrow: Any) -> "pa.DataType":  # noqa: ANN401 - a module
    if name == "threads":
        return arrow.int64()
    texts = ("run_id", "status", "origin", "device", "model", "recipe", "artifact_sha256", "cpus")
    return arrow.string() if name in texts or name.endswith(".not_measured") else arrow.float64()


def _samples(run: RunResult, arrow: Any) -> "pa.Table":  # noqa: ANN401 - a module
    counted = run.plan.clock == CLOCK_INSTRUCTIONS
    clock = [value for launch in run.launches for value in launch.latency_ns]
    told = zip(ABOUT, about(run), strict=True)
    same = {name: arrow.array([value] * len(clock), _type(name, arrow)) for name, value in told}
    columns = {
        **same,
        "launch": arrow.array([launch.index for launch in run.launches for _ in launch.latency_ns], arrow.int64()),
        "run": arrow.array(
            [index for launch in run.launches for index in range(len(launch.latency_ns))], arrow.int64()
        ),
        "latency_ns": arrow.array([None] * len(clock) if counted else clock, arrow.int64()),
        "guest_instructions": arrow.array(
            [run.plan.amount(value) for value in clock] if counted else [None] * len(clock), arrow.float64()
        ),
    }
    return arrow.table(columns)


def _arrow() -> Any:  # noqa: ANN401 - a module
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as exc:
        raise UsageError("Parquet needs pyarrow, which is not installed", "pip install 'edgeprof[parquet]'") from exc
    return pa


def _write(table: "pa.Table", path: Path) -> None:
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    try:
        parquet.write_table(table, path, compression="zstd")
    except OSError as exc:
        raise UsageError(f"cannot write `{path}`: {exc}", "name a file in a folder that exists") from exc
