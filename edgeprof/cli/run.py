"""`edgeprof run`: stored results."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Json, StoreUrl, complete_device, complete_run, complete_status

app = typer.Typer(help="Stored results: list, show, export, import, bundle, remove.", no_args_is_help=True)

_FORMATS = ("json", "csv", "samples", "parquet", "parquet-samples", "mlflow")
Tracking = Annotated[
    str | None,
    typer.Option(
        "--tracking",
        metavar="URI",
        help="With mlflow: a server's address, sqlite:///FILE, or a folder.",
        show_default="MLFLOW_TRACKING_URI, or MLflow's own",
    ),
]
Experiment = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="With mlflow.", show_default="edgeprof")
]
RunId = Annotated[str, typer.Argument(metavar="ID", help="A run, or its first digits.", autocompletion=complete_run)]


@app.command("list")
def list_(
    store: StoreUrl = None,
    device: Annotated[
        str | None, typer.Option("--device", "-d", help="Only runs on this device.", autocompletion=complete_device)
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only runs of this model.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="Only runs of this recipe.")] = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            help="Only complete, interrupted, abandoned, failed or running ones.",
            autocompletion=complete_status,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = 30,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    from edgeprof.errors import UsageError
    from edgeprof.report.runlist import print_rows
    from edgeprof.store import STATUSES, RunFilter, open_store

    if status not in (None, *STATUSES):
        raise UsageError(f"unknown status: `{status}`", f"one of {', '.join(STATUSES)}")
    wanted = RunFilter(device=device, model=model, recipe=recipe, status=status)
    with open_store(store, make=False) as opened:
        print_rows(opened.list_runs(limit, wanted), opened.url, narrowed=wanted != RunFilter(), as_json=as_json)


@app.command("show")
def show(run_id: RunId, store: StoreUrl = None, as_json: Json = False) -> None:
    """Show one run: figures with their intervals, conditions, warnings, every launch."""
    from edgeprof.report.runs import print_run
    from edgeprof.store import open_store

    with open_store(store, make=False) as opened:
        print_run(opened.load_run(run_id), as_json=as_json)


@app.command("export")
def export(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Runs, or their first digits.", autocompletion=complete_run)
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of standard output.")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="json; csv: a line a figure; samples: a line a timed run; parquet: a row a run, and parquet-samples; "
            "mlflow: a run of MLflow each.",
            autocompletion=lambda: list(_FORMATS),
        ),
    ] = "json",
    tracking: Tracking = None,
    experiment: Experiment = None,
    store: StoreUrl = None,
) -> None:
    """Write runs as JSON with every raw sample, as CSV, as Parquet with units in the columns' names, or to MLflow.

    MLflow gets a run each: figures and their ends as metrics, conditions as parameters, all of it as an artifact. A
    second export adds nothing twice.

    Examples:
    edgeprof run export 54450b98 9c01aa37 --format csv -o runs.csv

    edgeprof run export 54450b98 9c01aa37 --format parquet -o runs.parquet

    edgeprof run export 54450b98 9c01aa37 --format mlflow --tracking sqlite:///mlflow.db
    """
    from edgeprof import exchange
    from edgeprof.errors import UsageError
    from edgeprof.report.runs import runs_text, write_text
    from edgeprof.store import open_store

    texts = {"json": runs_text, "csv": exchange.figures_csv, "samples": exchange.samples_csv}
    files = {"parquet": exchange.write_cells, "parquet-samples": exchange.write_samples}
    _check_format(kind, output)
    if kind != "mlflow" and (tracking, experiment) != (None, None):
        raise UsageError("--tracking and --experiment are for MLflow", "add `--format mlflow`")
    with open_store(store, make=False) as opened:
        runs = [opened.load_run(run_id) for run_id in run_ids]
    if kind == "mlflow":
        for one in exchange.export_runs(runs, tracking, experiment or exchange.EXPERIMENT):
            typer.echo(f"{'exported' if one.new else 'already there:'} {one.run_id} as MLflow run {one.mlflow_id}")
    elif kind in files and output is not None:
        files[kind](runs, output)
    else:
        write_text(texts[kind](runs), output)


def _check_format(kind: str, output: Path | None) -> None:
    from edgeprof.errors import UsageError
    from edgeprof.names import did_you_mean

    if kind not in _FORMATS:
        raise UsageError(f"unknown format: `{kind}`", f"{did_you_mean(kind, _FORMATS)}one of {', '.join(_FORMATS)}")
    if kind.startswith("parquet") and output is None:
        raise UsageError(f"{kind} is no text for a terminal", "name a file: `-o runs.parquet`")
    if kind == "mlflow" and output is not None:
        raise UsageError("mlflow writes no file", "where to goes after --tracking: `--tracking sqlite:///mlflow.db`")
    told = output.suffix.removeprefix(".") if output else ""
    if kind == "json" and told in {"csv", "parquet"}:
        raise UsageError(f"`{output}` would hold JSON", f"add `--format {told}`, or name it .json")


@app.command("bundle")
def bundle(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Runs, or their first digits.", autocompletion=complete_run)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("evidence.zip"),
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Write runs as evidence: samples, figures, report and artifacts in one file that `edgeprof verify` checks.

    The same runs give the same bytes, wherever and whenever it is written by this edgeprof.

    Example:
    edgeprof run bundle 54450b98 9c01aa37 -o evidence.zip
    """
    from edgeprof.cli.done import print_written
    from edgeprof.exchange import write_bundle
    from edgeprof.store import open_store

    with open_store(store, make=False) as opened:
        runs = [opened.load_run(run_id) for run_id in run_ids]
    write_bundle(runs, output)
    print_written(output, runs, as_json=as_json)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="A bundle, or results of another tool.")],
    model: Annotated[Path | None, typer.Option("--model", "-m", help="The .tflite that another tool measured.")] = None,
    device: Annotated[str | None, typer.Option("--device", "-d", help="What that tool ran on.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", "-t", min=1, help="If the result does not say.")] = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Take results into the store: an evidence bundle, or what another tool measured.

    Known: what benchmark_model prints, its --result_json and --result_file_path, MLPerf Tiny's results.txt. They are
    marked as foreign: shown, never compared in turns, never gated.

    Examples:
    edgeprof run import evidence.zip

    edgeprof run import benchmark.log --model mobilenet.tflite --device pixel8
    """
    from edgeprof.cli.done import print_imported
    from edgeprof.exchange import read_any
    from edgeprof.store import open_store

    runs = read_any(files, model, device, threads)
    added: list[tuple[str, bool]] = []
    with open_store(store) as opened:
        try:
            added += ((run.run_id, opened.add_run(run)) for run in runs)
        finally:
            if added:  # what was done before one failed
                print_imported(added, as_json=as_json)


@app.command("remove")
def remove(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Runs, or their first digits.", autocompletion=complete_run)
    ],
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Remove runs with their samples: name each by four of its digits at least."""
    from edgeprof.cli.done import print_removed
    from edgeprof.store import open_store

    removed: list[str] = []
    with open_store(store, make=False) as opened:
        try:
            removed += (opened.remove_run(run_id) for run_id in run_ids)
        finally:
            if removed:  # what was done before one failed
                print_removed(removed, as_json=as_json)
