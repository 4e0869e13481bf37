"""`edgeprof run`: stored results."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Json, StoreUrl, complete_device, complete_run

app = typer.Typer(help="Stored results: list, show, export, remove.", no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="ID", help="A run, or its first digits.", autocompletion=complete_run)]


@app.command("list")
def list_(
    store: StoreUrl = None,
    device: Annotated[str | None, typer.Option("--device", "-d", autocompletion=complete_device)] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only runs of this model.")] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="Only runs of this recipe.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only complete, interrupted, failed or running ones.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = 30,
    as_json: Json = False,
) -> None:
    """List runs, the newest first."""
    from edgeprof.errors import UsageError
    from edgeprof.report.runs import print_rows
    from edgeprof.store import STATUSES, RunFilter, open_store

    if status not in (None, *STATUSES):
        raise UsageError(f"unknown status: `{status}`", f"one of {', '.join(STATUSES)}")
    wanted = RunFilter(device=device, model=model, recipe=recipe, status=status)
    with open_store(store) as opened:
        print_rows(opened.list_runs(limit, wanted), as_json=as_json)


@app.command("show")
def show(run_id: RunId, store: StoreUrl = None, as_json: Json = False) -> None:
    """Show one run: figures with their intervals, conditions, warnings, every launch."""
    from edgeprof.report.runs import print_run
    from edgeprof.store import open_store

    with open_store(store) as opened:
        print_run(opened.load_run(run_id), as_json=as_json)


@app.command("export")
def export(
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", autocompletion=complete_run)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of standard output.")] = None,
    store: StoreUrl = None,
) -> None:
    """Write runs with every raw sample as JSON."""
    from edgeprof.report.runs import export_runs
    from edgeprof.store import open_store

    with open_store(store) as opened:
        export_runs([opened.load_run(run_id) for run_id in run_ids], output)


@app.command("remove")
def remove(
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", autocompletion=complete_run)],
    store: StoreUrl = None,
) -> None:
    """Remove runs with their samples."""
    from edgeprof.store import open_store

    with open_store(store) as opened:
        for run_id in run_ids:
            typer.echo(f"removed {opened.remove_run(run_id)}")
