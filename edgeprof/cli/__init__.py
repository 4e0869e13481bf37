"""The command line: one file a command; each parses, calls one function and prints."""

import sys

from edgeprof.errors import EdgeprofError


def main() -> None:
    """Run `edgeprof`; the only place where errors become text and exit codes."""
    from edgeprof.cli.app import app

    try:
        app()
    except EdgeprofError as exc:
        show_error(exc)
        sys.exit(exc.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # `edgeprof run list | head`: the reader has seen enough
        sys.exit(0)


def show_error(exc: EdgeprofError) -> None:
    """Print `error: …` and, after an empty line, `hint: …`."""
    print(f"error: {exc.message}", file=sys.stderr)  # noqa: T201 - this is the printer
    if exc.hint:
        print(f"\nhint: {exc.hint}", file=sys.stderr)  # noqa: T201
