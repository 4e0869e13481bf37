"""`edgeprof doctor`: what is ready, and what to do about the rest."""

from typing import Annotated

import typer

from edgeprof.cli.options import Json, StoreUrl, complete_device


def doctor(
    devices: Annotated[
        list[str] | None,
        typer.Option("--device", "-d", help="Connect to this one too; repeat.", autocompletion=complete_device),
    ] = None,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Look whether all is ready: this machine, compression, ways to boards, files and devices. Exit status 1 if not.

    Nothing is changed, but that this machine and the devices asked for get the agent, as by `device probe`.

    Examples:
    edgeprof doctor

    edgeprof doctor -d pi5 -d nano
    """
    from edgeprof.cli.terminal import Terminal
    from edgeprof.devices import find_device
    from edgeprof.doctor import examine
    from edgeprof.report.doctor import print_findings

    asked = [find_device(name) for name in dict.fromkeys(devices or ())]
    with Terminal() as terminal:
        ready = print_findings(examine(asked, store, terminal.say), as_json=as_json)
    if not ready:
        raise typer.Exit(1)
