"""The command line: one file a command; each parses, calls one function and prints."""

import errno
import os
import sys
import threading
from contextlib import suppress

from edgeprof.cli.streams import tolerate
from edgeprof.errors import EdgeprofError

_INTERRUPTED = 130


def main() -> None:
    """Run `edgeprof`; the only place where errors become text and exit codes."""
    tolerate()
    code = _run()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    if threading.active_count() > 1:  # one that waits for a board: Python may abort where it ends beside such
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    try:
        from edgeprof.cli.app import app

        app()
    except EdgeprofError as exc:
        show_error(exc)
        return exc.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # `edgeprof run list | head`: the reader has seen enough
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        show_error(EdgeprofError("there is no room to write this to", "free some, or write it elsewhere"))
        return EdgeprofError.exit_code
    except KeyboardInterrupt:  # before a command had begun: nothing is to be said
        return _INTERRUPTED
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    return 0


def show_error(exc: EdgeprofError) -> None:
    """Print `error: …` and, after an empty line, `hint: …`."""
    print(f"error: {exc.message}", file=sys.stderr)  # noqa: T201 - this is the printer
    if exc.hint:
        print(f"\nhint: {exc.hint}", file=sys.stderr)  # noqa: T201
