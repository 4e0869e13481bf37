"""`edgeprof report`: stored runs as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Json, StoreUrl, complete_run


def report(
    run_ids: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Runs, or their first digits.", autocompletion=complete_run),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Write a page about stored runs: every launch, over time, operators, memory, conditions, the data itself.

    One file that opens anywhere, offline. Nothing is measured.

    Example:
    edgeprof report 54450b98 9c01aa37 -o report.html
    """
    from edgeprof.cli.done import print_written
    from edgeprof.report.html import write_page
    from edgeprof.store import open_store

    with open_store(store, make=False) as opened:
        runs = [opened.load_run(run_id) for run_id in run_ids]
    write_page(runs, output)
    print_written(output, runs, as_json=as_json)
