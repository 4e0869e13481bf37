"""`edgeprof compress`: artifacts, no board."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeprof.cli import show_error
from edgeprof.cli.options import Calibration, InputOutput, Json, Preprocessing, Recipes, Seed, Train, Trust
from edgeprof.errors import UsageError

if TYPE_CHECKING:
    from edgeprof.compress import CompressRequest


def complete_sensitivity(incomplete: str) -> list[str]:
    """Return what `--sensitivity` takes."""
    from edgeprof.compress.sensitivity import LEVELS

    return [what for what in LEVELS if what.startswith(incomplete)]


def compress(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=".keras, .h5 or SavedModel folder.")],
    recipes: Recipes = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the artifacts.")] = Path("build"),
    calibration: Calibration = None,
    train: Train = None,
    seed: Seed = 0,
    io: InputOutput = "int8",
    preprocessing: Preprocessing = None,
    trust_model: Trust = False,
    sensitivity: Annotated[
        str | None,
        typer.Option(
            "--sensitivity",
            metavar="WHAT",
            help="Instead of artifacts: how each layer alone bears channels, prune or quantise.",
            autocompletion=complete_sensitivity,
        ),
    ] = None,
    at: Annotated[
        list[float] | None,
        typer.Option("--at", help="Level of --sensitivity: a share such as 0.5, or bits. Repeat for several."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make artifacts of a Keras model, without a board.

    Examples:
    edgeprof compress model.keras --recipe int8 --calibration calib.npz -o build/

    edgeprof compress model.h5 -r fp32 -r fp16 -r dynamic

    edgeprof compress model.keras -r prune80-pqat --train data.npz --calibration calib.npz

    edgeprof compress model.keras --sensitivity channels --train data.npz --at 0.25 --at 0.5
    """
    from edgeprof.cli.terminal import Terminal
    from edgeprof.compress import CompressRequest, compress_each
    from edgeprof.report.artifacts import print_artifacts

    request = CompressRequest(
        model,
        tuple(recipes or ()),
        calibration,
        io=io,
        out=output,
        preprocessing=preprocessing,
        trust_model=trust_model,
        train=train,
        seed=seed,
    )
    if sensitivity is not None:
        _scan(request, sensitivity, tuple(at or ()), as_json=as_json)
        return
    if at:
        raise UsageError("`--at` is a level of `--sensitivity`, which is not asked for", "add `--sensitivity channels`")
    with Terminal() as terminal:
        made, failed = compress_each(request, terminal.host)
    print_artifacts(made, as_json=as_json)
    for _, error in failed:
        show_error(error)
    if failed:
        raise typer.Exit(1)


def _scan(request: "CompressRequest", what: str, levels: tuple[float, ...], *, as_json: bool) -> None:
    from edgeprof.cli.terminal import Terminal
    from edgeprof.compress.sensitivity import scan
    from edgeprof.report.sensitivity import print_sensitivity

    if request.recipes:
        raise UsageError("`--sensitivity` makes no artifacts, and `--recipe` asks for some", "leave one of them out")
    with Terminal() as terminal:
        found = scan(request, what, levels, terminal.host)
    print_sensitivity(found, as_json=as_json)
