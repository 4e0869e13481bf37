"""`edgeprof inspect`: what a file says before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Json


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL.tflite", help="The file to look into.")],
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=1, help="Only the N operators with the most MACs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a model's operators: multiply-accumulates, parameters and memory. Nothing is run.

    Examples:
    edgeprof inspect model.tflite

    edgeprof inspect model.tflite --top 5
    """
    from edgeprof.analysis import read_costs
    from edgeprof.report.costs import print_costs

    print_costs(model.name, read_costs(model), top, as_json=as_json)
