"""`edgeprof target`: kinds of board."""

from typing import Annotated

import typer

from edgeprof.cli.options import Json, complete_target

app = typer.Typer(help="Kinds of board that edgeprof knows.", no_args_is_help=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all kinds of board."""
    from edgeprof.report.boards import print_targets
    from edgeprof.targets import all_targets

    print_targets(all_targets(), as_json=as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A kind of board.", autocompletion=complete_target)],
    as_json: Json = False,
) -> None:
    """Show what is known of one kind of board, and where each fact was read."""
    from edgeprof.report.boards import print_target
    from edgeprof.targets import load_target

    print_target(load_target(name), as_json=as_json)
