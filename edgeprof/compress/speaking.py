"""The child's side of the pipe: standard output belongs to the protocol, whatever native code writes there."""

import os
from collections.abc import Callable

from edgeprof.compress.jobs import Job, Line, format_line, read_job
from edgeprof.errors import ModelError, UsageError

Say = Callable[[Line], None]


def serve(argv: list[str], run: Callable[[Job, Say], None]) -> int:
    """Run the job in the file `argv[1]`; return the exit code.

    Errors of ours are told in a line; any other ends the process with its traceback on standard error, where the
    host looks for the last line of it.
    """
    from pathlib import Path

    say = _own_stdout()
    try:
        run(read_job(Path(argv[1])), say)
    except (ModelError, UsageError) as exc:
        kind = "usage_error" if isinstance(exc, UsageError) else "model_error"
        say(Line(kind, exc.message, hint=exc.hint))
        return 1
    return 0


def _own_stdout() -> Say:
    """Return what writes to the host, and send everything else on descriptor 1 to standard error."""
    channel = os.dup(1)
    os.dup2(2, 1)

    def say(line: Line) -> None:
        os.write(channel, format_line(line))

    return say
