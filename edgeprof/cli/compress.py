"""`edgeprof compress`: artifacts, no board."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli import show_error
from edgeprof.cli.options import Calibration, InputOutput, Json, Preprocessing, Recipes, Seed, Train, Trust


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
    as_json: Json = False,
) -> None:
    """Make artifacts of a Keras model, without a board.

    Examples:
    edgeprof compress model.keras --recipe int8 --calibration calib.npz -o build/

    edgeprof compress model.h5 -r fp32 -r fp16 -r dynamic

    edgeprof compress model.keras -r prune80-pqat --train data.npz --calibration calib.npz
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
    with Terminal() as terminal:
        made, failed = compress_each(request, terminal.host)
    print_artifacts(made, as_json=as_json)
    for _, error in failed:
        show_error(error)
    if failed:
        raise typer.Exit(1)
