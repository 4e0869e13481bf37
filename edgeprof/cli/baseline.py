"""`edgeprof baseline`: what an accepted build cost, in a file for git."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Json, StoreUrl, complete_run

app = typer.Typer(help="What an accepted build cost: save, list.", no_args_is_help=True)

_FILE = Path("baselines.json")


@app.command("save")
def save(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN", autocompletion=complete_run)],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file; what else is in it stays.")] = _FILE,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Save stored runs as baselines, replacing those of the same model, recipe and device.

    Example:
    edgeprof baseline save 54450b98 && git add baselines.json
    """
    from edgeprof.cli.done import print_saved
    from edgeprof.store import open_store
    from edgeprof.validate import save_baselines

    with open_store(store, make=False) as opened:
        runs = [opened.load_run(run_id) for run_id in run_ids]
    print_saved(save_baselines(runs, output), as_json=as_json)


@app.command("list")
def list_(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="A baseline file.")] = _FILE, as_json: Json = False
) -> None:
    """List what a baseline file holds."""
    from edgeprof.report.baselines import print_baselines
    from edgeprof.validate import load_baselines

    print_baselines(load_baselines(file), as_json=as_json)
