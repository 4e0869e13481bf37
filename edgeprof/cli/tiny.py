"""`edgeprof tiny`: MLPerf Tiny's serial protocol, from the device's side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import complete_device

app = typer.Typer(
    help="MLPerf Tiny's protocol: let a board answer as one of its devices.",
    no_args_is_help=True,
)


@app.command("serve")
def serve(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Which board.", autocompletion=complete_device)],
    model: Annotated[Path, typer.Argument(metavar="MODEL.tflite", help="What it runs.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What the device calls its model: ic01, kws01, vww01.", show_default="its file"),
    ] = None,
    port: Annotated[
        str, typer.Option("--port", metavar="pty|tcp:PORT|/dev/tty…", help="Where the other program finds it.")
    ] = "pty",
    form: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="FORM",
            help="How samples come: raw, uint8 (images), float32.",
            show_default="what goes with the name",
            autocompletion=lambda: ["raw", "uint8", "float32"],
        ),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", "-t", min=1, max=256, help="Threads of the runtime.")] = 1,
) -> None:
    """Answer as a device of MLPerf Tiny's protocol, with a board behind it, until Ctrl-C.

    The public runner (github.com/mlcommons/tiny, benchmark/runner) or `edgeprof profile -d` a `tiny+serial://` device
    drives it. Times are the board's own.

    Examples:
    edgeprof tiny serve pi5 ic01.tflite --name ic01

    edgeprof tiny serve local model.tflite --port tcp:7000
    """
    from edgeprof.cli.terminal import Terminal
    from edgeprof.compress import load_artifact
    from edgeprof.devices import find_device
    from edgeprof.errors import UsageError
    from edgeprof.names import did_you_mean
    from edgeprof.profile.tinyboard import Served
    from edgeprof.profile.tinyboard import serve as answer
    from edgeprof.tiny import FORMS

    if form is not None and form not in FORMS:
        raise UsageError(f"--input `{form}` is unknown", did_you_mean(form, FORMS) + f"known: {', '.join(FORMS)}")

    def ready(place: str) -> None:
        typer.echo(f"answers as `{served.name}` on {place}; Ctrl-C ends it")
        sys.stdout.flush()

    board = find_device(device)
    served = Served(load_artifact(model), name or model.stem, form, threads)
    try:
        with Terminal() as terminal:
            answer(board, served, port, lambda text: terminal.say(device, text), ready)
    except KeyboardInterrupt:
        raise typer.Exit from None
