"""`edgeprof lab`: virtual boards for those who have no hardware at hand."""

from typing import Annotated

import typer

from edgeprof.cli.options import Json

app = typer.Typer(
    help="Virtual Arm boards under QEMU: a regression gate that counts instructions, without hardware.",
    no_args_is_help=True,
)


def _complete_cpu(incomplete: str) -> list[str]:
    from edgeprof.lab import KINDS

    return [kind.name for kind in KINDS if kind.name == kind.cpu and kind.name.startswith(incomplete)]


def _complete_kind(incomplete: str) -> list[tuple[str, str]]:
    from edgeprof.lab import KINDS

    return [(kind.name, kind.title) for kind in KINDS if kind.name.startswith(incomplete)]


def _complete_board(incomplete: str) -> list[str]:
    from edgeprof.lab import boards

    return [board.name for board in boards() if board.name.startswith(incomplete)]


@app.command("up")
def up(
    cpu: Annotated[
        str | None,
        typer.Option("--cpu", help="A generic board with this processor.", autocompletion=_complete_cpu),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="Another kind; `lab list --kinds` shows all.", autocompletion=_complete_kind),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call it, instead of lab-KIND.")] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="What its clock counts: instructions or wall.")] = None,
    as_json: Json = False,
) -> None:
    """Start a virtual board and add it as a device. The first time builds its disk: 1 to 3 minutes.

    A generic board's clock counts instructions: repeatable to 0.1 % on any machine, and no latency.

    Examples:
    edgeprof lab up --cpu cortex-a76

    edgeprof lab up --kind raspberry-pi-3 --name pi3
    """
    from edgeprof import lab
    from edgeprof.cli.terminal import Terminal
    from edgeprof.errors import UsageError
    from edgeprof.records import CLOCK_INSTRUCTIONS, CLOCK_WALL
    from edgeprof.report.lab import print_up

    if cpu and kind:
        raise UsageError("--cpu and --kind name the board twice", "leave one out")
    if clock not in (None, CLOCK_INSTRUCTIONS, CLOCK_WALL):
        raise UsageError(f"unknown clock: `{clock}`", f"{CLOCK_INSTRUCTIONS} or {CLOCK_WALL}")
    found = lab.find_kind(kind or cpu or "cortex-a76")
    with Terminal() as terminal:
        board = lab.up(found, name or f"lab-{found.name}", clock or found.clock, lambda text: terminal.host(text, None))
    print_up(board, as_json=as_json)


@app.command("list")
def list_(
    kinds: Annotated[bool, typer.Option("--kinds", help="The kinds there are, instead.")] = False,
    as_json: Json = False,
) -> None:
    """List your virtual boards, or the kinds there are."""
    from edgeprof import lab
    from edgeprof.report.lab import print_kinds, print_running

    if kinds:
        print_kinds(lab.KINDS, as_json=as_json)
    else:
        print_running(lab.boards(), as_json=as_json)


@app.command("down")
def down(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Which.", autocompletion=_complete_board)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """End virtual boards and remove their devices; results stay."""
    from edgeprof import lab
    from edgeprof.errors import UsageError

    wanted = [board.name for board in lab.boards()] if every else names or []
    if not wanted and not every:
        raise UsageError("name a virtual board to end, or give --all", "`edgeprof lab list` shows all")
    for name in wanted:
        typer.echo(f"ended {lab.down(name).name}")


@app.command("clean")
def clean() -> None:
    """Remove the disks and snapshots that virtual boards start from; the next `lab up` builds them again."""
    from edgeprof import lab, units

    typer.echo(f"freed {units.size(lab.clean())}")
