"""The command line: one file a command; each parses, calls one function and prints."""

import errno
import os
import sys
import threading
from contextlib import suppress

from edgeprof.cli.interrupts import settle
from edgeprof.cli.streams import reopen, tolerate
from edgeprof.errors import EdgeprofError, UsageError

_INTERRUPTED = 130
# What a disk, a folder or its owner refuses: nothing that a traceback would explain.
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT}


def main() -> None:
    """Run `edgeprof`; the only place where errors become text and exit codes."""
    settle()
    reopen()
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
        return _called()
    except EdgeprofError as exc:
        show_error(exc)
        return exc.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # `edgeprof run list | head`: the reader has seen enough
    except OSError as exc:
        show_error(_of_disk(exc))
        return EdgeprofError.exit_code
    except KeyboardInterrupt:  # before a command had begun: nothing is to be said
        return _INTERRUPTED
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    return 0


def _called() -> int:
    """Do what the command line says; return its exit status.

    Raises:
        EdgeprofError: What was typed or what was to be done is refused.
    """
    from typer.exceptions import Abort, TyperException

    from edgeprof.cli.app import app
    from edgeprof.cli.usage import as_ours

    try:
        code = app(prog_name="edgeprof", standalone_mode=False)
    except Abort:  # Ctrl-C or the end of input at a question
        return 1
    except TyperException as exc:
        if type(exc).__name__ == "NoArgsIsHelpError":  # the help has been printed
            return UsageError.exit_code
        raise as_ours(exc) from None
    return code if isinstance(code, int) else 0


def _of_disk(exc: OSError) -> EdgeprofError:
    """Return what to say of a disk that is full or a folder that cannot be written; anything else is raised again."""
    if exc.errno == errno.ENOSPC:
        return EdgeprofError("there is no room to write this to", "free some, or write it elsewhere")
    if exc.errno in _REFUSED and exc.filename:
        hint = "see to its permissions; EDGEPROF_CACHE_DIR and EDGEPROF_STORE name other places for cache and results"
        return EdgeprofError(f"cannot use `{exc.filename}`: {exc.strerror}", hint)
    raise exc


def show_error(exc: EdgeprofError) -> None:
    """Print `error: …` and, after an empty line, `hint: …`."""
    print(f"error: {exc.message}", file=sys.stderr)  # noqa: T201 - this is the printer
    if exc.hint:
        print(f"\nhint: {exc.hint}", file=sys.stderr)  # noqa: T201
