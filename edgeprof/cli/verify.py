"""`edgeprof verify`: is this evidence what it was when it was written?"""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Json


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="What `edgeprof run bundle` wrote.")],
    as_json: Json = False,
) -> None:
    """Check an evidence bundle: every file against its hash, every figure against the samples. Exit status 1 if not.

    A bundle proves that it was not changed since its SHA-256 was noted, not who wrote it: keep that hash elsewhere.

    Example:
    edgeprof verify evidence.zip
    """
    from edgeprof.cli.done import print_verified
    from edgeprof.exchange import verify as check

    print_verified(bundle, check(bundle), as_json=as_json)
