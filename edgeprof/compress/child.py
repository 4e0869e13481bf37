"""Running a child process and understanding how it ended."""

import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from os import environ
from pathlib import Path
from typing import IO

from edgeprof.compress.jobs import Job, Line, parse_line
from edgeprof.errors import ModelError, UsageError
from edgeprof.resources import cache_dir

WORKER, GOLDEN, LAYERS = "edgeprof.compress.worker", "edgeprof.compress.golden", "edgeprof.compress.layers"
_EXTRA = ("tensorflow", "keras", "tf_keras", "ai_edge_litert")
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "PYTHONUNBUFFERED": "1"}
_CRASHED = {
    "SIGSEGV": "int8 of LSTM and GRU layers that loop is a known cause: give them `unroll=True`, or leave int8 out",
    "SIGKILL": "the system ends what takes too much memory: close programs, or give fewer calibration samples",
}


def require_extra() -> None:
    """Refuse to start what cannot work.

    Raises:
        UsageError: The `compress` extra is not installed; says how to install it.
    """
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"converting Keras models needs {', '.join(missing)}, which is not installed",
            "pip install 'edgeprof[compress]'",
        )


def run_child(module: str, job: Job, heard: Callable[[Line], None]) -> None:
    """Run `module` on a job; call `heard` with each line that is no error.

    Raises:
        ModelError: The child said so, crashed or ended otherwise than it should.
        UsageError: The child said so.
    """
    path = Path(job.folder) / "job.json"
    job.write(path)
    log = cache_dir() / "logs" / f"{Path(job.model).name}-{job.kind}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stderr:
        # -P: the folder the user stands in may hold a keras.py. Own session: Ctrl-C reaches us, and we end the child.
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**environ, **_ENVIRONMENT},
            start_new_session=True,
        )
        try:
            last = _listen(child.stdout, heard)
            code = child.wait()
        finally:
            child.kill()
            child.wait()
            path.unlink(missing_ok=True)
            if child.stdout:
                child.stdout.close()
    if code != 0:
        raise _ended(code, last, log)


def _listen(stdout: IO[str] | None, heard: Callable[[Line], None]) -> Line:
    """Pass lines on until the child closes the pipe; return the last.

    Raises:
        ModelError: The child said so.
        UsageError: The child said so.
    """
    last = Line("progress", "starting")
    for raw in stdout or ():
        last = parse_line(raw)
        if last.kind == "model_error":
            raise ModelError(last.text, last.hint)
        if last.kind == "usage_error":
            raise UsageError(last.text, last.hint)
        heard(last)
    return last


def _ended(code: int, last: Line, log: Path) -> ModelError:
    if code < 0:
        name = signal.Signals(-code).name
        return ModelError(f"the converter crashed ({name}) while {last.text}", _CRASHED.get(name, f"its words: {log}"))
    return ModelError(f"the converter failed while {last.text}: {_last_line(log)}", f"all it said: {log}")


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:400] if lines else "it said nothing"
