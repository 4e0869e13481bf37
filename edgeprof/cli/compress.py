"""`edgeprof compress`: artifacts, no board."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeprof.cli import show_error
from edgeprof.cli.measuring import INTERRUPTED
from edgeprof.cli.needless import refuse_needless
from edgeprof.cli.options import (
    Calibration,
    CalibrationChoice,
    CalibrationSamples,
    InputOutput,
    Json,
    Preprocessing,
    Recipes,
    Seed,
    Train,
    Trust,
)
from edgeprof.errors import UsageError

_INTERRUPTED = "\ninterrupted: finished artifacts, if any, are in `{}`; the same command goes on from there"

if TYPE_CHECKING:
    from edgeprof.compress import CompressRequest


def complete_sensitivity(incomplete: str) -> list[str]:
    """Return what `--sensitivity` takes."""
    from edgeprof.compress.sensitivity import LEVELS

    return [what for what in LEVELS if what.startswith(incomplete)]


def compress(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=".keras, .h5 or SavedModel folder.")],
    recipes: Recipes = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the artifacts.")] = Path("build"),
    calibration: Calibration = None,
    calibration_samples: CalibrationSamples = None,
    calibration_choice: CalibrationChoice = "even",
    train: Train = None,
    seed: Seed = 0,
    io: InputOutput = "int8",
    preprocessing: Preprocessing = None,
    trust_model: Trust = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", help="Make so many recipes at once at most; free memory may let fewer."
        ),
    ] = None,
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
    error_report: Annotated[
        bool,
        typer.Option(
            "--error-report", help="Instead of artifacts: what int8 adds at each layer, and which to leave in float."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make artifacts of a Keras model, without a board.

    Examples:
    edgeprof compress model.keras --recipe int8 --calibration calib.npz -o build/

    edgeprof compress model.h5 -r fp32 -r fp16 -r dynamic --jobs 2

    edgeprof compress model.keras -r prune80-pqat --train data.npz --calibration calib.npz

    edgeprof compress model.keras --sensitivity channels --train data.npz --at 0.25 --at 0.5

    edgeprof compress model.keras -r int8 --error-report --calibration calib.npz
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
        calibration_samples=calibration_samples,
        calibration_choice=calibration_choice,
        jobs=jobs,
    )
    refuse_needless(context, request, [model], error_report=error_report)
    if error_report:
        _report_errors(request, sensitivity, as_json=as_json)
        return
    if sensitivity is not None:
        _scan(request, sensitivity, tuple(at or ()), as_json=as_json)
        return
    if at:
        raise UsageError("`--at` is a level of `--sensitivity`, which is not asked for", "add `--sensitivity channels`")
    try:
        with Terminal() as terminal:
            made, failed = compress_each(request, terminal.host)
    except KeyboardInterrupt:
        print(_INTERRUPTED.format(output), file=sys.stderr)  # noqa: T201
        raise typer.Exit(INTERRUPTED) from None
    print_artifacts(made, as_json=as_json)
    for _, error in failed:
        show_error(error)
    if failed:
        raise typer.Exit(1)


def _report_errors(request: "CompressRequest", sensitivity: str | None, *, as_json: bool) -> None:
    from edgeprof.cli.terminal import Terminal
    from edgeprof.compress.error_report import report_errors
    from edgeprof.report.error_report import print_error_report

    if sensitivity is not None:
        raise UsageError("`--error-report` and `--sensitivity` are two reports", "ask for one at a time")
    with Terminal() as terminal:
        found = report_errors(request, terminal.host)
    print_error_report(found, as_json=as_json)


def _scan(request: "CompressRequest", what: str, levels: tuple[float, ...], *, as_json: bool) -> None:
    from edgeprof.cli.terminal import Terminal
    from edgeprof.compress.sensitivity import scan
    from edgeprof.report.sensitivity import print_sensitivity

    if request.recipes:
        raise UsageError("`--sensitivity` makes no artifacts, and `--recipe` asks for some", "leave one of them out")
    with Terminal() as terminal:
        found = scan(request, what, levels, terminal.host)
    print_sensitivity(found, as_json=as_json)
