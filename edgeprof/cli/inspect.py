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
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="MODEL", help="Where it parts from another, .tflite or Keras, by layer."),
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="For --against: samples, .npz with x, instead of random ones.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a model's operators: multiply-accumulates, parameters and memory. Nothing is run, but with --against.

    Examples:
    edgeprof inspect model.tflite

    edgeprof inspect model.tflite --top 5

    edgeprof inspect model-int8.tflite --against model-fp32.tflite --eval test.npz
    """
    from edgeprof.errors import UsageError

    if against is not None:
        _show_layers(model, against, evaluation, as_json=as_json)
        return
    if evaluation is not None:
        raise UsageError("`--eval` is for comparing layers", "add --against MODEL, or leave it out")
    from edgeprof.analysis import read_costs
    from edgeprof.report.costs import print_costs

    print_costs(model.name, read_costs(model), top, as_json=as_json)


def _show_layers(model: Path, against: Path, evaluation: Path | None, *, as_json: bool) -> None:
    from edgeprof.accuracy import load_eval
    from edgeprof.compress import MOST_SAMPLES, CompressRequest, compress, is_tflite, layer_errors
    from edgeprof.errors import UsageError
    from edgeprof.report.layers import print_layers

    samples = None if evaluation is None else load_eval(evaluation).x
    if samples is not None and samples.dtype.name == "int8":
        raise UsageError("the samples are int8, and what a step stands for is not known", "save them as real numbers")
    other = against if is_tflite(against) else compress(CompressRequest(against), lambda *_: None)[0].path
    what = f"{min(len(samples), MOST_SAMPLES)} samples of `{evaluation}`" if samples is not None else "random inputs"
    print_layers((model.name, against.name), layer_errors(model, other, samples), what, as_json=as_json)
