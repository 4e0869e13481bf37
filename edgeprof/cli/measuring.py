"""What commands that measure share: options, progress while they measure, and how they end."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from edgeprof.cli import show_error
from edgeprof.cli.interrupts import ignore
from edgeprof.cli.options import complete_meter

if TYPE_CHECKING:
    from edgeprof.devices import Device
    from edgeprof.profile import Outcome, ProfileRequest
    from edgeprof.profile.inputs import Inputs

INTERRUPTED = 130
_INTERRUPTED = "\ninterrupted: finished launches, if any, are stored and `edgeprof run list` shows them"
_RESUME = "; the same command with `--resume` measures what is left"

Threads = Annotated[
    list[int], typer.Option("--threads", "-t", metavar="N", help="Threads of the runtime. Repeat for several.")
]
Cpus = Annotated[
    list[str], typer.Option("--cpus", metavar="CORES", help="Cores: all, big, little, 0-3. Repeat for several.")
]
Launches = Annotated[
    int | None,
    typer.Option(
        "--launches",
        "-k",
        metavar="N",
        help="Fresh processes, each one observation.",
        show_default="8, 16 or 32; 4 or 8 where instructions are counted",
    ),
]
Runs = Annotated[
    int | None, typer.Option("--runs", metavar="N", help="Timed runs a launch, instead of half a second of them.")
]
Rail = Annotated[
    str | None, typer.Option("--rail", metavar="NAME", help="Which power rail, as `edgeprof device probe` names them.")
]
Meter = Annotated[
    str | None,
    typer.Option(
        "--meter",
        metavar="METER",
        help="Power from a meter on this host instead, between the board and its supply: FILE.toml, ppk2:PORT or "
        "joulescope.",
        autocompletion=complete_meter,
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with this command's last session: measure only what it did not complete."),
]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="Longest a launch may take.")]
Reconnect = Annotated[
    float,
    typer.Option("--reconnect", metavar="SECONDS", help="How long to try to get a lost board back."),
]


def measure_and_show(
    inputs: "Inputs", request: "ProfileRequest", devices: "list[Device]", *, store: str | None, as_json: bool
) -> None:
    """Measure, print the outcome, and leave with its exit status; Ctrl-C says what is left."""
    from edgeprof.report.summary import print_outcome
    from edgeprof.store import shown

    try:
        outcome = _measured(inputs, request, devices, store)
    except KeyboardInterrupt:
        print(_INTERRUPTED + _RESUME, file=sys.stderr)  # noqa: T201
        raise typer.Exit(INTERRUPTED) from None
    print_outcome(outcome, store=store and shown(store), as_json=as_json)
    for failure in outcome.failures:
        show_error(failure.error)
    if text := unused_program(request, outcome):
        typer.echo(f"note: {text}", err=True)
    if outcome.failures:
        raise typer.Exit(max(failure.error.exit_code for failure in outcome.failures))


def unused_program(request: "ProfileRequest", outcome: "Outcome") -> str | None:
    """Return on which devices a vendor's program was named in vain; `None` where on none."""
    from edgeprof.remote.vendor import TOOL

    if request.setup.benchmark_model is None:
        return None
    names = ", ".join(dict.fromkeys(f"`{run.device}`" for run in outcome.runs if run.origin != TOOL))
    return f"`--benchmark-model` was not needed on {names}: edgeprof measured there itself" if names else None


def _measured(inputs: "Inputs", request: "ProfileRequest", devices: "list[Device]", store: str | None) -> "Outcome":
    from edgeprof.cli.terminal import Terminal
    from edgeprof.profile import profile as measure
    from edgeprof.profile.inputs import gather
    from edgeprof.store import open_store

    with open_store(store) as opened, Terminal() as terminal:
        try:
            return measure(gather(inputs, request, terminal.host), devices, opened, terminal)
        except KeyboardInterrupt:
            ignore()
            raise
