"""`edgeprof serve`: the store in a browser."""

import sys
from typing import Annotated

import typer

from edgeprof.cli.options import StoreUrl


def serve(
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="0 for any that is free.")] = 8010,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; beyond loopback it asks for a token.")
    ] = "127.0.0.1",
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token on loopback too: others use this machine.")
    ] = False,
    store: StoreUrl = None,
) -> None:
    """Show the store in a browser: runs, filters, histories with change points, two runs side by side, what runs now.

    It changes nothing. Ctrl-C ends it.

    Examples:
    edgeprof serve

    edgeprof serve --host 0.0.0.0 --store postgresql+psycopg://me@db.example/results
    """
    from edgeprof.serve import bind
    from edgeprof.store import open_store

    with open_store(store) as opened:
        bound = bind(opened, host, port, with_token=token)
        print(f"showing {opened.url} at {bound.url} (Ctrl-C ends)", file=sys.stderr, flush=True)  # noqa: T201
        try:
            bound.server.serve_forever()
        except KeyboardInterrupt:
            print(file=sys.stderr)  # noqa: T201
        finally:
            bound.server.server_close()
