"""`edgeprof compare`: stored runs beside one another."""

from typing import Annotated

import typer

from edgeprof.cli.options import Json, StoreUrl, complete_run


def _complete_axis(incomplete: str) -> list[str]:
    from edgeprof.compare import AXES

    return [axis.name for axis in AXES if axis.name.startswith(incomplete)]


def compare(
    run_ids: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Two or more, or their first digits.", autocompletion=complete_run),
    ],
    base: Annotated[
        str | None,
        typer.Option("--base", help="What all is held against.", show_default="the first", autocompletion=complete_run),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            "--axis",
            help="What is varied: time, recipe, artifact, threads, cores, rate, clocks, runtime or device.",
            show_default="the one along which most compare",
            autocompletion=_complete_axis,
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            "--margin", metavar="SHARE", min=0.0001, max=1, help="A change within this share counts as the same."
        ),
    ] = 0.02,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Relate stored runs: ratios with verdicts, what may not be compared and why, and which are worth having.

    Rows are artifacts, columns devices. Nothing is measured.

    Examples:
    edgeprof compare 54450b98 9c01aa37

    edgeprof compare 5445 9c01 77e2 --axis device --base 5445
    """
    from edgeprof.compare import relate
    from edgeprof.report.matrix import print_matrix
    from edgeprof.store import open_store

    with open_store(store, make=False) as opened:
        runs = [opened.load_run(run_id) for run_id in run_ids]
        base_id = None if base is None else opened.load_run(base).run_id
    print_matrix(relate(runs, base_id, axis, margin), as_json=as_json)
