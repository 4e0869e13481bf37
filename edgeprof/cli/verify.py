"""`edgeprof verify`: is this evidence what it was when it was written?"""

from pathlib import Path
from typing import Annotated

import typer


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="What `edgeprof run bundle` wrote.")],
) -> None:
    """Check an evidence bundle: every file against its hash, every figure against the samples. Exit status 1 if not.

    A bundle proves that it was not changed since its SHA-256 was noted, not who wrote it: keep that hash elsewhere.

    Example:
    edgeprof verify evidence.zip
    """
    from edgeprof.exchange import verify as check

    found = check(bundle)
    names = ", ".join(run.run_id for run in found.runs)
    typer.echo(f"{bundle}: {found.files} files as listed, {found.figures} figures follow from the samples of {names}")
    typer.echo(f"written by edgeprof {found.made_by}; sha256 {found.sha256}")
