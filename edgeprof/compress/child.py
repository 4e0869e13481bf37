"""A child process at a job: what it says, what it is given, and how it ended."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from os import environ
from pathlib import Path

from edgeprof.compress.jobs import Job, Line, parse_line
from edgeprof.errors import EdgeprofError, ModelError, UsageError
from edgeprof.resources import cache_dir

WORKER, GOLDEN, LAYERS = "edgeprof.compress.worker", "edgeprof.compress.golden", "edgeprof.compress.layers"
_EXTRA = ("tensorflow", "keras", "tf_keras", "ai_edge_litert")
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", "PYTHONUNBUFFERED": "1"}
_ROOM = "close programs, lift a limit on memory (`ulimit -v`), or give fewer calibration samples"
_SPACE = "free some, or let EDGEPROF_CACHE_DIR and TMPDIR name folders on a disk with room"
_CRASHED = {
    "SIGSEGV": "int8 of LSTM and GRU layers that loop is a known cause: give them `unroll=True`, or leave int8 out",
    "SIGKILL": f"the system ends what takes too much memory: {_ROOM}",
}
# What a process without memory says last: of C++, of Python, of TensorFlow, which has none for a thread.
_NO_MEMORY = ("std::bad_alloc", "MemoryError", "ResourceExhausted", "Cannot allocate memory", "pthread_create() failed")
# What one without room says; where its log is on the full disk too, how little is left says so.
_NO_SPACE = "No space left on device"
_LITTLE_BYTES = 64 * 1024


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


class Child:
    """A process running a module on a job.

    Attributes:
        pid: Its number.
    """

    def __init__(self, module: str, job: Job, number: int = 0) -> None:
        """Start it.

        Args:
            module: What it runs.
            job: Written to a file in the job's folder.
            number: Tells children of one job apart: each has a log of its own.
        """
        self._job = Path(job.folder) / "job.json"
        job.write(self._job)
        suffix = f"-{number}" if number else ""
        self._log = cache_dir() / "logs" / f"{Path(job.model).name}-{job.kind}{suffix}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._last = Line("progress", "starting")
        with self._log.open("wb") as stderr:
            # -P: the folder the user stands in may hold a keras.py. Own session: Ctrl-C reaches us, and we end it.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(self._job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**environ, **_ENVIRONMENT},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def lines(self) -> Iterator[Line]:
        """Give each line that is no error, until it closes the pipe."""
        for raw in self._process.stdout or ():
            self._last = parse_line(raw)
            if not self._last.kind.endswith("_error"):
                yield self._last

    def give(self, text: str | None) -> None:
        """Let a child that asks read a line, or the end where there is nothing more for it."""
        if self._process.stdin is None:
            return
        with suppress(BrokenPipeError):  # it has ended, and `error` will say how
            if text is None:
                self._process.stdin.close()
            else:
                self._process.stdin.write(text + "\n")
                self._process.stdin.flush()

    def error(self) -> EdgeprofError | None:
        """Wait for the end; return what went wrong: in its own words, or that it crashed."""
        code = self._process.wait()
        if self._last.kind == "usage_error":
            return UsageError(self._last.text, self._last.hint)
        if self._last.kind == "model_error":
            return ModelError(self._last.text, self._last.hint)
        return None if code == 0 else self._crashed(code)

    @property
    def killed(self) -> bool:
        """The system, or somebody else, has killed it."""
        return self._process.returncode == -signal.SIGKILL

    def close(self) -> None:
        """End it, if it has not ended, and remove its job."""
        self._process.kill()
        self._process.wait()
        self._job.unlink(missing_ok=True)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _crashed(self, code: int) -> ModelError:
        doing = self._last.text
        said = self._log.read_text(errors="replace")
        if _NO_SPACE in said or shutil.disk_usage(self._log.parent).free < _LITTLE_BYTES:
            return ModelError(f"there was no room on the disk for {doing}", f"{_SPACE}; all it said: {self._log}")
        if any(word in said for word in _NO_MEMORY):
            return ModelError(f"there was not enough memory for {doing}", f"{_ROOM}; all it said: {self._log}")
        if code < 0:
            name = signal.Signals(-code).name
            hint = _CRASHED.get(name, f"its words: {self._log}")
            return ModelError(f"the converter crashed ({name}) while {doing}", hint)
        return ModelError(f"the converter failed while {doing}: {_last_line(self._log)}", f"all it said: {self._log}")


def run_child(module: str, job: Job, heard: Callable[[Line], None]) -> None:
    """Run `module` on a job; call `heard` with each line that is no error.

    Raises:
        ModelError: The child said so, crashed or ended otherwise than it should.
        UsageError: The child said so.
    """
    child = Child(module, job)
    try:
        child.give(None)
        for line in child.lines():
            heard(line)
        error = child.error()
    finally:
        child.close()
    if error is not None:
        raise error


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:400] if lines else "it said nothing"
